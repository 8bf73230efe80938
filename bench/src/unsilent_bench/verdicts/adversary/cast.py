"""Cast: which clients there are, and the laws that clients of one type differ by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from unsilent_bench.verdicts.people import Array

LAW = 601
"""Equally likely values that a law within a type is made of, so that its means are exact."""
_RARE = 0.05


@dataclass(frozen=True, eq=False)
class Cast:
    """(R, N) types of clients, and (R, N, modes or 1) their places in the law within a type."""

    types: NDArray[np.int64]
    places: NDArray[np.int64]

    def repeated(self, repetitions: int) -> Cast:
        """The same clients in as many repetitions."""
        return Cast(
            np.repeat(self.types, repetitions, axis=0), np.repeat(self.places, repetitions, axis=0)
        )


@lru_cache(maxsize=1)
def laws() -> dict[str, Array]:
    """Equally likely values of each law within a type, centred, in its own unit."""
    ranks = (np.arange(LAW) + 0.5) / LAW
    spread = math.sqrt(_RARE * (1 - _RARE))
    return {
        "none": np.zeros(LAW),
        "normal": np.asarray(norm.ppf(ranks)),
        "t": np.asarray(student.ppf(ranks, 1.5)),
        "two-point": np.where(ranks > 1 - _RARE, 1 - _RARE, -_RARE) / spread,
    }
