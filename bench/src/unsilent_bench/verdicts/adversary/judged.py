"""What is said of many repetitions of worlds, by the product's own bands, and what of it is false.

A verdict is about a window. FAILURE says that the truth of a window, the mean over its
client-rounds, is beyond the tolerance: each window whose lower end lies above it is such a claim,
and is false where that mean is not. HEALTHY says that the windows whose upper ends lie below the
tolerance, both guards among them, are within it; it is false where the truth of one is not. So it
is with silent and loud: of a window, both changes lie within the margin, or one lies beyond it.
Visibility is told with a failure only; here it is counted for every window, failure or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.bands import Band, bands, bands_with, decide
from unsilent.inference.judge import VISIBILITY_ERROR
from unsilent.inference.pooled import Pooled, Side
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.adversary.play import METRICS, Played
from unsilent_bench.verdicts.baselines import Flags
from unsilent_bench.verdicts.own_method import series_of
from unsilent_bench.verdicts.people import Array
from unsilent_bench.verdicts.rows import EDGE

_OPEN = 1e6
"""An end beyond every number."""

Strip = Literal["clipping", "sampling", "missing"]


@dataclass(frozen=True, eq=False)
class FalseVerdicts:
    """By repetition, over all judged rounds and modes.

    Attributes:
        failure, healthy, silent, loud: Whether any such word was false.
        missed: Whether an interval of a mode missed the truth of its window.
        system_missed: Whether one of a system metric did.
        broken: Whether an interval of a mode is not a finite number, which ends a run.
        nearest: By ``failure``, ``healthy``, ``either`` of them, ``silent`` and ``loud``: how near
            a false word came, in half widths of the interval; above 0 it was said.
    """

    failure: Flags
    healthy: Flags
    silent: Flags
    loud: Flags
    missed: Flags
    system_missed: Flags
    broken: Flags
    nearest: dict[str, Array]

    @property
    def either(self) -> Flags:
        """Whether any verdict of a mode was false."""
        return self.failure | self.healthy


def judge(
    played: Played,
    control: str,
    *,
    places: Sequence[int] | None = None,
    system: bool = True,
    strip: Strip | None = None,
) -> FalseVerdicts:
    """Judge every round.

    Args:
        played: The sums and the truth.
        control: ``horizon`` or ``open-ended``.
        places: Of the modes to judge, in ``plan.planned``; None for all.
        system: Whether to judge the system metrics.
        strip: Judge without what allows for clipping, for sampling or for who is missing: a
            broken judge, to show that the search finds what such a one gets wrong.
    """
    plan = controlled(played.simulation.plan, control)
    count = len(played.simulation.totals)
    found = {
        name: np.zeros(count, np.bool_)
        for name in ("failure", "healthy", "silent", "loud", "missed", "system_missed", "broken")
    }
    nearest = {name: np.full(count, -np.inf) for name in ("failure", "healthy", "silent", "loud")}
    for place in range(len(plan.planned)) if places is None else places:
        _modes(plan, played, place, strip, found, nearest)
    if system:
        _visibility(plan, played, strip, found, nearest)
    nearest["either"] = np.maximum(nearest["failure"], nearest["healthy"])
    return FalseVerdicts(**found, nearest=nearest)


def controlled(plan: MonitoringPlan, control: str) -> MonitoringPlan:
    """The plan under another error control, on which neither layout nor noise depend."""
    monitor = plan.monitor.model_copy(update={"control": control})
    return plan.model_copy(update={"monitor": monitor})


def _modes(
    plan: MonitoringPlan,
    played: Played,
    place: int,
    strip: Strip | None,
    found: dict[str, Flags],
    nearest: dict[str, Array],
) -> None:
    code = plan.planned[place]
    mode = plan.mode(by_code(code).mode)
    if mode is None:
        return
    tolerance, whole = mode.tolerance, _series(plan, played, code)
    truth = played.simulation.truth[..., place]
    for last in plan.monitoring_rounds:
        shown = [stripped(each, whole, strip) for each in bands(plan, whole.until(last))]
        shown = [_finite(each, found["broken"]) for each in shown]
        sign, _ = decide(tuple(shown), tolerance)
        truths = [_within(plan, played, each, truth) for each in shown]
        beyond = [each >= tolerance - EDGE for each in truths]
        for band, true, ill in zip(shown, truths, beyond, strict=True):
            width = _half(band, 0)
            found["missed"] |= (true < band.lower - EDGE) | (true > band.upper + EDGE)
            within = true <= tolerance + EDGE
            found["failure"] |= within & (band.lower > tolerance)
            near = np.where(within, (band.lower - tolerance) / width, -np.inf)
            nearest["failure"] = np.maximum(nearest["failure"], near)
            found["healthy"] |= (sign < 0) & (band.upper < tolerance) & ill
        guards = shown[:2]
        room = np.min([(tolerance - each.upper) / _half(each, 1) for each in guards], axis=0)
        any_ill = np.logical_or.reduce(beyond[: len(guards)])
        near = np.where(any_ill, room, -np.inf)
        nearest["healthy"] = np.maximum(nearest["healthy"], near)


def _visibility(
    plan: MonitoringPlan,
    played: Played,
    strip: Strip | None,
    found: dict[str, Flags],
    nearest: dict[str, Array],
) -> None:
    margin = plan.monitor.margin
    both = [_series(plan, played, name) for name in METRICS]
    for last in plan.monitoring_rounds:
        pairs = zip(
            *(
                bands_with(plan, each.until(last), VISIBILITY_ERROR, VISIBILITY_ERROR)
                for each in both
            ),
            strict=True,
        )
        for pair in pairs:
            shown = [stripped(band, each, strip) for band, each in zip(pair, both, strict=True)]
            truths = [
                _within(plan, played, band, played.system[..., column])
                for column, band in enumerate(shown)
            ]
            for band, true in zip(shown, truths, strict=True):
                found["system_missed"] |= (true < band.lower - EDGE) | (true > band.upper + EDGE)
            fell = np.maximum(*truths)
            rooms = [(margin - band.upper) / _half(band, 1) for band in shown]
            near = np.where(fell >= margin - EDGE, np.minimum(*rooms), -np.inf)
            nearest["silent"] = np.maximum(nearest["silent"], near)
            overs = [(band.lower - margin) / _half(band, 0) for band in shown]
            near = np.where(fell <= margin + EDGE, np.maximum(*overs), -np.inf)
            nearest["loud"] = np.maximum(nearest["loud"], near)
    found["silent"] |= nearest["silent"] > 0
    found["loud"] |= nearest["loud"] > 0


def stripped(band: Band, series: Series, strip: Strip | None) -> Band:
    """The band as it is, or without one of its allowances."""
    if strip is None:
        return band
    pooled, (below, above) = band.pooled, band.reach
    lower = _end(pooled, pooled.below, series.lower, -below, strip)
    return replace(band, lower=lower, upper=_end(pooled, pooled.above, series.upper, above, strip))


def _end(pooled: Pooled, side: Side, extreme: float, reach: Numbers, strip: Strip) -> Numbers:
    """One end of an interval without an allowance."""
    missing = (1 - pooled.share) * extreme
    centre, sd, slack = side.centre, side.sd, side.slack
    if strip == "clipping":
        centre = pooled.share * pooled.effect + missing
        sd = np.hypot(side.sampling_sd, pooled.share * pooled.privacy_sd)
    elif strip == "sampling":
        sd = side.privacy_sd
    else:
        centre = (centre - missing) / pooled.share
        sd, slack = sd / pooled.share, slack / pooled.share
    return centre + reach * sd + np.sign(reach) * slack


def _finite(band: Band, broken: Flags) -> Band:
    """The band, open where an end is not a finite number; such runs are marked as broken."""
    bad = ~np.isfinite(band.lower) | ~np.isfinite(band.upper)
    if not bad.any():
        return band
    broken |= bad
    return replace(
        band, lower=np.where(bad, -_OPEN, band.lower), upper=np.where(bad, _OPEN, band.upper)
    )


def _half(band: Band, end: int) -> Array:
    """How far a band reaches from one end's centre, above 0."""
    side = (band.pooled.below, band.pooled.above)[end]
    return np.maximum(band.reach[end] * side.sd + side.slack, 1e-9)


def _series(plan: MonitoringPlan, played: Played, name: str) -> Series:
    """A series of all repetitions, its rounds those that the plan monitors."""
    rounds: NDArray[np.int64] = np.array(plan.monitoring_rounds, dtype=np.int64)
    return replace(series_of(played.simulation, name), rounds=rounds)


def _within(plan: MonitoringPlan, played: Played, band: Band, truth: Array) -> Array:
    """(repetitions,) mean over the client-rounds of a band's window."""
    rounds = np.array(plan.monitoring_rounds)
    where = (rounds >= band.first) & (rounds <= band.last)
    weights = played.simulation.clients[where].astype(np.float64)
    return truth[:, where] @ (weights / weights.sum())
