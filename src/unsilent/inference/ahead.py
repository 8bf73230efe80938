"""Ahead: how far intervals will reach once more of the planned rounds are in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from unsilent.inference.bands import errors_of, open_ended_value, reach_of, windows
from unsilent.inference.boundary import horizon_values, suffixes
from unsilent.inference.series import Series
from unsilent.plan import MonitoringPlan


def later_values(plan: MonitoringPlan, series: Series, guard: int, side: int) -> tuple[float, ...]:
    """How many sd a guard's interval will reach after 1, 2, … more planned rounds.

    For sums with the same noise in all rounds. In sd of a window that keeps its start: the recent
    guard's start moves, and what that costs is in the value.

    Args:
        plan: The plan.
        series: So far, without leading axes.
        guard: 0 for all rounds, 1 for the recent ones.
        side: 0 for the lower end, 1 for the upper.
    """
    done, last = len(series.rounds), int(series.rounds[-1])
    ahead = [number for number in plan.monitoring_rounds if number > last]
    error = errors_of(plan, series.code)[side]
    # The recent guard of a first round is that round.
    pooled = series.pooled(*windows(series.rounds)[min(guard, done - 1)])
    end = pooled.above if side else pooled.below
    length = _guard_length(done, guard)
    found: list[float] = []
    for more in range(1, len(ahead) + 1):
        looks = done + more
        new = _guard_length(looks, guard)
        if plan.monitor.control == "horizon":
            value = horizon_values(
                [*series.rounds.tolist(), *ahead[:more]],
                [1.0] * looks,
                plan.monitoring_rounds,
                error.level,
                error.shares,
            )[new]
        else:
            sd = np.hypot(end.sampling_sd, end.privacy_sd * np.sqrt(length / new))
            planned = len(plan.monitoring_rounds)
            value = open_ended_value(plan, series, sd, error.level, looks - new + 1, planned)
        later = replace(end, privacy_sd=end.privacy_sd * np.sqrt(length / new))
        window = replace(pooled, above=later) if side else replace(pooled, below=later)
        reach = reach_of(series, window, np.asarray(value), above=bool(side))
        # In sd of the window that keeps its start.
        kept = np.hypot(end.sampling_sd, end.privacy_sd * math.sqrt(length / (length + more)))
        found.append(float(reach * later.sd / np.maximum(kept, 1e-300)))
    return tuple(found)


def settling_values(
    plan: MonitoringPlan, series: Series, guard: int, side: int
) -> tuple[float, ...]:
    """``later_values`` of the guard that decides.

    For upper ends the one that will reach further, as both must agree; for lower ends the other
    one, as one is enough.

    Those of the other guard are brought to sd of this one's window: noise goes with one over the
    root of its length.
    """
    own = later_values(plan, series, guard, side)
    done, other = len(series.rounds), 1 - guard
    length, its = _guard_length(done, guard), _guard_length(done, other)
    others = later_values(plan, series, other, side)
    decides = max if side else min
    return tuple(
        decides(value, rival * math.sqrt((length + more) / (its + more)))
        for more, (value, rival) in enumerate(zip(own, others, strict=True), start=1)
    )


def _guard_length(looks: int, guard: int) -> int:
    """Length in looks of a guard's window: 0 for all rounds, 1 for the recent ones."""
    return looks if guard == 0 else max(suffixes(looks), default=1)
