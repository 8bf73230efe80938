"""Layout: where each number of a release lies, and how it is clipped, weighted and truncated.

A client's statistics become one integer vector of bounded L2 norm. The norm is the sensitivity of
the whole release, so every coordinate shares one joint clip; healthy clients sit near zero and
lose nothing by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import OutcomeError, PlanError, ReleaseError
from unsilent.files import digest_json
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code

SCALE = 1024
"""Integer steps per unit of the joint clip C = 1."""

SPREAD = ".spread"
SQUARE = ".square"
SUBGROUP = "/"
LOSS = "system.loss"
ACCURACY = "system.accuracy"
CLIPPED = "clipped"

# An effect below the joint clip must survive float rounding in the norm; far below one step.
_SLACK = 1e-12
_LARGEST_NORM = 2.0**40
_SUBGROUP_WEIGHT = 0.2


@dataclass(frozen=True)
class Coordinate:
    """One number of a release: a value v enters as ``clip(v, ±clip) / clip * weight``.

    Attributes:
        name: ``SF-n``, ``SF-n.spread``, ``SF-n.square``, ``SF-n/DOMAIN``, ``system.loss``,
            ``system.accuracy`` or ``clipped``.
        clip: Largest absolute value that is released, in natural units.
        weight: Share of the joint clip that a value at ``clip`` takes, in (0, 1].
    """

    name: str
    clip: float
    weight: float


@dataclass(frozen=True)
class Layout:
    """The coordinates of a release, in order, and the joint clip that bounds them.

    Attributes:
        coordinates: In order; the last is ``clipped``.
        clip: Joint L2 norm C.
        scale: Integer steps per unit of C.
    """

    coordinates: tuple[Coordinate, ...]
    clip: float = 1.0
    scale: int = SCALE

    def __post_init__(self) -> None:
        names = [coordinate.name for coordinate in self.coordinates]
        if not names or names[-1] != CLIPPED or len(set(names)) != len(names):
            raise PlanError(
                f"a layout needs distinct coordinates, the last named {CLIPPED!r}",
                where="release layout",
            )
        if not 0 < self.bound <= _LARGEST_NORM:
            raise PlanError(
                f"joint clip {self.clip:g} at scale {self.scale} is out of range",
                where="privacy.clip",
                remedy="Use 1.0: weights and noise scale with it, so its size changes nothing.",
            )
        for coordinate in self.coordinates:
            if not coordinate.clip > 0 or not 0 < coordinate.weight <= 1:
                raise PlanError(
                    "a coordinate needs a clip above 0 and a weight in (0, 1]",
                    where=coordinate.name,
                )
            if self.unit(coordinate.name) < 1:
                raise PlanError(
                    f"weight {coordinate.weight:g} is less than one integer step",
                    where=coordinate.name,
                    remedy="Raise the weight, or set privacy.clip to 1.0.",
                )
        if self.unit(CLIPPED) >= self.bound:
            raise PlanError(
                "no room is left beside the share that clipping cut off",
                where=CLIPPED,
                remedy="Raise privacy.clip.",
            )

    @classmethod
    def from_plan(cls, plan: MonitoringPlan) -> Layout:
        """The layout of a plan: its modes in the taxonomy's order, system metrics, ``clipped``.

        A subgroup is clipped as its mode and takes a small share of the joint clip: in a healthy
        federation it costs the modes nothing, and it says where a failure is, not whether.
        """
        coordinates: list[Coordinate] = []
        for code in plan.planned:
            mode = plan.mode(by_code(code).mode)
            if mode is None:
                continue
            coordinates.append(Coordinate(code, mode.clip, mode.weight))
            coordinates.append(_spread(plan, code))
            if plan.monitor.population == "like-these":
                # What the clients' variance is read off. A share is 0 or 1 and its square with
                # it: more weight would cut off the clients that are in the tail.
                share = MODES[code].range[0] == 0
                coordinates.append(Coordinate(code + SQUARE, 1.0, 0.2 if share else 0.6))
            for domain in mode.subgroups:
                name = subgroup_name(code, domain)
                coordinates.append(Coordinate(name, mode.clip, _SUBGROUP_WEIGHT))
        coordinates.append(Coordinate(LOSS, 1.0, 0.5))
        coordinates.append(Coordinate(ACCURACY, 0.5, 0.4))
        coordinates.append(Coordinate(CLIPPED, 1.0, 0.35))
        return cls(tuple(coordinates), plan.privacy.clip)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All coordinates' names, in the order of the vector."""
        return tuple(coordinate.name for coordinate in self.coordinates)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names that ``encode`` expects: squares and ``clipped`` are derived by it."""
        return tuple(n for n in self.names if n != CLIPPED and not _is_square(n))

    @property
    def bound(self) -> float:
        """Largest L2 norm of an encoded vector, C * scale, in integer units."""
        return self.clip * self.scale

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of coordinates, joint clip and scale."""
        return digest_json(
            {
                "coordinates": [[c.name, c.clip, c.weight] for c in self.coordinates],
                "clip": self.clip,
                "scale": self.scale,
            }
        )

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """Position of a coordinate in the vector. Raises ReleaseError for an unknown name."""
        try:
            return self._positions[name]
        except KeyError:
            raise ReleaseError(
                f"no coordinate {name!r} in this layout", remedy=f"Known: {', '.join(self.names)}."
            ) from None

    def unit(self, name: str) -> int:
        """The integer that a value at the coordinate's clip becomes: weight * C * scale, floored.

        Whole, so that values at 0 and at the clip survive truncation exactly.
        """
        return math.floor(self.coordinates[self.index(name)].weight * self.bound)

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """One client's values as an integer vector of L2 norm at most C * scale.

        Box clip, weights, joint L2 clip of all but ``clipped`` to the norm that leaves room for
        it, then truncation toward zero: rounding to nearest could raise the norm. The squares
        ``SF-n.square = (clip(v) / clip)^2`` are derived here, and ``clipped``: the largest share
        of an effect of this client that both clips cut off, from 0 to 1, rounded up. A system
        metric that is worse than its range counts by its excess, up to twice the range; one that
        is better, a spread or a subgroup says nothing that a verdict rests on.

        Args:
            values: One finite number in natural units for each name of ``inputs``.

        Returns:
            (n_coordinates,) int64.

        Raises:
            OutcomeError: A name is missing or unknown, or a value is not finite; the error names
                the coordinate, never the value.
        """
        missing = [name for name in self.inputs if name not in values]
        unknown = sorted(set(values) - set(self.inputs))
        if missing or unknown:
            word, names = ("missing", missing) if missing else ("unknown", unknown)
            raise OutcomeError(
                f"{word} coordinate {names[0]!r}",
                where="release",
                remedy=f"A release holds exactly: {', '.join(self.inputs)}.",
            )
        parts: dict[str, float] = {}
        kept = 1.0
        for name in self.inputs:
            value = float(values[name])
            if not math.isfinite(value):
                raise OutcomeError("a value is not finite", where=f"release coordinate {name}")
            clip = self.coordinates[self.index(name)].clip
            if abs(value) > clip and _is_effect(name):
                kept = min(kept, clip / abs(value))
            elif value > clip and name in (LOSS, ACCURACY):
                kept = min(kept, max(0.0, 2 - value / clip))
            parts[name] = max(-clip, min(clip, value)) / clip
        for name in self.names:
            if _is_square(name):
                parts[name] = parts[name.removesuffix(SQUARE)] ** 2
        reserved = self.unit(CLIPPED)
        body = np.array([parts[name] * self.unit(name) for name in self.names[:-1]])
        room = math.sqrt(self.bound**2 - reserved**2) * (1 - _SLACK)
        norm = float(np.linalg.norm(body))
        if norm > room:
            body *= room / norm
            kept *= room / norm
        clipped = math.ceil(reserved * (1.0 - kept))
        return np.append(np.trunc(body), clipped).astype(np.int64)

    def decode(self, total: NDArray[np.int64], clients: int) -> dict[str, float]:
        """Means over clients, in natural units, from a sum of encoded vectors.

        Truncation pulls each client's value toward zero by less than ``clip / unit``.

        Args:
            total: (n_coordinates,) sum of vectors, noise included.
            clients: How many vectors were summed, at least 1.
        """
        self._check(total, clients)
        return {
            c.name: float(total[position]) / (clients * self.unit(c.name)) * c.clip
            for position, c in enumerate(self.coordinates)
        }

    def noise_sd(self, name: str, sum_variance: float, clients: int) -> float:
        """Standard deviation, in natural units, that privacy noise adds to a decoded mean.

        Args:
            name: The coordinate.
            sum_variance: Variance of the noise in the integer sum, in integer units squared.
            clients: How many vectors were summed, at least 1.
        """
        if clients < 1 or not sum_variance >= 0:
            raise ReleaseError("a mean needs at least one client and a variance of at least 0")
        clip = self.coordinates[self.index(name)].clip
        return math.sqrt(sum_variance) / (clients * self.unit(name)) * clip

    def _check(self, total: NDArray[np.int64], clients: int) -> None:
        if clients < 1:
            raise ReleaseError("a mean needs at least one client")
        if total.shape != (len(self.coordinates),):
            raise ReleaseError(
                f"a vector of shape {total.shape} does not fit a layout of "
                f"{len(self.coordinates)} coordinates"
            )


