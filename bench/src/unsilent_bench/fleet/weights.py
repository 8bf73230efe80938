"""Many residual adapters in one array, and back to the product's ``Adapter``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.models.base import Adapter

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Sizes of a residual adapter; its numbers lie in a row in the order of ``Parts``."""

    width: int
    rank: int
    classes: int

    @property
    def size(self) -> int:
        """Numbers of one adapter."""
        return 2 * self.width * self.rank + self.rank + self.classes * (self.width + 1)

    @property
    def shared(self) -> int:
        """How many of them, from the first, are the down-projection: D and b."""
        return self.width * self.rank + self.rank


@dataclass(frozen=True)
class Parts:
    """Views into rows of adapters: what is written into them is written into the rows.

    Attributes:
        down: (n, width, rank). offset: (n, rank). up: (n, rank, width).
        weight: (n, classes, width). bias: (n, classes).
    """

    down: Array
    offset: Array
    up: Array
    weight: Array
    bias: Array

    @classmethod
    def of(cls, rows: Array, shape: Shape) -> Parts:
        """Parts of (n, size) rows."""
        n, w, r, c = len(rows), shape.width, shape.rank, shape.classes
        ends = np.cumsum([w * r, r, r * w, c * w, c])
        down, offset, up, weight, bias = np.split(rows, ends[:-1], axis=1)
        return cls(
            down.reshape(n, w, r), offset, up.reshape(n, r, w), weight.reshape(n, c, w), bias
        )


def row_of(adapter: Adapter) -> Array:
    """(size,) numbers of a residual adapter."""
    names = ("D", "b", "U", "head.weight", "head.bias")
    return np.concatenate([adapter.tensors[name].ravel() for name in names])


def adapter_of(row: Array, shape: Shape, base: str) -> Adapter:
    """The product's adapter of one row."""
    parts = Parts.of(row[None], shape)
    tensors = {
        "D": parts.down[0],
        "b": parts.offset[0],
        "U": parts.up[0],
        "head.weight": parts.weight[0],
        "head.bias": parts.bias[0],
    }
    return Adapter(base, {name: tensor.copy() for name, tensor in tensors.items()})
