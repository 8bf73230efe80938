"""What clients are asked: numbers and their spreads as modes compute them from drawn items.

Items like these are drawn anew in each repetition. All clients are asked the same public probes, so
what few of these carry is missed by all clients or by none; held-out records are each client's own.
Where items are taken as they are, a number is what it is and its spread says nothing of it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.sampling import released_range
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import SPREAD, Layout
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.adversary.gaps import Gaps
from unsilent_bench.verdicts.adversary.genes import Genome, signed
from unsilent_bench.verdicts.adversary.records import Records
from unsilent_bench.verdicts.people import Array

Ints = NDArray[np.int64]

DOMAINS, ANSWERS = 4, 2
SD = 3.0
"""Expected numbers keep this many sd of the items' choice away from the clip, so that the mean of
limited numbers is the limited mean whichever of the two is meant."""


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
            max(min(lower + SD * sd, 0.0), min(low, 0.0)),
            min(max(upper - SD * sd, 0.0), max(high, 0.0)),
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
