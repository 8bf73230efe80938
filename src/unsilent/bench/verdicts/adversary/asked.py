"""What clients are asked: numbers and their spreads as modes compute them from drawn items.

Items like these are drawn anew in each repetition. All clients are asked the same public probes, so
what few of these carry is missed by all clients or by none; held-out records are each client's own.
Where items are taken as they are, a number is what it is and its spread says nothing of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import binom

from unsilent.bench.verdicts.adversary.genes import Genome, signed
from unsilent.bench.verdicts.people import Array
from unsilent.inference.sampling import released_range
from unsilent.modes import MODES
from unsilent.modes.sf3_fairness_collapse import LEFT_BEHIND
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import SPREAD, Layout
from unsilent.taxonomy import by_code

Ints = NDArray[np.int64]

DOMAINS, ANSWERS = 4, 2
_SD = 3.0
"""Expected numbers keep this many sd of the items' choice away from the clip, so that the mean of
limited numbers is the limited mean whichever of the two is meant."""
_SLOPE = 0.15
"""Loss of accuracy that one unit of a client's level in SF-3 stands for."""
_GAINS = (0.0, 0.05, 0.1, 0.2)
_GRID = np.linspace(-4, 4, 801)


class Drawn(Protocol):
    """Items that were drawn, in all repetitions; they stay from round to round."""

    def at(self, level: Array) -> tuple[Array, Array]:
        """(R, N) numbers and spreads of clients whose expected number, or level, is given."""
        ...


class Asked(Protocol):
    """How one mode is measured in one world."""

    def expected(self, level: Array) -> Array:
        """What a client's limited number is in expectation over its items, by its level."""
        ...

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """Items for (R, N) clients."""
        ...


def asked(plan: MonitoringPlan, layout: Layout, genome: Genome, place: int) -> Asked:
    """How the mode at a place of ``plan.planned`` is measured in a world."""
    code = plan.planned[place]
    if code == "SF-3":
        return Records(plan, genome, place)
    if plan.monitor.items == "these":
        return AsTheyAre(plan, layout, genome, place)
    if code == "SF-2":
        return Gaps(plan, genome, place)
    return Probes(plan, genome, place)


class AsTheyAre:
    """Probes taken as they are: any number within the mode's range, beside any spread."""

    def __init__(self, plan: MonitoringPlan, layout: Layout, genome: Genome, place: int) -> None:
        code = plan.planned[place]
        self._range, self._whole = released_range(plan, code), MODES[code].range
        largest = layout.coordinates[layout.index(code + SPREAD)].clip
        self._spread = np.abs(signed(genome.raw("spreads")))[:, place] * largest

    def expected(self, level: Array) -> Array:
        """The limited number."""
        return np.clip(level, *self._range)

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """Nothing is drawn."""
        return _Fixed(self._whole, self._spread[types])


class _Fixed:
    def __init__(self, whole: tuple[float, float], spread: Array) -> None:
        self._whole, self._spread = whole, spread

    def at(self, level: Array) -> tuple[Array, Array]:
        # Not limited to the clip: that is the release's to do.
        return np.clip(level, *self._whole), np.broadcast_to(self._spread, level.shape)


