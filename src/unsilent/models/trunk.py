"""A causal language model's layers as two segments: frozen below the first adapter, adapted above.

The base is frozen, so what the lower segment computes for a row never changes: it is computed
once and kept. Only the upper segment runs again for each adapter and each training step. Both
segments are the model's own layers under its own forward pass, with the others passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unsilent.models.frozen import Frozen, Group, Hidden, Past
from unsilent.models.layers import Inject, Only, Skip, Tap, by_node, stack_of
from unsilent.models.logits import scale_of
from unsilent.models.memory import in_parts
from unsilent.models.targets import text_part
from unsilent.models.tree import LAUNCH, OVERHEAD, Row, batches

# The head's logits at once: 4 MB of float32 stay in a processor's cache, and memory stays flat.
_HEAD_VOCABULARY = 2048
_HEAD_ROWS = 512

_FULL, _SLIDING = "full_attention", "sliding_attention"


class Trunk:
    """Scores rows through a transformers backbone.

    Args:
        model: A causal language model of transformers.
        cut: Index of the first adapted layer.
        budget: Padded tokens in one batch.

    Raises:
        TypeError: The model has no plain stack of layers, or kinds of attention unknown here.
    """

    shares = True

    def __init__(self, model: Any, cut: int, budget: int) -> None:
        self.model = model
        self.backbone: Any = text_part(model)
        self.cut = cut
        self.budget = budget
        self.overhead = OVERHEAD.get(self.device.type, LAUNCH)
        self.config: Any = self.backbone.config
        self._name, layers = stack_of(self.backbone, int(self.config.num_hidden_layers))
        kinds = set(getattr(self.config, "layer_types", None) or ())
        if kinds - {_FULL, _SLIDING}:
            raise TypeError(f"it has {', '.join(sorted(kinds - {_FULL, _SLIDING}))} layers")
        self._by_kind = _SLIDING in kinds
        window = getattr(self.config, "sliding_window", None)
        self._window = int(window) if window and (self._by_kind or not kinds) else None
        self._whole = layers
        self._tap, self._inject = Tap(), Inject()
        rest = len(layers) - cut
        self._lower = nn.ModuleList([*layers[:cut], self._tap, *(Skip() for _ in range(rest - 1))])
        self._upper = nn.ModuleList(
            [self._inject, *(Skip() for _ in range(cut - 1)), *layers[cut:]] if cut else layers
        )
        self._by_node = by_node(layers[-1])
        self._scale = scale_of(model, self.backbone, self._cap)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return next(self.model.parameters()).dtype

    @torch.no_grad()
    def freeze(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen:
        """(n_nodes, hidden) input of the first adapted layer, for each row and prefix."""
        if not self.cut:
            return Frozen(None, [None] * len(groups))
        hidden: list[Tensor] = [torch.empty(0)] * len(rows)
        prefixes: list[Tensor | None] = []
        for group in groups:
            past = None
            prefixes.append(None)
            if group.prefix is not None:
                past = Past(len(group.prefix))
                prefixes[-1] = self._lower_of([group.prefix], past)[0].clone()
                past.filling = False
            lengths = [len(rows[index]) for index in group.members]
            for batch in batches(lengths, self.budget, overhead=self.overhead):
                members = [group.members[slot] for slot in batch]
                parts = in_parts(
                    members, lambda part, p=past: self._lower_of([rows[i] for i in part], p)
                )
                for part, output in parts:
                    for slot, index in enumerate(part):
                        hidden[index] = output[slot, : len(rows[index])].clone()
        return Frozen(hidden, prefixes)

    def past(self, prefix: Row | None, frozen: Tensor | None) -> Past | None:
        """Keys and values of the prefix in the adapted layers."""
        if prefix is None:
            return None
        past = Past(len(prefix))
        self._upper_of([prefix], None if frozen is None else [frozen], past)
        past.filling = False
        return past

    def edges(
        self, rows: Sequence[Row], hidden: Hidden | None, past: Past | None, *, whole: bool
    ) -> Tensor:
        """(n_edges,) float32 score of all rows' edges; the head runs only where it is needed.

        The log-probability of the edge's token over the whole vocabulary with ``whole``, or where
        its row asks for that; else its logit, which is enough to compare tokens after one node and
        spares the head.
        """
        slots = np.repeat(np.arange(len(rows)), [len(row.edge_nodes) for row in rows])
        nodes = np.concatenate([row.edge_nodes for row in rows])
        tokens = torch.from_numpy(np.concatenate([row.edge_tokens for row in rows]))
        longest = max(len(row) for row in rows)
        asked, inverse = np.unique(slots * longest + nodes, return_inverse=True)
        places = torch.from_numpy(asked).to(self.device)
        with self._asked(places):
            output = self._upper_of(rows, hidden, past)
        picked = output.flatten(0, 1)[places]
        back = torch.from_numpy(inverse.reshape(-1)).to(output.device)
        head = self.model.get_output_embeddings()
        tokens = tokens.to(head.weight.device)
        flat = (picked[back].float() * head.weight[tokens].float()).sum(-1)
        if getattr(head, "bias", None) is not None:
            flat = flat + head.bias[tokens].float()
        flat = self._capped(flat)
        normal = np.concatenate([row.normal for row in rows]) | whole
        if normal.all():
            return flat - self._normalizer(head, picked)[back]
        if normal.any():
            needed, whose = np.unique(inverse.reshape(-1)[normal], return_inverse=True)
            sums = self._normalizer(head, picked[torch.from_numpy(needed).to(picked.device)])
            edges = torch.from_numpy(np.flatnonzero(normal)).to(flat.device)
            each = sums[torch.from_numpy(whose.reshape(-1)).to(flat.device)]
            flat = flat.index_add(0, edges, -each)
        return flat

    def _normalizer(self, head: Any, picked: Tensor) -> Tensor:
        """(k,) log of the summed exponentials of all logits, a block of the vocabulary at once."""
        bias = getattr(head, "bias", None)
        parts = []
        for states in picked.split(_HEAD_ROWS):
            blocks = []
            for start in range(0, head.weight.shape[0], _HEAD_VOCABULARY):
                block = slice(start, start + _HEAD_VOCABULARY)
                logits = nn.functional.linear(
                    states, head.weight[block], None if bias is None else bias[block]
                )
                blocks.append(torch.logsumexp(self._capped(logits.float()), dim=-1))
            parts.append(torch.logsumexp(torch.stack(blocks), dim=0))
        return torch.cat(parts)

    @property
    def _cap(self) -> float | None:
        return getattr(self.config, "final_logit_softcapping", None)

    def _capped(self, logits: Tensor) -> Tensor:
        """Logits scaled, and as Gemma 2 bounds them (Gemma Team 2024, section 2)."""
        if self._scale != 1.0:
            logits = self._scale * logits
        return logits if self._cap is None else torch.tanh(logits / self._cap) * self._cap

    def _lower_of(self, rows: Sequence[Row], past: Past | None) -> Tensor:
        """(batch, longest, hidden) what the first adapted layer would be given."""
        with self._layers(self._lower):
            self._run({"input_ids": self._tokens(rows)}, rows, past)
        return self._tap.taken()

    def _upper_of(
        self, rows: Sequence[Row], hidden: Sequence[Tensor] | None, past: Past | None
    ) -> Tensor:
        """(batch, longest, hidden) normed output of one batch; differentiable."""
        if hidden is None:
            with self._layers(self._upper):
                return self._run({"input_ids": self._tokens(rows)}, rows, past)
        padded = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True)
        self._inject.hidden = padded
        try:
            with self._layers(self._upper):
                return self._run({"inputs_embeds": padded}, rows, past)
        finally:
            self._inject.hidden = None

    def _run(self, given: dict[str, Tensor], rows: Sequence[Row], past: Past | None) -> Tensor:
        mask, positions = self._mask(rows, past)
        result = self.backbone(
            **given,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=past,
            use_cache=past is not None,
        )
        return result.last_hidden_state

    @contextmanager
    def _layers(self, layers: nn.ModuleList) -> Iterator[None]:
        """Let the backbone have these layers for one call."""
        setattr(self.backbone, self._name, layers)
        try:
            yield
        finally:
            setattr(self.backbone, self._name, self._whole)

    @contextmanager
    def _asked(self, places: Tensor) -> Iterator[None]:
        """Let the last layer work for these nodes only: no gradient comes from the others."""
        whole = [getattr(owner, name) for owner, name in self._by_node]
        try:
            for (owner, name), module in zip(self._by_node, whole, strict=True):
                setattr(owner, name, Only(module, places))
            yield
        finally:
            for (owner, name), module in zip(self._by_node, whole, strict=True):
                setattr(owner, name, module)

    def _tokens(self, rows: Sequence[Row]) -> Tensor:
        return nn.utils.rnn.pad_sequence(
            [torch.from_numpy(row.tokens) for row in rows], batch_first=True
        ).to(self.device)

    def _mask(self, rows: Sequence[Row], past: Past | None) -> tuple[Any, Tensor]:
        """What sees what, and (batch, n) positions; padding sees itself only.

        The mask is additive, (batch, 1, n, past + n), by kind of layer where a model has several.
        """
        before = 0 if past is None or past.filling else past.length
        length = max(len(row) for row in rows)
        allowed = np.zeros((len(rows), length, before + length), np.bool_)
        allowed[:, np.arange(length), before + np.arange(length)] = True
        positions = np.zeros((len(rows), length), np.int64)
        for slot, row in enumerate(rows):
            allowed[slot, : len(row), :before] = True
            allowed[slot, : len(row), before : before + len(row)] = row.ancestors
            positions[slot, : len(row)] = row.depths
        full = self._additive(allowed)
        mask: Any = full
        if self._window is not None:
            seen = np.concatenate(
                [np.broadcast_to(np.arange(before), (len(rows), before)), positions], axis=1
            )
            near = positions[:, :, None] - seen[:, None, :] < self._window
            sliding = full if near.all() else self._additive(allowed & near)
            mask = {_FULL: full, _SLIDING: sliding} if self._by_kind else sliding
        return mask, torch.from_numpy(positions).to(self.device)

    def _additive(self, allowed: np.ndarray) -> Tensor:
        mask = torch.zeros(allowed.shape, dtype=self.dtype)
        mask.masked_fill_(torch.from_numpy(~allowed), torch.finfo(self.dtype).min)
        return mask[:, None].to(self.device)
