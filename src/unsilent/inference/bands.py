"""Bands: the intervals of one mode over all windows of a round, valid at every round at once.

The plan's ``alpha`` is over all planned modes and statistics of performance, and all rounds. Mode j
has ``alpha * w_j / sum(w)`` of it, with w its ``alpha_weight`` (Bonferroni, valid under any
dependence of the modes); a mode with subgroups leaves half of its part to these (``subgroups``).
What it has bounds the chance of any false verdict: of a window that is beyond the tolerance only a
HEALTHY can be false, of one within it only a FAILURE, so that the lower end of a window's interval
and its upper one need not share (partitioning principle, Finner and Strassburger 2002). Over rounds
a truth may change sides, and what that can cost is paid for (``boundary.VERDICT_SHARES``). The
error is shared out over windows and rounds by ``boundary`` for a plan with a last round
(``horizon``), by ``eprocess`` for one without (``open-ended``), where each side has half.

So no verdict of any mode, at any round, is false with probability at least ``1 - alpha``; each side
of the intervals holds in all windows with at least that probability, both sides together with
``1 - 2 alpha`` at the least.

Everything broadcasts over leading axes of a series, so that a simulation judges by this same code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from unsilent.errors import FindingsError, PlanError
from unsilent.findings import Interval
from unsilent.inference.boundary import (
    VERDICT_SHARES,
    ErrorShares,
    as_rounds,
    as_student,
    horizon_values,
    suffixes,
)
from unsilent.inference.eprocess import mixture_value, start_shares, tuned_precision
from unsilent.inference.pooled import Pooled
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series
from unsilent.plan import MonitoringPlan
from unsilent.release.noise import share_variance
from unsilent.taxonomy import by_code

OPEN_SHARE = 0.5
"""What either side of intervals without a last round has of a mode's error."""
ASSUMED_SD = 0.05
"""Sd over clients or records that the tuning of open-ended boundaries reckons with. It decides
where they are tightest, never whether they hold."""
RESTART_ROUNDS = 5
"""Rounds after which the boundary of a window that starts late is tightest."""


@dataclass(frozen=True)
class Error:
    """One-sided error over all windows and rounds, and how it is shared out."""

    level: float
    shares: ErrorShares


@dataclass(frozen=True, eq=False)
class Band:
    """The interval of one window, ``first`` to ``last`` round.

    Attributes:
        first, last: Round numbers, both inclusive.
        pooled: What the window says; its fields broadcast over the series' leading axes.
        reach: How many sd the interval reaches below ``pooled.below`` and above ``pooled.above``;
            a sample may be skewed (``Sampling.rare``).
        lower, upper: Its ends: ``centre - (reach * sd + slack)`` of the one side, and
            ``centre + reach * sd + slack`` of the other. Clipping pulls each client's number
            toward zero, which lowers a mean of harm and raises one of improvements, so that
            both ends allow for it.
    """

    first: int
    last: int
    pooled: Pooled
    reach: tuple[Numbers, Numbers]
    lower: Numbers
    upper: Numbers


def mode_level(plan: MonitoringPlan, code: str) -> float:
    """A planned mode's part of ``alpha``, by its ``alpha_weight``. Raises PlanError if not."""
    if code not in plan.planned:
        raise PlanError("this mode is not planned", where=f"modes.{by_code(code).mode}")
    return plan.monitor.alpha * _alpha_weight(plan, code) / sum(alpha_weights(plan))


def alpha_weights(plan: MonitoringPlan) -> list[float]:
    """The weights by which modes, and behind them statistics of performance, share ``alpha``."""
    modes = [_alpha_weight(plan, each) for each in plan.planned]
    asked = plan.performance.statistics.values() if plan.performance else ()
    return [*modes, *(each.alpha_weight for each in asked)]


def errors_of(plan: MonitoringPlan, code: str) -> tuple[Error, Error]:
    """Error of the lower and of the upper ends of one planned mode. Raises PlanError if not.

    A mode with subgroups leaves them half of it.
    """
    level = mode_level(plan, code) / (2 if plan.subgroups(code) else 1)
    if plan.monitor.control == "open-ended":
        level *= OPEN_SHARE
    return Error(level, VERDICT_SHARES), Error(level, VERDICT_SHARES)


def interval_of(band: Band) -> Interval:
    """The ends of a band without leading axes."""
    return float(band.lower), float(band.upper)


