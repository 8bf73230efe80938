"""Many residual adapters in one array, and back to the product's ``Adapter``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.models.arrays import Arrays, weighted_mean
from unsilent.models.base import Adapter

Array = NDArray[np.float32]
NAMES = ("D", "b", "U", "head.weight", "head.bias")
"""Of the product's adapter, in the order in which they lie in a row."""


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

    def columns(self, names: Collection[str]) -> NDArray[np.bool_]:
        """(size,) which numbers of a row are of the arrays of these names."""
        marks = np.zeros((1, self.size), np.float32)
        for name, part in Parts.of(marks, self).named().items():
            part[...] = name in names
        return marks[0] > 0


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

    def named(self) -> dict[str, Array]:
        """By the names of the product's adapter."""
        parts = (self.down, self.offset, self.up, self.weight, self.bias)
        return dict(zip(NAMES, parts, strict=True))


def arrays_of(rows: Array, shape: Shape) -> Arrays:
    """Views into (n, size) rows by name, each with an axis of n in front."""
    return Parts.of(rows, shape).named()


def rows_of(arrays: Arrays) -> Array:
    """(n, size) rows of arrays that have an axis of n in front."""
    return np.concatenate([arrays[name].reshape(len(arrays[name]), -1) for name in NAMES], axis=1)


def mean_of(rows: Array, weights: Sequence[float] | None = None) -> Array:
    """(size,) FedAvg of (n, size) rows, evenly unless there are weights."""
    even = [1.0] * len(rows)
    return weighted_mean([{"row": row} for row in rows], weights or even)["row"]


def row_of(adapter: Adapter) -> Array:
    """(size,) numbers of a residual adapter."""
    return rows_of({name: tensor[None] for name, tensor in adapter.tensors.items()})[0]


def adapter_of(row: Array, shape: Shape, base: str) -> Adapter:
    """The product's adapter of one row."""
    named = arrays_of(row[None], shape)
    return Adapter(base, {name: part[0].copy() for name, part in named.items()})
