"""A model's trained arrays by name, and their weighted mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]
"""Name to float32 array, of one client. Where all clients of a simulation are held at once, each
array has one axis more, in front."""


def weighted_mean(parts: Sequence[Arrays], weights: Sequence[float]) -> dict[str, NDArray]:
    """FedAvg (McMahan et al. 2017, eq. 1): the weighted mean of arrays of the same name.

    Args:
        parts: At least one; the names and shapes of the first are those of all.
        weights: Of each part, 0 or more, not all 0.

    Returns:
        Name to float32 array. The sum is taken in float64, part by part in the order given.
    """
    total = float(sum(weights))
    pairs = list(zip(parts, weights, strict=True))
    return {
        name: (reduce(add, (w * p[name].astype(np.float64) for p, w in pairs)) / total).astype(
            np.float32
        )
        for name in parts[0]
    }
