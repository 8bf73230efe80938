"""The plain path: one padded sequence for each choice through the model's own forward pass.

It is what the trunk is measured against, and what models that cannot share are scored by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unsilent.models.frozen import Frozen, Group, Hidden, Past
from unsilent.models.tree import LAUNCH, OVERHEAD, Row, batches


class Plain:
    """Scores rows by running each of their chains alone.

    Args:
        model: A causal language model of transformers.
        cut: Index of the first adapted layer; nothing is kept below it.
        budget: Padded tokens in one forward pass.
    """

    shares = False

    def __init__(self, model: Any, cut: int, budget: int) -> None:
        self.model = model
        self.cut = cut
        self.budget = budget
        self.overhead = OVERHEAD.get(self.device.type, LAUNCH)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def freeze(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen:
        """Nothing: each score runs all layers."""
        return Frozen(None, [None] * len(groups))

    def past(self, prefix: Row | None, frozen: Tensor | None) -> Past | None:
        """None: rows are whole."""
        return None

    def edges(
        self, rows: Sequence[Row], hidden: Hidden | None, past: Past | None, *, whole: bool
    ) -> Tensor:
        """(n_edges,) float32 log-probability of all rows' edges."""
        chains = [(slot, chain) for slot, row in enumerate(rows) for chain in row.chains]
        found: list[dict[int, Tensor]] = [{} for _ in rows]
        for part in batches(
            [len(chain) for _, chain in chains], self.budget, overhead=self.overhead
        ):
            picked = [chains[index] for index in part]
            tokens = nn.utils.rnn.pad_sequence(
                [torch.from_numpy(rows[slot].tokens[chain]) for slot, chain in picked],
                batch_first=True,
            ).to(self.device)
            # Padding comes last, where no causal model sees it: no mask is needed.
            logits = self.model(input_ids=tokens).logits
            for place, (slot, chain) in enumerate(picked):
                row = rows[slot]
                for edge in np.flatnonzero(np.isin(row.edge_nodes, chain)):
                    if int(edge) not in found[slot]:
                        at = int(np.flatnonzero(chain == row.edge_nodes[edge])[0])
                        logs = logits[place, at].float().log_softmax(dim=-1)
                        found[slot][int(edge)] = logs[int(row.edge_tokens[edge])]
        return torch.stack(
            [found[slot][e] for slot, row in enumerate(rows) for e in range(len(row.edge_nodes))]
        )
