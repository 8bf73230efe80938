"""Records: SF-3 as it is measured on a client's own held-out records."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from unsilent.inference.sampling import released_range
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread
from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import Genome
from unsilent_bench.verdicts.people import Array

_GAINS = (0.0, 0.05, 0.1, 0.2)
_SLOPES = (0.5, 1.0, 2.0)
_LOSSES = np.linspace(-1, 1, 801)


class Records:
    """SF-3: the loss of accuracy that the other half of a client's held-out records confirms.

    A client at a level loses a multiple of that many answers more than it gains: of all records
    alike, as a rare kind of records does that only some have, or of a few clients alone. Drawn
    records are the same in every round, or new ones. Records taken as they are lose and gain the
    expected whole number of answers.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        self._drawn = plan.monitor.items == "like-these"
        self._records = plan.federation.held_out
        self._range = released_range(plan, plan.planned[place])
        self._gain = _GAINS[min(int(4 * genome.raw("scatter")[place]), 3)]
        self._slope = _SLOPES[min(int(3 * genome.raw("jump")[place]), 2)]
        self._redrawn = self._drawn and bool(genome.raw("own")[place] > 0.6)

    def rate(self, level: Array) -> Array:
        """Chance that a record's answer is lost."""
        return np.clip(self._gain + self._slope * level, 0.0, 1.0 - self._gain)

    def expected(self, level: Array) -> Array:
        """The confirmed loss in expectation over drawn records, else that of these."""
        if not self._drawn:
            found = self.measured(*self._whole(level))[0]
        else:
            mean = _means(self._records, self._gain)
            found = np.interp(self.rate(level) - self._gain, _LOSSES, mean)
        return np.clip(found, *self._range)

    def draw(
        self, types: NDArray[np.int64], homes: NDArray[np.int64], generator: np.random.Generator
    ) -> DrawnRecords:
        """Records; where they come back, the same stream in every round."""
        return DrawnRecords(self, int(generator.integers(2**31)), self._redrawn)

    def counts(self, level: Array, *seed: int) -> tuple[Array, Array]:
        """Lost and gained answers."""
        if not self._drawn:
            return self._whole(level)
        generator, rate = np.random.default_rng(seed), self.rate(level)
        lost = generator.binomial(self._records, rate)
        rest = np.minimum(self._gain / np.maximum(1 - rate, 1e-12), 1.0)
        gained = generator.binomial(self._records - lost, rest)
        return lost.astype(np.float64), gained.astype(np.float64)

    def measured(self, lost: Array, gained: Array) -> tuple[Array, Array]:
        """Losses and spreads as ``FairnessCollapse`` computes them."""
        values, spreads = _tables(self._records)
        places = lost.astype(np.int64), gained.astype(np.int64)
        return values[places], spreads[places]

    def _whole(self, level: Array) -> tuple[Array, Array]:
        gained = np.full(np.shape(level), float(np.floor(self._gain * self._records)))
        lost = np.rint(self.rate(level) * self._records)
        return np.minimum(lost, self._records - gained), gained


class DrawnRecords:
    """Drawn records."""

    def __init__(self, records: Records, seed: int, redrawn: bool) -> None:
        self._records, self._seed, self.redrawn = records, seed, redrawn

    def at(self, level: Array, moment: int) -> tuple[Array, Array]:
        """(R, N) losses and spreads at (R, N) levels in a round."""
        seed = (self._seed, moment) if self.redrawn else (self._seed,)
        return self._records.measured(*self._records.counts(level, *seed))


@lru_cache(maxsize=16)
def _tables(records: int) -> tuple[Array, Array]:
    """(n + 1, n + 1) losses and spreads by how many answers are lost and gained."""
    values, spreads = np.zeros((2, records + 1, records + 1))
    for lost in range(records + 1):
        gained = np.arange(records + 1 - lost)
        values[lost, : len(gained)] = [confirmed_loss(lost, int(k), records) for k in gained]
        spreads[lost, : len(gained)] = loss_spread(lost, gained, records)
    return values, spreads


@lru_cache(maxsize=64)
def _means(records: int, gain: float) -> Array:
    """Expected confirmed loss over all counts of lost and gained answers, by net loss."""
    lost, gained = np.meshgrid(np.arange(records + 1), np.arange(records + 1), indexing="ij")
    inside = lost + gained <= records
    lost, gained, values = lost[inside], gained[inside], _tables(records)[0][inside]
    same = records - lost - gained
    ways = gammaln(records + 1) - sum(gammaln(k + 1) for k in (lost, gained, same))
    lose = np.clip(gain + _LOSSES, 0.0, 1.0 - gain)[:, None]
    chance = ways + xlogy(lost, lose) + xlogy(gained, gain) + xlogy(same, 1 - gain - lose)
    return np.exp(chance) @ values
