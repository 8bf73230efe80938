"""What is computed once for packed rows, and what rows behind a prefix attend to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unsilent.models.tree import Row

Hidden = Sequence[Tensor]
"""Of each row, what the frozen layers gave."""


@dataclass(frozen=True)
class Group:
    """Rows behind one prefix, by their index; without a prefix they share nothing."""

    prefix: Row | None
    members: tuple[int, ...]


@dataclass(frozen=True)
class Frozen:
    """What the frozen layers gave: for each row, and for each group's prefix.

    ``rows`` is None where nothing is kept and the tokens are all there is.
    """

    rows: list[Tensor] | None
    prefixes: list[Tensor | None]

    def tensors(self) -> list[Tensor]:
        """All that is held, rows first."""
        return [*(self.rows or ()), *(t for t in self.prefixes if t is not None)]


class Past:
    """Keys and values of a shared prefix, in the place of transformers' cache.

    While ``filling`` it keeps what each layer makes of the prefix; afterwards it sets that before
    what each layer makes of the rows.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.filling = True
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def update(
        self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """(batch, heads, length, width) keys and values that a layer attends to."""
        if self.filling:
            self._kept[layer_idx] = keys, values
            return keys, values
        batch = keys.shape[0]
        before, worth = self._kept[layer_idx]
        return (
            torch.cat([before.expand(batch, -1, -1, -1), keys], dim=2),
            torch.cat([worth.expand(batch, -1, -1, -1), values], dim=2),
        )

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens of the prefix; positions are given to the model all the same."""
        return 0 if self.filling else self.length
