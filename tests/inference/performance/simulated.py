"""Pools of records drawn at random, with the noise of a release."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from unsilent.inference.performance.pool import Pool
from unsilent.performance.family import Family


def pool(
    random: np.random.Generator,
    counts: Mapping[tuple[Family, str], float],
    sd: float,
    rounds: int = 1,
) -> Pool:
    """Counts by family and part, as summed over rounds in which the same records came back."""
    found = {
        family.name(part): rounds * count + random.normal() * sd * np.sqrt(rounds)
        for (family, part), count in counts.items()
    }
    return Pool(1, rounds, rounds, 10 * rounds, 0, found, sd * np.sqrt(rounds), 0.0, 100)


def binned(scores: np.ndarray, edges: np.ndarray, bins: int) -> np.ndarray:
    """How many scores lie in each bin."""
    return np.bincount(np.searchsorted(edges, scores, side="right"), minlength=bins)