class Probes:
    """Public probes of which a share carries a jump: SF-1, SF-4, SF-5 and SF-6.

    An item's change is e for most items and e + jump for a share q of them, plus scatter that is a
    client's own. ``own`` clients have carriers of their own. The carriers of SF-4 are all in one
    of its two sets; those of SF-5 may be all of one kind, with a client at home in its domain free
    of them.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        code = plan.planned[place]
        bound = MODES[code].range[1]
        jump = bound * float(np.clip(signed(genome.raw("jump")[place : place + 1])[0], -1, 1))
        factor = np.clip(signed(genome.raw("spreads")[:, place]), -1, 1)
        # What the carriers add to a mean, from less than the tolerance to many times it.
        mode = plan.mode(by_code(code).mode)
        least = 0.7 * (0.0 if mode is None else mode.tolerance)
        ratio = least * 10 ** (1.3 * genome.raw("rare")[place]) / max(abs(jump), 1e-9)
        self._share = float(np.clip(ratio, 0.002, 0.5))
        # The middle stands for one jump for all, which then is most worlds.
        self._jump = jump * np.where(np.abs(factor) < 0.02, 1.0, factor)
        self._own = genome.raw("own")[place] > 0.7
        self._scatter = 0.4 * max(float(genome.raw("scatter")[place]) - 0.25, 0.0)
        focus = genome.raw("focus")[place] > 0.5
        sizes = plan.probes.size
        self._weight, self._other = 1.0, 0.0
        if code == "SF-4":
            both = (sizes("general"), sizes("harmful"))
            self._items, other = both if focus else both[::-1]
            self._weight = 0.5
            self._other = self._scatter**2 / other
        else:
            self._items = sizes(
                {"SF-1": "bias", "SF-5": "task"}.get(code, "harmful")  # type: ignore[arg-type]
            )
        self._strata = 1
        if code == "SF-5":
            self._strata = DOMAINS * ANSWERS
            self._items = max(self._items // self._strata, 2)
        self._focus = focus and code == "SF-5"
        if self._focus:
            self._share = min(1.0, self._share * self._strata)
        lower, upper = released_range(plan, code)
        away = self._strata - (ANSWERS if self._strata > 1 else 0)
        carrying = 1 if self._focus else away
        largest = float(np.abs(self._jump).max())
        variance = self._share * (1 - self._share) * largest**2 * carrying / away**2
        sd = self._weight * np.sqrt((variance + self._scatter**2 / away) / self._items)
        mean = self._share * carrying / away * self._jump
        high = bound - (self._jump.clip(0) - mean).max()
        low = -bound - (self._jump.clip(None, 0) - mean).min()
        self._limits = (
            max(min(lower + _SD * sd, 0.0), min(low, 0.0)),
            min(max(upper - _SD * sd, 0.0), max(high, 0.0)),
        )

    def expected(self, level: Array) -> Array:
        """The level, within what the items leave room for."""
        return np.clip(level, *self._limits)

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """How many items of each kind carry the jump, and each client's own scatter."""
        repetitions, clients = types.shape
        shape = (self._strata, repetitions, clients if self._own else 1)
        counts = generator.binomial(self._items, self._share, shape).astype(np.float64)
        if self._focus:
            counts[1:] = 0.0
        share = counts / self._items
        # What a kind adds to the mean, and its variance over items.
        off = share - (self._share if not self._focus else 0.0)
        if self._focus:
            off[0] -= self._share
        within = share * (1 - share) * self._items / max(self._items - 1, 1)
        away = np.ones((self._strata, *types.shape))
        if self._strata > 1:
            away = (np.arange(self._strata)[:, None, None] // ANSWERS != homes).astype(np.float64)
        number = away.sum(axis=0)
        jump = self._jump[types]
        error = jump * (away * off).sum(axis=0) / number
        total = number * self._items
        own = self._scatter * generator.standard_normal(types.shape) / np.sqrt(total)
        squares = generator.chisquare(np.maximum(total - 1, 1)) / np.maximum(total - 1, 1)
        variance = jump**2 * (away * within).sum(axis=0) / number
        square = (variance + self._scatter**2 * squares) / total
        spread = self._weight * np.sqrt(square + self._other)
        return _Shifted(self, self._weight * (error + own), spread)


class _Shifted:
    def __init__(self, probes: Probes, error: Array, spread: Array) -> None:
        self._probes, self._error, self._spread = probes, error, spread

    def at(self, level: Array) -> tuple[Array, Array]:
        return self._probes.expected(level) + self._error, self._spread


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

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """Which answers are correct before and after."""
        shape = types.shape if self._own else (types.shape[0], 1)
        before = generator.binomial(self._items, self._accuracy, (types.shape[0], 1))
        lost = generator.binomial(np.broadcast_to(before, shape), self._turned)
        gained = generator.binomial(np.broadcast_to(self._items - before, shape), self._back)
        counts = (each.astype(np.float64) for each in (before, lost, gained))
        return _Gapped(self, *counts)

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
        return value, np.sqrt(np.maximum(square - mean**2, 0.0) / (n - 1))


class _Gapped:
    def __init__(self, gaps: Gaps, before: Array, lost: Array, gained: Array) -> None:
        self._gaps, self._counts = gaps, (before, lost, gained)

    def at(self, level: Array) -> tuple[Array, Array]:
        return self._gaps.measured(self._gaps.expected(level), *self._counts)


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

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """Records; the same stream in every round, since the same records come back."""
        return _Records(self, int(generator.integers(2**31)))

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


class _Records:
    def __init__(self, records: Records, seed: int) -> None:
        self._records, self._seed = records, seed

    def at(self, level: Array) -> tuple[Array, Array]:
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
