"""What clients are asked: numbers and their spreads as modes compute them from drawn items.

Items like these are drawn anew in each repetition: the bank that there is, and of it each client's
own items in each round. What few units of the bank carry is missed by all clients or by none; what
few items of a client carry is its own. Where all are asked the same items, the bank is these.
Held-out records are each client's own. Where items are taken as they are, and all are asked, a
number is what it is and its spread says nothing of it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.sampling import released_range
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import SPREAD
from unsilent.release.layout import Layout
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.adversary.banks import Bank
from unsilent_bench.verdicts.adversary.gaps import Gaps
from unsilent_bench.verdicts.adversary.genes import Genome, signed
from unsilent_bench.verdicts.adversary.records import Records
from unsilent_bench.verdicts.people import Array

Ints = NDArray[np.int64]

DOMAINS, ANSWERS = 4, 2
SD = 3.0
"""Where no failure is to be claimed, expected numbers keep this many sd of the items' choice above
the lower clip: a mean of numbers that chance takes below it is limited from below, and lies higher.
At the upper one chance takes off what ``clipped`` gives back."""


class Drawn(Protocol):
    """Items that were drawn, in all repetitions.

    Attributes:
        redrawn: Whether clients answer other items in each round.
    """

    redrawn: bool

    def at(self, level: Array, moment: int) -> tuple[Array, Array]:
        """(R, N) numbers and spreads in a round of clients whose level is given."""
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
    roles: set[ItemRole] = set(plan.roles(code))
    whole = all(plan.bank(role) == plan.probes.size(role) for role in roles)
    if plan.monitor.items == "these" and whole:
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
    redrawn = False

    def __init__(self, whole: tuple[float, float], spread: Array) -> None:
        self._whole, self._spread = whole, spread

    def at(self, level: Array, moment: int) -> tuple[Array, Array]:
        # Not limited to the clip: that is the release's to do.
        return np.clip(level, *self._whole), np.broadcast_to(self._spread, level.shape)


class Probes:
    """Public probes of which a share carries a jump: SF-1, SF-4, SF-5 and SF-6.

    An item's change is e for most items and e + jump for a share q of them, plus scatter that is
    the item's or the client's own. ``own`` clients have carriers of their own. The carriers of
    SF-4 are all in one of its two sets; those of SF-5 may be all of one kind, with a client at home
    in its domain free of them.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome, place: int) -> None:
        code = plan.planned[place]
        bound = MODES[code].range[1]
        self._range = lower, _ = released_range(plan, code)
        jump = bound * float(np.clip(signed(genome.raw("jump")[place : place + 1])[0], -1, 1))
        if genome.side != "healthy":
            # No failure is claimed of more improvement by one item than the clip.
            jump = max(jump, lower)
        factor = np.clip(signed(genome.raw("spreads")[:, place]), -1, 1)
        # What the carriers add to a mean, from less than the tolerance to many times it.
        mode = plan.mode(by_code(code).mode)
        least = 0.7 * (0.0 if mode is None else mode.tolerance)
        ratio = least * 10 ** (1.3 * genome.raw("rare")[place]) / max(abs(jump), 1e-9)
        share = float(np.clip(ratio, 0.002, 0.5))
        # The middle stands for one jump for all, which then is most worlds.
        self._jump = jump * np.where(np.abs(factor) < 0.02, 1.0, factor)
        if genome.side != "healthy":
            self._jump = np.maximum(self._jump, lower)
        owner = float(genome.raw("own")[place])
        self._own_scatter = owner > 0.35
        self._scatter = 0.4 * max(float(genome.raw("scatter")[place]) - 0.25, 0.0)
        focus = genome.raw("focus")[place] > 0.5
        self._weight = 0.5 if code == "SF-4" else 1.0
        role, other = _roles(code, focus)
        self._focus = focus and code == "SF-5"
        self._strata = 1
        if code == "SF-5":
            self._strata = DOMAINS * ANSWERS if self._focus else DOMAINS
        self._bank = Bank.of(plan, role, own=owner > 0.7, part=self._strata)
        self._other = None if other is None else Bank.of(plan, other, own=False)
        if self._focus:
            share = min(1.0, share * self._strata)
        if self._bank.fixed:
            share = max(round(share * self._bank.held), 1) / self._bank.held
        self._share = share
        # Strata that a client at home in one domain is asked of.
        away = self._strata - self._strata // DOMAINS
        carrying = 1 if self._focus else away
        largest = float(np.abs(self._jump).max())
        variance = share * (1 - share) * largest**2 * carrying / away**2
        sd = self._weight * np.sqrt((variance + self._scatter**2 / away) / self._bank.asked)
        mean = share * carrying / away * self._jump
        high = bound - (self._jump.clip(0) - mean).max()
        low = -bound - (self._jump.clip(None, 0) - mean).min()
        if genome.side != "healthy":
            low = max(low, min(lower + SD * sd, 0.0))
        self._limits = (min(low, 0.0), max(high, 0.0))

    def expected(self, level: Array) -> Array:
        """The level, within what the items leave room for, limited."""
        return np.clip(self.base(level), *self._range)

    def base(self, level: Array) -> Array:
        """The expected number of a client, not limited."""
        return np.clip(level, *self._limits)

    def draw(self, types: Ints, homes: Ints, generator: np.random.Generator) -> Drawn:
        """How many units of the bank carry the jump in each kind, and the bank's own scatter."""
        kinds = 1 if self._focus else self._strata
        chances = np.array([self._share, 1 - self._share])
        held = [self._bank.units(chances, types.shape, generator) for _ in range(kinds)]
        noise = np.zeros((types.shape[0], 1))
        for bank in self._sets:
            if not bank.fixed:
                wide = types.shape if self._own_scatter else (types.shape[0], 1)
                units = bank.held * (self._strata if bank is self._bank else 1)
                noise = noise + generator.standard_normal(wide) / np.sqrt(units)
        return _Shifted(self, held, self._scatter * noise, types, homes, generator)

    @property
    def drawn(self) -> bool:
        """Whether clients answer a part of a bank."""
        return any(bank.drawn for bank in self._sets)

    @property
    def _sets(self) -> list[Bank]:
        return [self._bank] if self._other is None else [self._bank, self._other]

    def measured(
        self,
        held: list[Array],
        noise: Array,
        types: Ints,
        homes: Ints,
        generator: np.random.Generator,
    ) -> tuple[Array, Array]:
        """(R, N) errors of clients' numbers in one draw of their items, and their spreads."""
        n = self._bank.asked
        counts = [self._bank.sample(each, types.shape, generator)[0] for each in held]
        away = np.ones((len(counts), *types.shape))
        number = np.ones(types.shape)
        if self._strata > 1:
            per = self._strata // DOMAINS
            away = (np.arange(len(counts))[:, None, None] // per != homes).astype(np.float64)
            number = np.full(types.shape, float(self._strata - per))
        share = np.stack(counts) / n
        jump = self._jump[types]
        error = jump * (away * (share - self._share)).sum(axis=0) / number
        within = share * (1 - share) * n / max(n - 1, 1)
        variance = jump**2 * (away * within).sum(axis=0) / number
        total = number * n
        own = np.zeros(types.shape)
        for bank in self._sets:
            if bank.drawn:
                items = total if bank is self._bank else bank.asked
                left = (1 - bank.asked / bank.held) / items
                own += np.sqrt(left) * generator.standard_normal(types.shape)
        squares = generator.chisquare(np.maximum(total - 1, 1)) / np.maximum(total - 1, 1)
        square = (variance + self._scatter**2 * squares) / total
        if self._other is not None:
            square = square + self._scatter**2 / self._other.asked
        errors = self._weight * (error + noise + self._scatter * own)
        return errors, self._weight * np.sqrt(square)


class _Shifted:
    """A drawn bank, and each client's items of it."""

    def __init__(
        self,
        probes: Probes,
        held: list[Array],
        noise: Array,
        types: Ints,
        homes: Ints,
        generator: np.random.Generator,
    ) -> None:
        self._probes, self._held, self._noise = probes, held, noise
        self._types, self._homes, self._seed = types, homes, int(generator.integers(2**31))
        self.redrawn = probes.drawn

    def at(self, level: Array, moment: int) -> tuple[Array, Array]:
        generator = np.random.default_rng((self._seed, moment if self.redrawn else 0))
        error, spread = self._probes.measured(
            self._held, self._noise, self._types, self._homes, generator
        )
        return self._probes.base(level) + error, spread


def _roles(code: str, focus: bool) -> tuple[ItemRole, ItemRole | None]:
    """The set whose items carry, and the other one if the mode has two."""
    if code == "SF-4":
        return ("general", "harmful") if focus else ("harmful", "general")
    return {"SF-1": "bias", "SF-5": "task"}.get(code, "harmful"), None  # type: ignore[return-value]