def subgroup_name(code: str, domain: str) -> str:
    """The coordinate of a mode's effect within one domain: ``SF-n/DOMAIN``."""
    return f"{code}{SUBGROUP}{domain}"


def _spread(plan: MonitoringPlan, code: str) -> Coordinate:
    """The coordinate of a mode's spreads.

    An interval of private records rests on it, so its clip is the most that a spread of a number
    in the mode's range can be: a smaller one would have to be paid for (``Sampling``). Where
    intervals cover the choice of items it is released more exactly, as exactly as no client is cut
    for its spread alone, and within what a spread can be. Of a file's items the number is not known
    beforehand; there the usual clip is enough from 65 items on.
    """
    name, mode = code + SPREAD, MODES[code]
    alike = plan.monitor.items == "like-these"
    if mode.view == "client_private":
        return Coordinate(name, (mode.range[1] - mode.range[0]) / 2, 0.93 if alike else 0.5)
    if not alike:
        return Coordinate(name, 0.25, 0.2)
    sizes: dict[ItemRole, int] = {need.items: plan.probes.size(need.items) for need in mode.needs}
    known = all(getattr(plan.probes, role) == "embedded" for role in sizes)
    return Coordinate(name, mode.largest_spread(sizes) if known else 0.25, 0.6)


def _is_square(name: str) -> bool:
    """Whether ``encode`` derives a coordinate as a square; a domain may end in the same letters."""
    return name.endswith(SQUARE) and SUBGROUP not in name


def _is_effect(name: str) -> bool:
    """Whether a coordinate is the effect of a mode over all its items."""
    return name not in (LOSS, ACCURACY) and SPREAD not in name and SUBGROUP not in name
