"""The worlds that an audit compares: what clients release, again and again, canary in or out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from unsilent.audit import claim
from unsilent.audit.audit_result import ERROR
from unsilent.audit.noise_tests import VarianceRange
from unsilent.client.observer import Observer
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import is_variance, source
from unsilent.release.layout import Layout
from unsilent.release.noise import ExactNoise, NoiseSource, SeededNoise, share_variance
from unsilent.release.vector import privatize

_EXTREME = 1e3
_OTHER_LOOKS = 34

Values = Mapping[str, float]
Privatize = Callable[[Layout, Values, float, NoiseSource], NDArray[np.int64]]


@dataclass(frozen=True)
class Mechanism:
    """The parts of a release that an audit runs; each can be exchanged for a mutant's.

    Attributes:
        layout: It encodes and clips.
        variance: Variance of one client's share of the noise.
        privatize: Makes one client's noised vector.
        source: Gives the noise of a stream ``(seed, world, round, client)``.
        exact: Gives the noise of real clients.
        observer: Lets a client's releases go, and keeps its limit.
    """

    layout: Layout
    variance: float
    privatize: Privatize
    source: Callable[[Sequence[int]], NoiseSource]
    exact: Callable[[], NoiseSource]
    observer: type[Observer] = Observer

    @classmethod
    def of(cls, plan: MonitoringPlan) -> Mechanism:
        """What clients run under a plan. Raises PlanError if its noise cannot be drawn."""
        return cls(Layout.from_plan(plan), share_variance(plan), privatize, SeededNoise, ExactNoise)


class _NoNoise:
    """No noise: what is left is the encoding."""

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        return np.zeros(size, dtype=np.int64)


class _Bulk:
    """Noise for many repetitions of one vector at once: (repetitions, size) for a size."""

    def __init__(self, source: NoiseSource, repetitions: int) -> None:
        self._source = source
        self._repetitions = repetitions

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        draws = self._source.sample(scale, self._repetitions * size)
        return draws.reshape(self._repetitions, size)


class Worlds:
    """One audit's subject, and what it is held against.

    Attributes:
        plan, mechanism, layout: What is attacked.
        seed, half: Of the seeded draws; how many sums each world has.
        cohort: N_min, how many clients are in a sum.
        mu: What one release may cost.
        variance: What the noise of the sum needs.
        share: What the noise of one share should be: as declared, if that is enough.
        blocks: Positions of the coordinates that belong together.
        noised: Positions of those that have to carry noise; see ``claim.noised``.
        noise_blocks: Of each block that has any, their places among ``noised``.
        level: Probability that one statistical check of correct code fails.
    """

    def __init__(
        self, plan: MonitoringPlan, mechanism: Mechanism, seed: int, repetitions: int
    ) -> None:
        self.plan = plan
        self.mechanism = mechanism
        self.layout = mechanism.layout
        self.seed = seed
        self.half = max(2, repetitions // 2)
        self.cohort = claim.honest_floor(plan)
        self.mu = claim.mu_of_one(plan)
        self.variance = (claim.reach(plan) / self.mu) ** 2
        needed = self.variance / self.cohort
        # A share's variance is rounded up to a whole number.
        enough = mechanism.variance >= needed * (1 - 1e-9)
        self.share = (
            VarianceRange(mechanism.variance, mechanism.variance)
            if enough
            else VarianceRange(needed, needed + 1)
        )
        self.healthy = dict.fromkeys(self.layout.inputs, 0.0)
        self.blocks = blocks(self.layout)
        self.noised = claim.noised(plan, self.layout)
        place = {position: at for at, position in enumerate(self.noised)}
        within = {n: [place[p] for p in each if p in place] for n, each in self.blocks.items()}
        self.noise_blocks = {name: places for name, places in within.items() if places}
        self.level = ERROR / (3 * len(self.blocks) + _OTHER_LOOKS)

    def vector(self, values: Values, noise: NoiseSource) -> NDArray[np.int64]:
        """What one client releases, with this noise."""
        subject = self.mechanism
        return subject.privatize(subject.layout, values, subject.variance, noise)

    def clean(self, values: Values) -> NDArray[np.int64]:
        """What one client would release without noise."""
        return self.vector(values, _NoNoise())

    def client(
        self, values: Values, world: int, round_number: int, client: int, repetitions: int
    ) -> NDArray[np.int64]:
        """(repetitions, n_coordinates): what one client releases, again and again."""
        stream = (self.seed, world, round_number, client)
        return self.vector(values, _Bulk(self.mechanism.source(stream), repetitions))

    def rest(self, world: int, round_number: int, repetitions: int) -> NDArray[np.int64]:
        """(repetitions, n_coordinates): the sum over all clients but the canary."""
        total = np.zeros((repetitions, len(self.layout.coordinates)), dtype=np.int64)
        for client in range(1, self.cohort):
            total += self.client(self.healthy, world, round_number, client, repetitions)
        return total

    def canary(self, names: Sequence[str]) -> tuple[Values, Values]:
        """The canary's statistics with the canary in and out, extreme in some coordinates."""
        if self.plan.privacy.unit == "record":
            return claim.record_worlds(self.plan, self.layout, names)
        shown = [c for c in self.layout.coordinates if c.name in names]
        limits = self.layout.limits
        extreme = {n: limits[n] for n in (source(c.name) for c in shown) if n in limits}
        if not extreme or self.plan.privacy.adjacency == "zero-out":
            # Beyond every clip, so that what is said of clipping shows as well.
            far = {n: _EXTREME * limit for n, limit in (extreme or limits).items()}
            return self.healthy | far, self.healthy
        # Two clients are furthest apart where neither is clipped: reports are never negative. Nor
        # are squares of spreads, which would take room and set nobody apart.
        squares = {c.name for c in shown if is_variance(c.name)}
        extreme = {n: clip for n, clip in extreme.items() if n not in map(source, squares)}
        own = (c.weight for c in shown if c.name not in {*self.layout.reports, *squares})
        size = max(1.0, math.hypot(*own))
        edge = {name: clip / size for name, clip in extreme.items()}
        opposite = {name: -value for name, value in edge.items()}
        return self.healthy | edge, self.healthy | opposite

    def random_values(self, random: np.random.Generator) -> Values:
        """Statistics of a made-up client, from far within every clip to far beyond."""
        size = 10.0 ** random.uniform(-1, 3)
        direction = random.normal(size=len(self.layout.inputs)) * size
        return {
            name: float(part) * self.layout.limits[name]
            for name, part in zip(self.layout.inputs, direction, strict=True)
        }

    def longest(self) -> float:
        """The largest norm that the plan allows a vector, in integer units."""
        return claim.longest(self.plan)

    def noise_of(self, sums: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """The noise in sums over healthy clients, in every coordinate."""
        return np.concatenate(sums) - (self.cohort - 1) * self.clean(self.healthy)

    def shift(self, canary: tuple[Values, Values]) -> NDArray[np.float64]:
        """By how much the canary moves the sum."""
        return (self.clean(canary[0]) - self.clean(canary[1])).astype(np.float64)

    def cost_of(self, length: float) -> float:
        """The Gaussian-DP parameter of a shift of this length."""
        return length / math.sqrt(self.variance)


def blocks(layout: Layout) -> dict[str, list[int]]:
    """Positions of the coordinates that belong together: those of a mode, ``system`` and others."""
    found: dict[str, list[int]] = {}
    for position, name in enumerate(layout.names):
        found.setdefault(re.split(r"[./]", name)[0], []).append(position)
    return found


def laid_out(kind: type[Layout], layout: Layout) -> Layout:
    """The same layout as one of another kind."""
    return kind(**{field.name: getattr(layout, field.name) for field in fields(layout)})
