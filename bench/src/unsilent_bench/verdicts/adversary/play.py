"""Play a world: who the clients are, what is true of them, and the sums that a server would see.

What is true of a mode in a round:

- enrolled clients, items as they are: the mean over the enrolled clients of their numbers, each
  limited to what the release can hold; where each is asked a part of a bank, of its numbers on all;
- items like these: the same of what each number is in expectation over the items;
- clients like these: the mean over the types that clients are drawn from, in place of the enrolled.

Who joins late counts from then on; who drops out, or was not asked in a round, counts all the same.
The world puts the truth of the mode that it aims at just on the wrong side of the tolerance. The
system metrics are those of the clients in the sum, as they are, up to twice their range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import ACCURACY, LOSS, MODEL_NAMES, SPREAD, SUBGROUP
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.adversary.asked import DOMAINS, Asked, Drawn, asked
from unsilent_bench.verdicts.adversary.cast import LAW, Cast, laws
from unsilent_bench.verdicts.adversary.course import anchored, bisected, course_of
from unsilent_bench.verdicts.adversary.genes import MODE_SIDES, SHAPES, TYPES, Genome, signed
from unsilent_bench.verdicts.adversary.present import attendance, cohorts, draw
from unsilent_bench.verdicts.people import Array
from unsilent_bench.verdicts.world import Simulation

METRICS = (LOSS, ACCURACY)
_CELLS = 60_000
_NEAR = 0.05
"""Largest distance of the truth from the tolerance, in tolerances."""


@dataclass(frozen=True, eq=False)
class Played:
    """Many repetitions of a world.

    Attributes:
        simulation: The sums; its rounds are the monitoring rounds in order, and the truth of the
            modes that of the population. Repetitions lead.
        system: (repetitions, rounds, 2) true change of loss and drop of accuracy of the clients in
            the sums.
    """

    simulation: Simulation
    system: Array


@lru_cache(maxsize=64)
def _prepared(plan: MonitoringPlan) -> tuple[Layout, float]:
    return Layout.from_plan(plan), float(share_variance(plan))


class Stage:
    """A world under a plan, its target set to the tolerance, or now and then all modes.

    Args:
        plan: The plan; its control is the world's to choose.
        genome: The world. Its seed is that of the enrolled clients, who are the same in all
            repetitions.
    """

    def __init__(self, plan: MonitoringPlan, genome: Genome) -> None:
        self.plan, self.genome = plan, genome
        # A frozen model has a hash, which its type does not say.
        self.layout, self._variance = _prepared(plan)  # pyright: ignore[reportArgumentType]
        self.attendance = attendance(plan, genome)
        self._codes = plan.planned
        self._fixed = plan.monitor.population == "enrolled"
        self._clips = np.array(
            [self.layout.coordinates[self.layout.index(code)].clip for code in self._codes]
        )
        self._asked: list[Asked] = [
            asked(plan, self.layout, genome, place) for place in range(len(self._codes))
        ]
        self._law = laws()[SHAPES[genome.one("shape", len(SHAPES))]]
        self._loose = 0.5 * genome.raw("loose") ** 2
        self._homes = np.minimum((genome.raw("home") * DOMAINS).astype(np.int64), DOMAINS - 1)
        self._levels = genome.values * self._clips
        limits = np.array(
            [self.layout.coordinates[self.layout.index(name)].clip for name in METRICS]
        )
        self._metrics = 2 * signed(genome.raw("system")) / 1.5 * limits
        self._least, self._most = -limits, 2 * limits
        self._of_system = genome.side not in MODE_SIDES
        self.target = genome.one("target", len(METRICS) if self._of_system else len(self._codes))
        self._course = course_of(plan, genome)
        self._cast = self._draw(1, np.random.default_rng(genome.seed)) if self._fixed else None
        self._shifts = np.zeros(len(self._codes))
        self.aimed: tuple[int, ...] = ()
        if self._of_system:
            self._set_metrics()
        else:
            every = genome.side == "either" and genome.raw("all")[0] > 0.6
            self.aimed = tuple(range(len(self._codes))) if every else (self.target,)
            for place in self.aimed:
                self._set_mode(place)

    @property
    def control(self) -> str:
        """The error control that the world chose."""
        return ("horizon", "open-ended")[self.genome.one("control", 2)]

    def numbers(self) -> dict[str, Array]:
        """(1, N) numbers of the enrolled in the first round, items as they are."""
        cast = self._draw(1, np.random.default_rng(self.genome.seed))
        homes, nothing = self._homes[cast.types], np.random.default_rng(0)
        items = [each.draw(cast.types, homes, nothing) for each in self._asked]
        levels = [self._level(cast, place, 0) for place in range(len(self._codes))]
        metrics = np.moveaxis(self._metrics_at(cast, 0), -1, 0)
        return self._values(cast, levels, items) | dict(zip(METRICS, metrics, strict=True))

    def drawn(
        self, code: str, repetitions: int, generator: np.random.Generator
    ) -> tuple[Array, Array]:
        """(R, N) numbers of one mode from drawn items, and what is expected of them."""
        place = self._codes.index(code)
        cast = self._draw(1, np.random.default_rng(self.genome.seed)).repeated(repetitions)
        items = self._asked[place].draw(cast.types, self._homes[cast.types], generator)
        level = self._level(cast, place, 0)
        return items.at(level, 0)[0], self._asked[place].expected(level)

    def play(self, repetitions: int, generator: np.random.Generator) -> Played:
        """Sums of all rounds in many repetitions."""
        parts = list(self._parts(repetitions, generator))
        clients = cohorts(self.plan, self.attendance)
        variance: Array = clients.astype(np.float64) * self._variance
        totals = np.concatenate([part[0] for part in parts])
        noised = [name not in self.layout.exact for name in self.layout.names]
        noise = generator.standard_normal(totals.shape) * np.sqrt(np.outer(variance, noised))
        truth = np.concatenate([part[1] for part in parts])
        simulation = Simulation(
            plan=self.plan,
            layout=self.layout,
            totals=np.rint(totals + noise).astype(np.int64),
            clients=clients,
            usable=np.ones(len(clients), dtype=np.bool_),
            noise_variance=variance,
            truth=truth,
            present=truth,
            clean=truth,
        )
        return Played(simulation, np.concatenate([part[2] for part in parts]))

    def _parts(
        self, repetitions: int, generator: np.random.Generator
    ) -> Iterator[tuple[Array, Array, Array]]:
        """Sums without noise, truth and system truth, a block of repetitions at a time."""
        size = max(1, _CELLS // self.plan.federation.clients)
        for start in range(0, repetitions, size):
            yield self._part(min(size, repetitions - start), generator)

    def _part(self, repetitions: int, generator: np.random.Generator) -> tuple[Array, Array, Array]:
        rounds = len(self._course)
        drawn_items = self.plan.monitor.items == "like-these"
        cast = self._cast
        if cast is None:
            cast = self._draw(repetitions, generator)
        elif drawn_items:
            cast = cast.repeated(repetitions)
        homes = self._homes[cast.types]
        items = [each.draw(cast.types, homes, generator) for each in self._asked]
        levels = [self._level(cast, place, 0) for place in range(len(self._codes))]
        keys = self._keys(cast, levels)
        joined, here = draw(self.plan, self.attendance, keys, repetitions, generator)
        values = self._values(cast, levels, items)
        now = self._seen(cast, levels, values, 0)
        totals = np.empty((repetitions, rounds, len(self.layout.names)))
        truth = np.empty((repetitions, rounds, len(self._codes)))
        system = np.empty((repetitions, rounds, 2))
        for moment in range(rounds):
            moved = bool(moment) and self._course[moment] != self._course[moment - 1]
            if moment and not self._of_system and (moved or items[self.target].redrawn):
                # Of the other modes the first round's items stay, to save time.
                code = self._codes[self.target]
                levels[self.target] = self._level(cast, self.target, moment)
                found = items[self.target].at(levels[self.target], moment)
                values[code], values[code + SPREAD] = found
                moved = True
            if moved:
                now = self._seen(cast, levels, values, moment)
            among, inside = joined[:, moment], here[:, moment]
            totals[:, moment] = (inside[:, None] @ now.vectors)[:, 0]
            system[:, moment] = (inside[:, None] @ now.metrics)[:, 0] / inside.sum(-1)[:, None]
            truth[:, moment] = now.means
            if now.expected is not None:
                truth[:, moment] = (among[:, None] @ now.expected)[:, 0] / among.sum(-1)[:, None]
        return totals, truth, system

    def _draw(self, repetitions: int, generator: np.random.Generator) -> Cast:
        """Clients: their types and their places in the law within a type."""
        clients = self.plan.federation.clients
        shape = (repetitions, clients)
        if self._fixed:
            ends = np.rint(np.cumsum(self.genome.shares) * clients)
            types = np.searchsorted(ends, np.arange(clients) + 0.5)[None]
        else:
            types = np.searchsorted(np.cumsum(self.genome.shares), generator.random(shape))
        types = np.minimum(types, TYPES - 1).astype(np.int64)
        together = self.genome.raw("together")[0] > 0.5
        width = 1 if together else len(self._codes)
        return Cast(types, generator.integers(0, LAW, (*shape, width)))

    def _level(self, cast: Cast, place: int, moment: int) -> Array:
        """(R, N) levels of one mode in a round."""
        column = min(place, cast.places.shape[-1] - 1)
        around = self._law[cast.places[..., column]] * self._loose[cast.types]
        level = self._levels[cast.types, place] + around * self._clips[place]
        level = level + self._shifts[place]
        if place == self.target and not self._of_system:
            level = level + self._course[moment] * self._clips[place]
        return level

    def _values(self, cast: Cast, levels: list[Array], items: list[Drawn]) -> dict[str, Array]:
        values: dict[str, Array] = {}
        for place, code in enumerate(self._codes):
            values[code], values[code + SPREAD] = items[place].at(levels[place], 0)
        for name in self.layout.inputs:
            if name in MODEL_NAMES:
                # Everybody measures the model that serves.
                values[name] = np.zeros(cast.types.shape)
            if SUBGROUP in name:
                factor = signed(self.genome.raw("groups"))[cast.types]
                values[name] = factor * self.layout.coordinates[self.layout.index(name)].clip
        return values

    def _seen(
        self, cast: Cast, levels: list[Array], values: dict[str, Array], moment: int
    ) -> _Round:
        """One round of all clients, whoever of them is there."""
        metrics = self._metrics_at(cast, moment)
        seen = values | dict(zip(METRICS, np.moveaxis(metrics, -1, 0), strict=True))
        shape = np.broadcast_shapes(*(each.shape for each in seen.values()))
        seen = {name: np.broadcast_to(each, shape) for name, each in seen.items()}
        expected = None
        means = np.zeros(len(self._codes))
        if self._fixed:
            numbers = [each.expected(at) for each, at in zip(self._asked, levels, strict=True)]
            expected = np.stack(numbers, axis=-1)
        else:
            means = np.array([self._mean(place, moment) for place in range(len(self._codes))])
        return _Round(
            self.layout.encode_all(seen).astype(np.float64),
            np.clip(metrics, self._least, self._most),
            expected,
            means,
        )

    def _metrics_at(self, cast: Cast, moment: int) -> Array:
        """(R, N, 2) loss and drop of accuracy."""
        aim = np.arange(len(METRICS)) == (self.target if self._of_system else -1)
        return self._metrics[cast.types] + self._course[moment] * aim

    def _keys(self, cast: Cast, levels: list[Array]) -> Array:
        """(R, N) in [0, 1], who is missing first: by type, or those who would speak against."""
        if self._of_system or not self.attendance.informed:
            return self.genome.raw("absent")[cast.types]
        sign = self._sign
        part = np.clip(levels[self.target] / self._clips[self.target], -1, 1)
        return 0.5 + 0.5 * sign * part

    def _mean(self, place: int, moment: int) -> float:
        """Mean over the population, or over all who are enrolled, of one mode in a round."""
        if self._cast is not None:
            level = self._level(self._cast, place, moment)
            return float(self._asked[place].expected(level).mean())
        types = np.repeat(np.arange(TYPES), LAW)[None]
        every = Cast(types, np.tile(np.arange(LAW), TYPES)[None, :, None])
        found = self._asked[place].expected(self._level(every, place, moment))
        return float(found.reshape(TYPES, LAW).mean(axis=1) @ self.genome.shares)

    def _set_mode(self, place: int) -> None:
        """A mode's truth just on the wrong side of the tolerance."""
        mode = self.plan.mode(by_code(self._codes[place]).mode)
        tolerance = math.inf if mode is None else mode.tolerance
        sign = self._sign
        goal = tolerance * (1 + sign * self._margin())
        span = 4 * float(self._clips[place]) + 1
        rounds = anchored(self._course, self.genome)

        def mean(shift: float) -> float:
            self._shifts[place] = shift
            return float(np.mean([self._mean(place, moment) for moment in rounds]))

        self._shifts[place] = bisected(mean, goal, span, sign)

    def _set_metrics(self) -> None:
        """The target's truth at the margin; for loud the other one stays below it."""
        sign = 1 if self.genome.side == "silent" else -1
        goal = self.plan.monitor.margin * (1 + sign * self._margin())
        shares = self.genome.shares
        if self._cast is not None:
            shares = np.bincount(self._cast.types[0], minlength=TYPES) / self._cast.types.size
        rounds, metrics = anchored(self._course, self.genome), self._metrics.copy()
        for column in range(2):
            if column != self.target and sign > 0:
                continue
            course = self._course if column == self.target else 0 * self._course

            def mean(shift: float, column: int = column, course: Array = course) -> float:
                level = metrics[:, column] + shift + course[rounds][:, None]
                limited = np.clip(level, self._least[column], self._most[column])
                return float((limited @ shares).mean())

            if column == self.target or mean(0.0) > goal:
                self._metrics[:, column] += bisected(mean, goal, 8.0, sign)

    @property
    def _sign(self) -> int:
        """On which side of the tolerance the truth is put; of either word, that of a gene."""
        if self.genome.side == "either":
            return 1 if self.genome.raw("lasting")[0] > 0.5 else -1
        return 1 if self.genome.side == "healthy" else -1

    def _margin(self) -> float:
        """Distance from the tolerance in tolerances; often next to nothing.

        Where either word may be false, no truth lies on the tolerance itself: both would be.
        """
        least = 1e-6 if self.genome.side == "either" else 1e-9
        return max(_NEAR * (2 * float(self.genome.raw("margin")[0]) - 1), least)


@dataclass(frozen=True, eq=False)
class _Round:
    """Clients' vectors, limited metrics, and what is true: expected numbers or their means."""

    vectors: Array
    metrics: Array
    expected: Array | None
    means: Array
