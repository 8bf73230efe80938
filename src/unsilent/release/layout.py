"""Layout: where each number of a release lies, and how it is clipped, weighted and truncated.

A client's statistics become one integer vector of bounded L2 norm. The norm is the sensitivity of
the whole release, so every coordinate shares one joint clip; healthy clients sit near zero and
lose nothing by it.

A client that the joint clip shrinks says so in two coordinates of its own, ``clipped`` and
``raised``: what shrinking took off a number above zero, and what it took off one below zero, which
raises a mean. Both are 0 for every other client, so they share the norm with what they report on
and take none of it from a client that is not shrunk.

Two more say whether the numbers are those of the model that serves, ``model.unshown`` and
``model.differing``: 0 for a client that could show it. What it could not show counts as cut off,
and an effect below zero as raised by as much: it may have been as large as its clip, and no
interval's upper end lies below that.

Where the unit is a record, no client's norm is promised and there is no joint clip. Only what an
evaluation record reaches is noised then, a block with a report of its own, ``clipped.records``;
what is asked on public items stays exact. Where nothing is private, everything does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import OutcomeError, PlanError, ReleaseError
from unsilent.files import digest_json
from unsilent.modes import MODES
from unsilent.performance.family import is_count
from unsilent.plan import MonitoringPlan
from unsilent.release.clipping import largest_factor
from unsilent.release.coordinate import (
    CLIPPED,
    CLIPPED_RECORDS,
    MODEL_NAMES,
    RAISED,
    REPORTS,
    SPREAD,
    SQUARE,
    SUBGROUP,
    SYSTEM_NAMES,
    VARIANCE,
    Coordinate,
    is_spread,
    is_square,
    is_variance,
    source,
)
from unsilent.release.counts import COUNT_SHARE, counting
from unsilent.release.planned_coordinates import (
    exact_scale,
    is_noised,
    planned_coordinates,
    with_all_steps,
)
from unsilent.release.scale import SCALE, scale_of

SYSTEM_CLIPS = 2.0
"""In clips of a system metric, what a client that reports 1 as ``clipped`` may hide of it."""
_MARGIN = 2.5
"""Spreads by which a number that was shrunk may have been lower than it was measured."""
_ROUNDED_UP = 1.5
"""Integer units that a vector is shrunk by where rounding its reports up made it too long."""
_LARGEST_NORM = 2.0**31
"""Whole numbers of 64 bits hold the squares of a vector of this norm, and their sum."""


@dataclass(frozen=True)
class Layout:
    """The coordinates of a release, in order, and the joint clip that bounds them.

    Attributes:
        coordinates: In order; the last are ``raised``, with a joint clip, and ``clipped``; then
            ``clipped.records``, where some are noised and some exact.
        clip: Joint L2 norm C.
        scale: Integer steps per unit of C.
        joint: Whether vectors are clipped to that norm, and not number by number alone.
        exact: Names of the coordinates without noise.
    """

    coordinates: tuple[Coordinate, ...]
    clip: float = 1.0
    scale: int = SCALE
    joint: bool = True
    exact: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        names = [coordinate.name for coordinate in self.coordinates]
        if tuple(names[-len(self.reports) :]) != self.reports or len(set(names)) != len(names):
            raise PlanError(
                f"a layout needs distinct coordinates, the last {' and '.join(self.reports)}",
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
        # A client of any numbers can then be shrunk until all of it fits.
        reports = math.hypot(self.counts_bound, *(self.unit(name) for name in self.reports))
        if self.joint and reports >= self.bound - _ROUNDED_UP:
            raise PlanError(
                "no room is left beside what is said of clipping",
                where=CLIPPED,
                remedy="Raise privacy.clip.",
            )

    @classmethod
    def from_plan(
        cls, plan: MonitoringPlan, *, model: bool = True, scale: int | None = None
    ) -> Layout:
        """The layout of a plan, see ``planned_coordinates``.

        Args:
            plan: The plan.
            model: False gives the layout of releases that said nothing of their model.
            scale: Integer steps per unit of the joint clip; by default the plan's (``scale_of``).

        Raises PlanError if a planned mode is not installed here.
        """
        plan.refuse_absent()
        private, unit = plan.privacy.private, plan.privacy.unit
        clip = plan.privacy.clip if private else 1.0
        steps = (scale or scale_of(plan)) if private else exact_scale(plan.taking_part)
        counted = counting(plan, clip, steps)
        coordinates = planned_coordinates(plan, counted, clip, model=model)
        if unit == "client":
            return cls(coordinates, clip, steps)
        exact = frozenset(c.name for c in coordinates if not is_noised(plan, c.name))
        # What carries no noise takes nothing from the others: it has all the steps there are.
        whole = tuple(with_all_steps(c) if c.name in exact else c for c in coordinates)
        layout = cls(whole, clip, steps, joint=False, exact=exact)
        if counted is None or unit == "none":
            return layout
        # Waits for a plan with counts: what a record moves is worked out from a layout.
        from unsilent.release.record_unit import eased

        return replace(layout, coordinates=eased(plan, layout, counted))

    @classmethod
    def of_release(cls, plan: MonitoringPlan, digest: str) -> Layout:
        """The plan's layout, or its earlier one without the model's numbers, by a sum's digest."""
        earlier = cls.from_plan(plan, model=False)
        return earlier if digest == earlier.digest else cls.from_plan(plan)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All coordinates' names, in the order of the vector."""
        return tuple(coordinate.name for coordinate in self.coordinates)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names that ``encode`` expects: what is squared, and the reports, it derives."""
        reports = self.reports
        return tuple(source(n) for n in self.names if n not in reports and not is_square(n))

    @cached_property
    def limits(self) -> dict[str, float]:
        """Of each input the largest absolute value that is released, in natural units."""
        found: dict[str, float] = {}
        for name, clip in ((each.name, each.clip) for each in self.coordinates):
            if source(name) in self.inputs and not is_square(name):
                found[source(name)] = math.sqrt(clip) if is_variance(name) else clip
        return found

    @property
    def reports(self) -> tuple[str, ...]:
        """What a vector says of its own clipping, its last coordinates."""
        if self.joint:
            return REPORTS
        held = {coordinate.name for coordinate in self.coordinates}
        return tuple(name for name in (CLIPPED, CLIPPED_RECORDS) if name in held)

    def report_of(self, name: str) -> str:
        """The coordinate that says what clipping took off another one.

        Exact numbers have one of their own, so that none of them pays for another one's noise.
        """
        apart = CLIPPED_RECORDS in self._positions and name not in self.exact
        return CLIPPED_RECORDS if apart else CLIPPED

    @cached_property
    def noised(self) -> NDArray[np.int64]:
        """Positions of the coordinates that carry noise, rising."""
        found = [at for at, name in enumerate(self.names) if name not in self.exact]
        return np.array(found, dtype=np.int64)

    @property
    def bound(self) -> float:
        """Largest L2 norm of an encoded vector, in integer units: C * scale with a joint clip."""
        if self.joint:
            return self.clip * self.scale
        return math.hypot(*(self.unit(name) for name in self.names))

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Positions of the counts of records, rising."""
        found = [at for at, name in enumerate(self.names) if is_count(name)]
        return np.array(found, dtype=np.int64)

    @property
    def counts_bound(self) -> float:
        """Largest L2 norm of a client's counts under a joint clip, in integer units; 0 without."""
        return COUNT_SHARE * self.bound if self.joint and len(self.counts) else 0.0

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of coordinates, joint clip and scale."""
        return digest_json(
            {
                "coordinates": [[c.name, c.clip, c.weight] for c in self.coordinates],
                "clip": self.clip,
                "scale": self.scale,
                **({} if self.joint else {"joint": False}),
                **({"exact": sorted(self.exact)} if self.exact else {}),
            }
        )

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def spread_of(self, code: str) -> str:
        """The coordinate that says how far a mode's numbers may be off: spreads, or squares."""
        return code + (VARIANCE if code + VARIANCE in self._positions else SPREAD)

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
        weight = self.coordinates[self.index(name)].weight
        return math.floor(weight * self.clip * self.scale)

    def encode(self, values: Mapping[str, float]) -> NDArray[np.int64]:
        """One client's values as an integer vector of L2 norm at most ``bound``.

        Box clip, weights, joint L2 clip, then truncation toward zero: rounding to nearest could
        raise the norm. The squares ``SF-n.square = (clip(v) / clip)^2`` are derived here, and two
        reports on the clipping of this client, both from 0 to 1 and rounded up, with s the factor
        of the joint clip:

        - ``clipped``: the largest share of an effect that both clips cut off, at least 1 - s. A
          system metric that is worse than its range counts by half its excess, up to twice the
          range, since an interval of it takes the report twice (``SYSTEM_CLIPS``), and a spread
          over public probes by its own; a metric that is better and a subgroup say nothing that a
          verdict rests on. What was not shown of the model is cut off whatever the numbers are.
        - ``raised``: the most that an effect, or a subgroup's, was brought toward zero from below,
          in parts of its clip: (1 - s) times the lowest that one of them may be, its error counted
          with ``_MARGIN`` spreads, and all of it where nothing was shown of the model.

        An effect whose spread is beyond the clip of spreads is shrunk until it is not, and says so
        in both: what is released is then no less sure than the released spread says.

        s is the largest factor with which the vector and its reports fit within the norm, 1 where
        they do as they are, and always 1 without a joint clip. There ``clipped`` is about the
        numbers without noise, and ``clipped.records`` about the others.

        Args:
            values: One finite number in natural units for each name of ``inputs``. The model's two
                may be left out, for numbers that are nobody's measurement: 0 then. An ``Observer``
                always gives them.

        Returns:
            (n_coordinates,) int64.

        Raises:
            OutcomeError: A name is missing or unknown, or a value is not finite; the error names
                the coordinate, never the value.
        """
        values = {**{name: 0.0 for name in MODEL_NAMES if name in self.names}, **values}
        missing = [name for name in self.inputs if name not in values]
        unknown = sorted(set(values) - set(self.inputs))
        if missing or unknown:
            word, names = ("missing", missing) if missing else ("unknown", unknown)
            raise OutcomeError(
                f"{word} coordinate {names[0]!r}",
                where="release",
                remedy=f"A release holds exactly: {', '.join(self.inputs)}.",
            )
        for name in self.inputs:
            if not math.isfinite(float(values[name])):
                raise OutcomeError("a value is not finite", where=f"release coordinate {name}")
        given = {name: np.asarray(values[name], dtype=np.float64) for name in self.inputs}
        return self.encode_all(given)

    def encode_all(self, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.int64]:
        """``encode`` for many clients at once.

        Args:
            values: Finite numbers in natural units for each name of ``inputs``, all of one shape.

        Returns:
            (*shape, n_coordinates) int64.
        """
        shape = np.shape(values[self.inputs[0]])
        body = np.empty((*shape, len(self.names) - len(self.reports)))
        boxed = {report: np.ones(shape) for report in self.reports if report != RAISED}
        lowest = np.zeros(shape)
        shown = _shown(values, shape)
        kept = shown
        for position, name in enumerate(self.names[: -len(self.reports)]):
            clip = self.coordinates[position].clip
            value = values[source(name)]
            if is_count(name):
                body[..., position] = 0.0
                continue
            if is_variance(name):
                part = np.minimum(value**2 / clip, 1.0)
                report = self.report_of(name)
                boxed[report] = np.minimum(boxed[report], _within(value, math.sqrt(clip)))
            elif is_square(name):
                limit = self.coordinates[self.index(name.removesuffix(SQUARE))].clip
                part = (np.clip(value, -limit, limit) / limit) ** 2
            else:
                part = np.clip(value, 0.0 if name in MODEL_NAMES else -clip, clip) / clip
                # A model that was not shown casts doubt on every number.
                for report in boxed if name in MODEL_NAMES else (self.report_of(name),):
                    boxed[report] = np.minimum(boxed[report], _kept(name, value, clip))
                if name not in (*SYSTEM_NAMES, *MODEL_NAMES) and not is_spread(name):
                    sure = self._sure(name, values)
                    margin = _MARGIN * values[name + SPREAD] / clip if name in MODES else 0.0
                    lowest = np.maximum(lowest, np.minimum(margin - part, 1.0))
                    kept = np.minimum(kept, shown * sure)
                    # Better than before by a model that may be another one is not known.
                    part = np.where(part < 0, shown * part, part) * sure
            body[..., position] = part * self.unit(name)
        counts = self._counted(values, body.shape)
        if not self.joint:
            clipped = [np.ceil(self.unit(name) * (1 - part)) for name, part in boxed.items()]
            parts = [np.trunc(body) + counts, np.stack(clipped, axis=-1)]
            return np.concatenate(parts, axis=-1).astype(np.int64)
        cut, left = self.unit(CLIPPED), boxed[CLIPPED]
        up = self.unit(RAISED) * lowest

        taken = np.einsum("...c,...c->...", counts, counts)

        def fitted(bound: float) -> NDArray[np.int64]:
            room = np.sqrt(bound**2 - taken)
            shrink = largest_factor(body, left, cut, up, kept, room)
            raised = np.ceil(up * (1 - kept * shrink))
            clipped = np.ceil(cut * (1 - left * shrink))
            reports = np.stack([raised, clipped], axis=-1)
            fits = np.trunc(body * shrink[..., None]) + counts
            return np.concatenate([fits, reports], axis=-1).astype(np.int64)

        vectors = fitted(self.bound)
        # Rounding the reports up may have made a vector too long by a little.
        long = np.einsum("...c,...c->...", vectors, vectors) > self.bound**2
        if np.any(long):
            vectors = np.where(long[..., None], fitted(self.bound - _ROUNDED_UP), vectors)
        return vectors

    def _counted(
        self, values: Mapping[str, NDArray[np.float64]], shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """The counts, in whole steps, in a body of zeros; within their part of a joint clip.

        No client that counts as the plan says comes near that; numbers of any other are cut off.
        """
        counts = np.zeros(shape)
        for position in cast("list[int]", self.counts.tolist()):
            name, clip = self.names[position], self.coordinates[position].clip
            part = np.clip(values[name], -clip, clip) / clip
            counts[..., position] = np.rint(part * self.unit(name))
        if self.joint and len(self.counts):
            norm = np.sqrt(np.einsum("...c,...c->...", counts, counts))[..., None]
            factor = self.counts_bound / np.maximum(norm, self.counts_bound)
            counts = np.where(factor < 1, np.trunc(counts * factor), counts)
        return counts

    def _sure(
        self, name: str, values: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.float64] | float:
        """The factor that brings an effect's own spread within the clip of its spreads, at most 1.

        Of what is released the released spread is then the whole of its error; the rest is cut
        off, and counts as that. Only a joint clip has the report that this needs.
        """
        spread = self.spread_of(name)
        if not self.joint or spread not in self.names:
            return 1.0
        clip = self.coordinates[self.index(spread)].clip
        return _within(values[name + SPREAD], math.sqrt(clip) if is_variance(spread) else clip)

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

        0 for a coordinate that carries none, whatever the others do.

        Args:
            name: The coordinate.
            sum_variance: Variance of the noise in the integer sum, in integer units squared.
            clients: How many vectors were summed, at least 1.
        """
        if clients < 1 or not sum_variance >= 0:
            raise ReleaseError("a mean needs at least one client and a variance of at least 0")
        return math.sqrt(self.variance_of(name, sum_variance)) / clients * self.step(name)

    def variance_of(self, name: str, sum_variance: float) -> float:
        """Of the noise in a coordinate of a sum, in integer units squared; 0 of an exact one."""
        self.index(name)
        return 0.0 if name in self.exact else sum_variance

    def step(self, name: str) -> float:
        """One integer step of one client in natural units: the largest error of truncation."""
        return self.coordinates[self.index(name)].clip / self.unit(name)

    def _check(self, total: NDArray[np.int64], clients: int) -> None:
        if clients < 1:
            raise ReleaseError("a mean needs at least one client")
        if total.shape != (len(self.coordinates),):
            raise ReleaseError(
                f"a vector of shape {total.shape} does not fit a layout of "
                f"{len(self.coordinates)} coordinates"
            )


def _shown(
    values: Mapping[str, NDArray[np.float64]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """What a client could show of its model, from 0 to 1; all of it in an earlier layout."""
    doubts = [np.clip(values[name], 0.0, 1.0) for name in MODEL_NAMES if name in values]
    return 1 - np.max(doubts, axis=0) if doubts else np.ones(shape)


def _kept(name: str, value: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """The share of a value that its own clip keeps, as far as a verdict rests on it."""
    if name in SYSTEM_NAMES:
        # Times 2 clips, 1 - s * this is at least value / clip - s for all values up to 2 clips.
        return np.clip(1.5 - value / clip / 2, 0.5, 1.0)
    if name in MODEL_NAMES:
        return 1 - np.clip(value, 0.0, 1.0)
    if SUBGROUP in name:
        return np.ones_like(value)
    return _within(np.abs(value), clip)


def _within(value: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """The factor that brings a number of at least 0 within its clip."""
    return clip / np.maximum(value, clip)
