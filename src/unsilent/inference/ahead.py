"""Ahead: how far intervals will reach once more of the planned rounds are in.

Only what is asked for is worked out: a plan may have thousands of rounds still to come, and each
undetermined mode of each round asks after how many of them it would be settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from unsilent.inference.bands import (
    Tuning,
    errors_of,
    open_ended_value,
    reach_of,
    tuning_of,
    windows,
)
from unsilent.inference.boundary import as_rounds, least_values, planned_values
from unsilent.inference.eprocess import start_shares
from unsilent.inference.pooled import Pooled, Side
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series
from unsilent.plan import MonitoringPlan

_AT_ONCE = 32
"""So many rounds to come are worked out together at first, then twice as many, up to four times."""


class Later(Sequence[float]):
    """How many sd a guard's interval will reach after 1, 2, … more planned rounds.

    For sums with the same noise in all rounds. In sd of a window that keeps its start: the recent
    guard's start moves, and what that costs is in the value. ``later[0]`` is after one more round.

    Args:
        plan: The plan.
        series: So far, without leading axes.
        guard: 0 for all rounds, 1 for the recent ones.
        side: 0 for the lower end, 1 for the upper.
    """

    def __init__(self, plan: MonitoringPlan, series: Series, guard: int, side: int) -> None:
        self._plan, self._series = plan, series
        self._guard, self._side = guard, side
        self._done = len(series.rounds)
        planned = as_rounds(plan.monitoring_rounds)
        self._past = int(np.searchsorted(planned, int(series.rounds[-1]))) + 1
        self._count = len(planned) - self._past
        self._error = errors_of(plan, series.code)[side]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> list[float]: ...
    def __getitem__(self, at: int | slice) -> float | list[float]:
        places = np.arange(self._count)[at]
        found = self.at(np.atleast_1d(places))
        return found.tolist() if isinstance(at, slice) else float(found[0])

    def at(self, places: NDArray[np.int64]) -> Numbers:
        """(n,) the values at n places, rising; place 0 is after one more round."""
        if not len(places):
            return np.zeros(0)
        more, end = places + 1, self._end
        later = replace(end, privacy_sd=end.privacy_sd * self._shrunk(more))
        if self._plan.monitor.control == "horizon":
            since, until = self._past + int(more[0]), self._past + int(more[-1])
            planned, error = len(self._plan.monitoring_rounds), self._error
            found = planned_values(planned, error.level, error.shares, since, until)
            value = found[self._guard][more - more[0]]
        else:
            value = open_ended_value(self._tuning, later.sd, self._error.level, self._starts(more))
        pooled, above = self._pooled, bool(self._side)
        window = replace(pooled, above=later) if above else replace(pooled, below=later)
        reach = reach_of(self._series, window, value, above=above)
        return reach * later.sd / self._kept(more)

    @cached_property
    def least(self) -> Numbers:
        """(m,) lower bounds of all values, at no cost to speak of.

        An interval reaches at least as far as a normal one at the same error.
        """
        more = np.arange(1, self._count + 1)
        if self._plan.monitor.control == "horizon":
            planned, error = len(self._plan.monitoring_rounds), self._error
            value = least_values(planned, error.level, error.shares, self._past + 1)[self._guard]
        else:
            shares = start_shares(self._starts(more), self._tuning.planned)
            value = -ndtri(self._error.level * shares)
        end = self._end
        sd = np.hypot(end.sampling_sd, end.privacy_sd * self._shrunk(more))
        return np.maximum(value, 0.0) * sd / self._kept(more)

    @cached_property
    def _pooled(self) -> Pooled:
        # The recent guard of a first round is that round.
        at = min(self._guard, self._done - 1)
        return self._series.pooled(*windows(self._series.rounds)[at])

    @property
    def _end(self) -> Side:
        return self._pooled.above if self._side else self._pooled.below

    @cached_property
    def _tuning(self) -> Tuning:
        return tuning_of(self._plan, self._series)

    def _starts(self, more: NDArray[np.int64]) -> NDArray[np.int64]:
        """The look that the guard's window starts at, counted from 1."""
        looks = self._done + more
        return looks - guard_lengths(looks, self._guard) + 1

    def _shrunk(self, more: NDArray[np.int64]) -> Numbers:
        """What becomes of the noise's sd in the guard's window."""
        length = guard_lengths(np.array([self._done]), self._guard)
        return np.sqrt(length / guard_lengths(self._done + more, self._guard))

    def _kept(self, more: NDArray[np.int64]) -> Numbers:
        """Sd of the window that keeps its start."""
        length, end = guard_lengths(np.array([self._done]), self._guard), self._end
        kept = np.hypot(end.sampling_sd, end.privacy_sd * np.sqrt(length / (length + more)))
        return np.maximum(kept, 1e-300)


class Settling(Sequence[float]):
    """``Later`` of the guard that decides.

    For upper ends the one that will reach further, as both must agree; for lower ends the other
    one, as one is enough.

    Those of the other guard are brought to sd of this one's window: noise goes with one over the
    root of its length. Arguments as ``Later``.
    """

    def __init__(self, plan: MonitoringPlan, series: Series, guard: int, side: int) -> None:
        done = np.array([len(series.rounds)])
        self._own, self._other = (Later(plan, series, each, side) for each in (guard, 1 - guard))
        self._lengths = [int(guard_lengths(done, each)[0]) for each in (guard, 1 - guard)]
        self._decides = np.maximum if side else np.minimum

    def __len__(self) -> int:
        return len(self._own)

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> list[float]: ...
    def __getitem__(self, at: int | slice) -> float | list[float]:
        found = self.at(np.atleast_1d(np.arange(len(self))[at]))
        return found.tolist() if isinstance(at, slice) else float(found[0])

    def at(self, places: NDArray[np.int64]) -> Numbers:
        """As ``Later.at``."""
        return self._either(self._own.at(places), self._other.at(places), places)

    def first_below(self, limits: Numbers) -> int | None:
        """The first place whose value lies below its limit, of (m,) limits; None if none does."""
        everywhere = np.arange(len(self))
        least = self._either(self._own.least, self._other.least, everywhere)
        # The bound and the value are rounded apart.
        left, many = np.flatnonzero(least * (1 - 1e-9) < limits), _AT_ONCE
        while len(left):
            places, left = left[:many], left[many:]
            below = places[self.at(places) < limits[places]]
            if len(below):
                return int(below[0])
            many = min(2 * many, 4 * _AT_ONCE)
        return None

    def _either(self, own: Numbers, other: Numbers, places: NDArray[np.int64]) -> Numbers:
        length, its = self._lengths
        return self._decides(own, other * np.sqrt((length + places + 1) / (its + places + 1)))


def guard_lengths(looks: NDArray[np.int64], guard: int) -> NDArray[np.int64]:
    """Lengths in looks of a guard's windows: 0 for all rounds, 1 for the recent ones."""
    if guard == 0:
        return looks
    # The largest power of two below it; the first look has but itself.
    below = np.frexp(np.maximum(looks - 1, 1).astype(np.float64))[1] - 1
    return np.left_shift(np.int64(1), below.astype(np.int64))
