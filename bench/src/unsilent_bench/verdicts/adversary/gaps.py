"""Gaps: SF-2 as it is measured on drawn probes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unsilent.inference.sampling import released_range
from unsilent.modes.sf2_confidence_miscalibration import growth_spread
from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import Genome, signed
from unsilent_bench.verdicts.people import Array

_SD = 3.0
"""Sd of the choice of items that an expected number keeps away from the clip."""


class Gaps:
    """SF-2: growth of the debiased absolute gap of confidence and correctness on drawn probes.

    The accuracy is the reference's; clients turn some answers each way and move their confidence.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        first, second, third = genome.raw("reference")
        self._gap = 0.2 * float(signed(np.array([first]))[0])
        # Confidence, accuracy and gap, lies between 0.3 and 1.
        high = min(0.95, 1 - self._gap)
        self._accuracy = float(np.clip(0.5 + 0.45 * second, 0.3 - min(self._gap, 0.0), high))
        self._back = min(1.0, 0.3 * float(third) * self._accuracy / (1 - self._accuracy))
        self._turned = self._back * (1 - self._accuracy) / self._accuracy
        self._sign = 1.0 if (self._gap >= 0) == (genome.raw("focus")[place] < 0.5) else -1.0
        self._own = genome.raw("own")[place] > 0.7
        self._items = plan.probes.size("task")
        room = 1 - self._accuracy if self._sign > 0 else self._accuracy - 0.3
        upper = released_range(plan, "SF-2")[1] - _SD * 0.5 / np.sqrt(self._items)
        self._limits = (-abs(self._gap), max(min(upper, room - abs(self._gap)), -abs(self._gap)))

    def expected(self, level: Array) -> Array:
        """Growth of the absolute gap over all items like these."""
        return np.clip(level, *self._limits)

    def draw(
        self, types: NDArray[np.int64], homes: NDArray[np.int64], generator: np.random.Generator
    ) -> Gapped:
        """Which answers are correct before and after."""
        shape = types.shape if self._own else (types.shape[0], 1)
        before = generator.binomial(self._items, self._accuracy, (types.shape[0], 1))
        lost = generator.binomial(np.broadcast_to(before, shape), self._turned)
        gained = generator.binomial(np.broadcast_to(self._items - before, shape), self._back)
        counts = (each.astype(np.float64) for each in (before, lost, gained))
        return Gapped(self, *counts)

    def confidences(self, growth: ArrayLike) -> tuple[float, Array]:
        """Of every answer, before and after the absolute gap has grown."""
        gap = abs(self._gap) + np.asarray(growth, dtype=np.float64)
        return self._accuracy + self._gap, self._accuracy + self._sign * gap

    def measured(
        self, growth: Array, before: Array, lost: Array, gained: Array
    ) -> tuple[Array, Array]:
        """As ``ConfidenceMiscalibration`` computes it, of one kind of items."""
        n = self._items
        after = before - lost + gained
        old_confidence, confidence = self.confidences(growth)
        g_before, g_after = old_confidence - before / n, confidence - after / n

        def absolute(gap: Array, count: Array) -> Array:
            noise = count / n * (1 - count / n) / (n - 1)
            return np.sqrt(np.maximum(gap**2 - noise, 0.0))

        value = absolute(g_after, after) - absolute(g_before, before)
        old, new = np.where(g_before >= 0, 1.0, -1.0), np.where(g_after >= 0, 1.0, -1.0)
        mean = (old * before - new * after) / n
        square = (before + after - 2 * old * new * (before - lost)) / n
        own = np.sqrt(np.maximum(square - mean**2, 0.0) / (n - 1))
        error = np.sqrt(np.minimum(*(k / n * (1 - k / n) for k in (before, after))) / (n - 1))
        return value, growth_spread(value, g_before, g_after, error, own, n)


class Gapped:
    """Drawn probes: how many answers are correct before, lost and gained."""

    def __init__(self, gaps: Gaps, before: Array, lost: Array, gained: Array) -> None:
        self._gaps, self._counts = gaps, (before, lost, gained)

    def at(self, level: Array) -> tuple[Array, Array]:
        """(R, N) numbers and spreads at (R, N) levels."""
        return self._gaps.measured(self._gaps.expected(level), *self._counts)
