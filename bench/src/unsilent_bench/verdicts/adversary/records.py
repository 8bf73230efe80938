"""Records: SF-3 as it is measured on a client's own held-out records."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import binom

from unsilent.modes.sf3_fairness_collapse import LEFT_BEHIND
from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import Genome
from unsilent_bench.verdicts.people import Array

_SLOPE = 0.15
"""Loss of accuracy that one unit of a client's level stands for."""
_GAINS = (0.0, 0.05, 0.1, 0.2)
_GRID = np.linspace(-4, 4, 801)


class Records:
    """SF-3: the indicator of a loss beyond the threshold on a client's own held-out records.

    A level of 0 is a loss at the threshold. Records taken as they are lose and gain the expected
    whole number of answers.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        self._drawn = plan.monitor.items == "like-these"
        self._records = plan.federation.held_out
        self._gain = _GAINS[min(int(4 * genome.raw("scatter")[place]), 3)]

    def rate(self, level: Array) -> Array:
        """Chance that a record's answer is lost."""
        return np.clip(self._gain + LEFT_BEHIND + _SLOPE * level, 0.0, 1.0 - self._gain)

    def expected(self, level: Array) -> Array:
        """The chance of being left behind over drawn records, else whether one is."""
        if not self._drawn:
            lost, gained = self._whole(level)
            return self.measured(lost, gained)[0]
        return np.interp(level, _GRID, _chances(self._records, self._gain))

    def draw(
        self, types: NDArray[np.int64], homes: NDArray[np.int64], generator: np.random.Generator
    ) -> DrawnRecords:
        """Records; the same stream in every round, since the same records come back."""
        return DrawnRecords(self, int(generator.integers(2**31)))

    def counts(self, level: Array, seed: int) -> tuple[Array, Array]:
        """Lost and gained answers."""
        if not self._drawn:
            return self._whole(level)
        generator, rate = np.random.default_rng(seed), self.rate(level)
        lost = generator.binomial(self._records, rate)
        rest = np.minimum(self._gain / np.maximum(1 - rate, 1e-12), 1.0)
        gained = generator.binomial(self._records - lost, rest)
        return lost.astype(np.float64), gained.astype(np.float64)

    def measured(self, lost: Array, gained: Array) -> tuple[Array, Array]:
        """As ``FairnessCollapse`` computes it."""
        n = self._records
        value = (lost - gained > LEFT_BEHIND * n * (1.0 + 1e-12)).astype(np.float64)
        up, down = gained + 0.5, lost + 0.5
        error = np.sqrt(up + down - (up - down) ** 2 / (n + 2)) / (n + 2)
        entered = ndtr(((lost - gained) / n - LEFT_BEHIND) / error)
        return value, np.sqrt(entered * (1 - entered))

    def _whole(self, level: Array) -> tuple[Array, Array]:
        gained = np.full(np.shape(level), float(np.floor(self._gain * self._records)))
        lost = np.rint(self.rate(level) * self._records)
        return np.minimum(lost, self._records - gained), gained


class DrawnRecords:
    """Drawn records, the same in every round."""

    def __init__(self, records: Records, seed: int) -> None:
        self._records, self._seed = records, seed

    def at(self, level: Array) -> tuple[Array, Array]:
        """(R, N) indicators and spreads at (R, N) levels."""
        return self._records.measured(*self._records.counts(level, self._seed))


@lru_cache(maxsize=64)
def _chances(records: int, gain: float) -> Array:
    """P(lost - gained > 12% of the records) by level, on the grid."""
    lose = np.clip(gain + LEFT_BEHIND + _SLOPE * _GRID, 0.0, 1.0 - gain)
    gained = np.arange(records + 1)
    least = np.floor(LEFT_BEHIND * records * (1 + 1e-12)) + gained
    rest = np.minimum(lose[:, None] / (1 - gain), 1.0)
    tails = binom.sf(least, records - gained, rest)
    return tails @ binom.pmf(gained, records, gain)