def _alpha_weight(plan: MonitoringPlan, code: str) -> float:
    mode = plan.mode(by_code(code).mode)
    return 0.0 if mode is None else mode.alpha_weight


def windows(rounds: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """First and last round of each window at the last round: all rounds, then the suffixes."""
    last = int(rounds[-1])
    starts = [0, *(len(rounds) - length for length in suffixes(len(rounds)))]
    return tuple((int(rounds[start]), last) for start in starts)


def bands(plan: MonitoringPlan, series: Series) -> tuple[Band, ...]:
    """The bands of a planned mode at the last round of its series.

    All rounds first, then the longest suffix (these two guard HEALTHY), then the shorter ones.

    Raises FindingsError if a round is not a monitoring round of the plan; PlanError if the mode is
    not planned or its noise cannot be drawn.
    """
    return bands_with(plan, series, *errors_of(plan, series.code))


def bands_with(
    plan: MonitoringPlan, series: Series, lower: Error, upper: Error
) -> tuple[Band, ...]:
    """Bands of any released number, with the errors of its ends. Raises FindingsError."""
    unplanned = np.setdiff1d(series.rounds, as_rounds(plan.monitoring_rounds))
    if len(unplanned):
        raise FindingsError(
            f"round {unplanned[0]} is not a monitoring round of the plan",
            where="monitor.rounds",
        )
    found = windows(series.rounds)
    pooled = series.pooled_over(found)
    down = _reaches(plan, series, pooled, lower, above=False)
    up = _reaches(plan, series, pooled, upper, above=True)
    low, high = pooled.below, pooled.above
    # Noise in what clipping may have done can bring an end past the effect itself.
    ends = (
        np.minimum(low.centre - (down * low.sd + low.slack), pooled.effect),
        np.maximum(high.centre + up * high.sd + high.slack, pooled.effect),
    )
    return tuple(
        Band(
            first=first,
            last=last,
            pooled=pooled.at(place),
            reach=(down[place], up[place]),
            lower=ends[0][place],
            upper=ends[1][place],
        )
        for place, (first, last) in enumerate(found)
    )


def _reaches(
    plan: MonitoringPlan, series: Series, pooled: Pooled, error: Error, *, above: bool
) -> Numbers:
    """How many sd each window's interval reaches to one side; the windows are the first axis."""
    looks = len(series.rounds)
    lengths = [looks, *suffixes(looks)]
    one = (len(lengths), *(1 for _ in pooled.privacy_sd.shape[1:]))
    if plan.monitor.control == "horizon":
        values = horizon_values(
            series.rounds.tolist(),
            series.noise_variance.tolist(),
            plan.monitoring_rounds,
            error.level,
            error.shares,
        )
        normal = np.array([values[length] for length in lengths]).reshape(one)
    else:
        starts = np.array([looks - length + 1 for length in lengths]).reshape(one)
        sd = (pooled.above if above else pooled.below).sd
        normal = open_ended_value(tuning_of(plan, series), sd, error.level, starts)
    return reach_of(series, pooled, normal, above=above)


def reach_of(series: Series, pooled: Pooled, value: Numbers, *, above: bool) -> Numbers:
    """How many sd an end reaches at a normal critical value.

    Student's where a variance was estimated, and at least as far as what few clients or items
    carry can be missed by a sample: their harm by an upper end, their improvement by a lower one.
    Noise and each sample are independent errors, each at its tail.
    """
    side, sampling = pooled.above if above else pooled.below, series.sampling
    student = as_student(value, side.degrees_of_freedom)
    if sampling.source == "none" and sampling.items != "probes":
        return student
    share, shared, tail = pooled.share, pooled.shared_sd, ndtr(-value)
    own = np.maximum(side.sampling_sd**2 - (share * shared) ** 2, 0.0)
    rare = share * sampling.rare_items(pooled.effect, shared, tail, pooled.clients, above=above)
    if sampling.items == "probes":
        # A spread over few probes is an estimate, too.
        freedom = sampling.items_freedom(pooled.clients)
        rare = np.maximum(rare, share * as_student(value, freedom) * shared)
    if sampling.source == "records":
        # The records of the clients in the sums.
        variance = own / share**2 * pooled.clients
        among = sampling.rare_records(pooled.effect, variance, tail, pooled.clients, above=above)
        rare = np.hypot(rare, share * among)
    elif sampling.source == "clients":
        # All who were asked: who is missing counts with the end of the range.
        count = pooled.clients / share
        mean = share * pooled.effect + (1 - share) * (series.upper if above else series.lower)
        noise = share * pooled.privacy_sd
        rare = np.hypot(rare, sampling.rare(mean, own * count, noise, tail, count, above=above))
    half = np.hypot(value * side.privacy_sd, rare)
    return np.maximum(student, np.where(side.sd > 0, half / np.maximum(side.sd, 1e-300), 0.0))


@dataclass(frozen=True)
class Tuning:
    """What open-ended boundaries are tuned by.

    Attributes:
        planned: How many monitoring rounds the plan has.
        whole, restart: Information that it expects after all of these, and after
            ``RESTART_ROUNDS``: see ``planned_information``.
    """

    planned: int
    whole: float
    restart: float


def tuning_of(plan: MonitoringPlan, series: Series) -> Tuning:
    """That of one mode. Verdicts that go on from an earlier plan's keep its tuning."""
    first = plan.tuned_by
    planned = len(first.monitoring_rounds)
    soon = min(RESTART_ROUNDS, planned)
    whole, restart = (planned_information(first, series, rounds) for rounds in (planned, soon))
    return Tuning(planned, whole, restart)


def open_ended_value(tuning: Tuning, sd: Numbers, level: float, start: ArrayLike) -> Numbers:
    """Normal critical value of windows that start at looks, counted from 1.

    ``sd`` and ``start`` broadcast.
    """
    looks = np.asarray(start)
    error = level * start_shares(looks, tuning.planned)
    rho = tuned_precision(np.where(looks == 1, tuning.whole, tuning.restart), error)
    # Without any error there is nothing to reach over.
    information = 1 / np.maximum(sd, 1e-150) ** 2
    return np.where(sd > 0, mixture_value(np.minimum(information, 1e300), rho, error), 0.0)


def planned_information(plan: MonitoringPlan, series: Series, rounds: int) -> float:
    """Information that the plan expects after some rounds: ``1 / (V / N + s^2 / t)``.

    s is the noise of one round as planned, V is ``ASSUMED_SD`` squared, or for a share its variance
    at the middle between 0 and the tolerance, where anything is sampled at all.
    """
    clients = plan.taking_part
    # A frozen model has a hash, which its type does not say.
    share = _share(plan)  # pyright: ignore[reportArgumentType]
    noise = float(series.sampling.privacy_sd(math.sqrt(share / clients))) ** 2
    if not series.noise_variance.any():
        noise = 0.0
    variance = 0.0
    if series.sampling.source != "none":
        mode = plan.mode(by_code(series.code).mode)
        variance = ASSUMED_SD**2
        if series.lower == 0 and mode is not None:
            variance = mode.tolerance / 2 * (1 - mode.tolerance / 2)
    # Any will do where the plan foresees no error but that of the items: it tunes, and no more.
    return 1 / (variance / clients + noise / rounds or ASSUMED_SD**2 / clients)


@lru_cache(maxsize=64)
def _share(plan: MonitoringPlan) -> float:
    """Planned variance of one client's noise: asked for in every window, and a root to find."""
    return float(share_variance(plan))


def decide(
    found: tuple[Band, ...], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Verdict and the window that shows it, from the bands of one round.

    FAILURE if the lower end of any window lies above the tolerance, shown by the window with the
    highest lower end. HEALTHY if the upper ends of both guards, all rounds and the longest
    suffix, lie below it; else UNDETERMINED; both shown by the guard with the highest upper end,
    whose interval holds the tolerance in the second case.

    Returns:
        1 for failure, -1 for healthy, 0 for undetermined; and the position of the band. Both have
        the series' leading axes.

    Raises:
        FindingsError: A number is not finite.
    """
    lower: Numbers = np.stack([band.lower for band in found])
    upper: Numbers = np.stack([band.upper for band in found])
    if not (np.isfinite(lower).all() and np.isfinite(upper).all() and np.isfinite(tolerance)):
        raise FindingsError("an interval or a tolerance is not a finite number")
    guards = upper[:2]
    failed = lower.max(axis=0) > tolerance
    healthy = ~failed & (guards.max(axis=0) < tolerance)
    highest: NDArray[np.int64] = np.argmax(lower, axis=0)
    guard: NDArray[np.int64] = np.argmax(guards, axis=0)
    return np.where(failed, 1, np.where(healthy, -1, 0)), np.where(failed, highest, guard)
