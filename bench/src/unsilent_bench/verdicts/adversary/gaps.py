"""Gaps: SF-2 as it is measured on drawn probes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.sampling import released_range
from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.banks import Bank
from unsilent_bench.verdicts.adversary.genes import Genome, signed
from unsilent_bench.verdicts.people import Array

_SD = 3.0
_LEAST = 0.25
"""Least confidence of a chosen answer: there are at most four."""


class Gaps:
    """SF-2: growth of the squared gap of confidence and correctness on drawn probes.

    An item is answered correctly before or not, and after or not; confidence moves alike on all
    items. Types of clients are over- or underconfident after, each by as much as its level says.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        first, second, third = genome.raw("reference")
        right = float(np.clip(0.02 + 0.96 * second, 0.02, 0.98))
        high = 1 - right
        gap = 0.35 * float(signed(np.array([first]))[0])
        self._gap = float(np.clip(gap, _LEAST - right if right > _LEAST else 0.0, high))
        turn = 0.6 * max(float(third) - 0.2, 0.0)
        loss = 0.5 * max(float(genome.raw("rare")[place]) - 0.6, 0.0) * right
        # Both right, lost, gained, both wrong.
        lost = min(right, turn * right * (1 - right) + loss)
        gained = turn * right * (1 - right)
        self._bank = Bank.of(plan, "task", own=bool(genome.raw("own")[place] > 0.7))
        self._chances = self._bank.whole([right - lost, lost, gained, 1 - right - gained])
        self._before = right = float(self._chances[0] + self._chances[1])
        self._after = float(self._chances[0] + self._chances[2])
        flip = genome.raw("focus")[place] > 0.5
        self._signs = np.where((genome.raw("spreads")[:, place] > 0.7) ^ flip, -1.0, 1.0)
        self._signs *= 1.0 if self._gap >= 0 else -1.0
        used = self._signs[genome.shares > 1e-6]
        room = min(1 - self._after if s > 0 else max(self._after - _LEAST, 0.0) for s in used)
        lower, self._upper = released_range(plan, "SF-2")
        self._lower = lower
        sd = np.sqrt(2 / self._bank.asked) * abs(self._gap) + 0.5 / self._bank.asked
        least = lower if genome.side == "healthy" else min(lower + _SD * sd, 0.0)
        square = self._gap**2
        least = max(-square, least)
        if self._bank.fixed:
            # The number of a bank without a gap lies below 0, and no square does.
            least += max(right * (1 - right) - self._after * (1 - self._after), 0.0) / (
                self._bank.held - 1
            )
        self._limits = (least, max(room**2 - square, least))

    @property
    def chances(self) -> Array:
        """(4,) of an item: right both times, lost, gained, wrong both times."""
        return self._chances

    def expected(self, level: Array) -> Array:
        """Growth of the squared gap over all items like these, or over the bank, limited."""
        return np.clip(self._growth(level), self._lower, self._upper)

    def _growth(self, level: Array) -> Array:
        return np.clip(level, *self._limits)

    def draw(
        self, types: NDArray[np.int64], homes: NDArray[np.int64], generator: np.random.Generator
    ) -> Gapped:
        """Which answers are correct before and after, of the bank."""
        units = self._bank.units(self._chances, types.shape, generator)
        return Gapped(self, units, types, int(generator.integers(2**31)))

    def gaps(self, level: Array, types: NDArray[np.int64], held: Array) -> tuple[Array, Array]:
        """Mean signed gaps before and after that give the level over items, or over the bank.

        Args:
            level: (R, N).
            types: (R, N).
            held: (4, R, 1 or N) units of the bank of each kind.
        """
        growth, sign = self._growth(level), self._signs[types]
        square = self._gap**2
        if not self._bank.fixed:
            return np.full(growth.shape, self._gap), sign * np.sqrt(np.maximum(square + growth, 0))
        # The number of the whole bank is the one that the mode would compute on all of it.
        count = held.sum(axis=0)
        right, after = held[0] + held[1], held[0] + held[2]
        bias = [k / count * (1 - k / count) / np.maximum(count - 1, 1) for k in (right, after)]
        target = square - bias[0] + growth + bias[1]
        return np.full(growth.shape, self._gap), sign * np.sqrt(np.maximum(target, 0.0))

    def measured(
        self, gap: Array, new: Array, counts: Array, shares: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        """As ``ConfidenceMiscalibration`` computes it, of one kind of items.

        Args:
            gap: Mean signed gap over the population before.
            new: After.
            counts: (4, …) of a client's items.
            shares: Shares of right answers before and after in that population.
        """
        n = counts.sum(axis=0)
        first, second = (counts[0] + counts[1]) / n, (counts[0] + counts[2]) / n
        before, after = gap + shares[0] - first, new + shares[1] - second
        both = counts[0] / n
        variances = [k * (1 - k) for k in (first, second)]
        covariance = both - first * second
        per = n - 1
        value = after**2 - variances[1] / per - (before**2 - variances[0] / per)

        def error(one: Array | float, two: Array | float) -> Array:
            square = (
                one * one * variances[0] + two * two * variances[1] + 2 * one * two * covariance
            )
            return np.sqrt(np.maximum(square, 0.0) / per)

        straight = 2 * error(-before, after)
        return value, np.hypot(straight, np.sqrt(2) * error(-1.0, 1.0) * error(1.0, 1.0))

    def shares(self, held: Array) -> tuple[Array, Array]:
        """Shares of right answers before and after, in the bank if it is what is spoken of."""
        if not self._bank.fixed:
            return np.asarray(self._before), np.asarray(self._after)
        count = held.sum(axis=0)
        return (held[0] + held[1]) / count, (held[0] + held[2]) / count

    @property
    def bank(self) -> Bank:
        """What clients draw from."""
        return self._bank


class Gapped:
    """A drawn bank, and each client's items of it."""

    def __init__(self, gaps: Gaps, held: Array, types: NDArray[np.int64], seed: int) -> None:
        self._gaps, self._held, self._types, self._seed = gaps, held, types, seed
        self.redrawn = gaps.bank.drawn

    def at(self, level: Array, moment: int) -> tuple[Array, Array]:
        """(R, N) numbers and spreads at (R, N) levels in a round."""
        gaps = self._gaps
        generator = np.random.default_rng((self._seed, moment))
        counts = gaps.bank.sample(self._held, self._types.shape, generator)
        means = gaps.gaps(level, self._types, self._held)
        return gaps.measured(*means, counts, gaps.shares(self._held))
