"""A causal language model's layers as two segments: frozen below the first adapter, adapted above.

The base is frozen, so what the lower segment computes for a row never changes: it is computed
once and kept. Only the upper segment runs again for each adapter and each training step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unsilent.models.tree import Row, batches

# Families whose decoder is a plain stack behind `embed_tokens`, takes `inputs_embeds` unscaled and
# a four-dimensional mask. No other can be cut in two like this.
SEGMENTED = frozenset({"llama", "mistral", "qwen2", "qwen3", "smollm3"})


# Rows of the vocabulary head computed at once: 256 x 49,152 logits are 50 MB.
_HEAD_ROWS = 256


class Trunk:
    """Runs rows through a transformers backbone.

    Args:
        model: A causal language model of transformers.
        cut: Index of the first adapted layer.
        budget: Padded tokens in one batch.
    """

    def __init__(self, model: Any, cut: int, *, budget: int = 1024) -> None:
        self.model = model
        self.backbone: Any = model.get_decoder()
        self.cut = cut
        self.budget = budget
        self.device = next(model.parameters()).device
        self.dtype = next(model.parameters()).dtype

    @contextmanager
    def _layers(self, first: int, last: int | None, *, norm: bool) -> Iterator[None]:
        """Let the backbone be a slice of itself for one call."""
        layers, final = self.backbone.layers, self.backbone.norm
        self.backbone.layers = layers[first:last]
        if not norm:
            self.backbone.norm = nn.Identity()
        try:
            yield
        finally:
            self.backbone.layers, self.backbone.norm = layers, final

    @torch.no_grad()
    def lower(self, rows: Sequence[Row]) -> list[Tensor]:
        """(n_nodes, hidden) input of the first adapted layer, for each row."""
        hidden: list[Tensor] = [torch.empty(0)] * len(rows)
        for indices in batches([len(row) for row in rows], self.budget):
            picked = [rows[i] for i in indices]
            mask, positions = self._mask(picked)
            tokens = self._tokens(picked)
            embedded = self.backbone.embed_tokens(tokens)
            if self.cut:
                with self._layers(0, self.cut, norm=False):
                    embedded = self._run(embedded, mask, positions)
            for slot, index in enumerate(indices):
                hidden[index] = embedded[slot, : len(rows[index])].clone()
        return hidden

    def upper(self, rows: Sequence[Row], hidden: Sequence[Tensor]) -> Tensor:
        """(batch, longest, hidden) normed output of one batch; differentiable."""
        mask, positions = self._mask(rows)
        padded = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True)
        with self._layers(self.cut, None, norm=True):
            return self._run(padded, mask, positions)

    def edge_scores(self, rows: Sequence[Row], output: Tensor, *, normalize: bool) -> list[Tensor]:
        """(n_edges,) float32 score of each row's edges; the head runs only where it is needed.

        With ``normalize`` the log-probability of the edge's token over the whole vocabulary; else
        its logit, which is enough to compare tokens after one node and spares the head.
        """
        slots = torch.cat([torch.full((len(r.edge_nodes),), slot) for slot, r in enumerate(rows)])
        nodes = torch.cat([torch.from_numpy(row.edge_nodes) for row in rows])
        tokens = torch.cat([torch.from_numpy(row.edge_tokens) for row in rows]).to(self.device)
        places, inverse = torch.unique(torch.stack([slots, nodes], 1), dim=0, return_inverse=True)
        places, inverse = places.to(self.device), inverse.to(self.device)
        picked = output[places[:, 0], places[:, 1]]
        head = self.model.get_output_embeddings()
        flat = (picked[inverse].float() * head.weight[tokens].float()).sum(-1)
        if getattr(head, "bias", None) is not None:
            flat = flat + head.bias[tokens].float()
        if normalize:
            normalizer = [
                torch.logsumexp(head(part).float(), dim=-1) for part in picked.split(_HEAD_ROWS)
            ]
            flat = flat - torch.cat(normalizer)[inverse]
        return list(torch.split(flat, [len(row.edge_nodes) for row in rows]))

    def _run(self, embedded: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        result = self.backbone(
            inputs_embeds=embedded, attention_mask=mask, position_ids=positions, use_cache=False
        )
        return result.last_hidden_state

    def _tokens(self, rows: Sequence[Row]) -> Tensor:
        return nn.utils.rnn.pad_sequence(
            [torch.from_numpy(row.tokens) for row in rows], batch_first=True
        ).to(self.device)

    def _mask(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Additive (batch, 1, n, n) mask and (batch, n) positions; padding sees itself only."""
        length = max(len(row) for row in rows)
        allowed = torch.eye(length, dtype=torch.bool).repeat(len(rows), 1, 1)
        positions = torch.zeros(len(rows), length, dtype=torch.long)
        for slot, row in enumerate(rows):
            allowed[slot, : len(row), : len(row)] = torch.from_numpy(row.ancestors)
            positions[slot, : len(row)] = torch.from_numpy(row.depths)
        mask = torch.zeros(allowed.shape, dtype=self.dtype)
        mask.masked_fill_(~allowed, torch.finfo(self.dtype).min)
        return mask[:, None].to(self.device), positions.to(self.device)
