"""Refuted: which rounds no failure can have begun in, without trying every window of each.

The e-process against a round is a sum over many windows of rounds, and each of these is a bet that
is at least 0. So a round is refuted for certain as soon as a few of the windows are enough, and
only where a few are not are all of them summed. What comes out is what all windows of all rounds
give, of which there are as many as the square of the rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.boundary import as_student, quantile
from unsilent.inference.eprocess import log_evalue, tuned_precision
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series
from unsilent.inference.slope import precisions

Places = NDArray[np.intp]
_AT_LEAST = 1e-6
"""By so much more, in parts and as it is, a few windows have to be enough: sums are rounded."""
_STEP = 1.25
"""Each length of a window that is tried first is so many times the one before."""


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Numbers of m rounds with weights, as running sums.

    Attributes:
        weights: (m,) above 0.
        scores, information: (m + 1,) sums of weights times numbers, and of weights, from 0.
    """

    weights: Numbers
    scores: Numbers
    information: Numbers

    @classmethod
    def of(cls, numbers: Numbers, weights: Numbers) -> Self:
        """Those of these."""
        return cls(weights, running(weights * numbers), running(weights))


@dataclass(frozen=True, eq=False)
class Crossing:
    """In which rounds the effect may have gone beyond the tolerance, to stay: see ``onset_of``.

    Attributes:
        above: By how much each round's effect lies beyond the tolerance, at least.
        below: And within it, at least.
        level: Error of the set.
    """

    above: _Weighted
    below: _Weighted
    level: float

    @classmethod
    def of(cls, series: Series, tolerance: float, level: float) -> Self:
        """That of a mode's rounds, without leading axes."""
        pooled = series.pooled(int(series.rounds[0]), int(series.rounds[-1]))
        lasting = max(float(end.sampling_sd) for end in (pooled.below, pooled.above))
        margin = series.truncation
        if lasting > 0:
            # Half of the level pays for the error that stays, which no number of rounds averages
            # out.
            freedom = series.degrees_of_freedom[-1]
            margin += float(as_student(quantile(level / 4), freedom)) * lasting
            level /= 2
        (least, low_sd), (most, high_sd) = series.below, series.above
        low_sd, high_sd = (np.hypot(sd, series.redrawn_sd) for sd in (low_sd, high_sd))
        return cls(
            _Weighted.of(least - tolerance - margin, precisions(low_sd)),
            _Weighted.of(tolerance - margin - most, precisions(high_sd)),
            level,
        )

    def first(self) -> int | None:
        """The first place of the set; None if it is empty."""
        places = np.flatnonzero(self._open)
        return next((k for k in places.tolist() if self.holds(k)), None)

    def last(self) -> int:
        """The last place of the set, which is not empty."""
        places = np.flatnonzero(self._open)[::-1]
        return next(k for k in places.tolist() if self.holds(k))

    def holds(self, k: int) -> bool:
        """Whether a place is in the set: all windows are summed."""
        count = len(self.above.weights)
        before, after = np.arange(k), np.arange(k + 1, count + 1)
        right = logaddexp(self._bets(self.below, np.full(count - k, k), after))
        if right - math.log(2) >= -math.log(self.level):
            return False
        # What is not bet on windows before k, the weight 1 / (k + 1), stays 1.
        left = logaddexp(self._bets(self.above, before, np.full(k, k)), -math.log1p(k))
        return halves(left, right, k) < -math.log(self.level)

    @cached_property
    def _open(self) -> NDArray[np.bool_]:
        """(m,) the places that a few windows do not refute."""
        count = len(self.above.weights)
        places = np.arange(count)

        def few(length: int, k: Places) -> Numbers:
            """Of the windows of a length before and after each place."""
            found = np.full((2, len(k)), -np.inf)
            early, late = k >= length, k + length <= count
            found[0, early] = self._bets(self.above, k[early] - length, k[early])
            found[1, late] = self._bets(self.below, k[late], k[late] + length)
            return found

        return _unrefuted(places, few, self.level)

    def _bets(self, of: _Weighted, first: Places, end: Places) -> Numbers:
        """Log of the bets on the rounds ``first`` to ``end - 1``, times their weights."""
        length = (end - first).astype(np.float64)
        within = of.information[end] - of.information[first]
        rho = tuned_precision(of.weights[first] * length, self.level)
        deviation = (of.scores[end] - of.scores[first]) / np.sqrt(within)
        return log_evalue(deviation, within, rho) - np.log(length * (length + 1))


@dataclass(frozen=True, eq=False)
class Jump:
    """Before which rounds an effect may have jumped that is level else: see ``onset_of``.

    Attributes:
        low, high: The least and the most that each round's effect may be.
        truncation: Of a mean.
        level: Error of the set.
    """

    low: _Weighted
    high: _Weighted
    truncation: float
    level: float

    @classmethod
    def of(cls, series: Series, level: float) -> Self:
        """That of a mode's rounds, without leading axes."""
        # A rise is from the most that the early rounds may have been to the least of the late ones.
        (least, low_sd), (most, high_sd) = series.below, series.above
        weights = precisions(np.hypot(np.maximum(low_sd, high_sd), series.redrawn_sd))
        low, high = (_Weighted.of(numbers, weights) for numbers in (least, most))
        return cls(low, high, series.truncation, level)

    def first(self, start: int, end: int, also: Callable[[int], bool]) -> int | None:
        """The first place from ``start`` to ``end`` that is in this set and in another one."""
        return self._search(self._open(start, end).tolist(), also)

    def last(self, start: int, end: int, also: Callable[[int], bool]) -> int:
        """The last one; ``start`` is in both."""
        found = self._search(self._open(start, end)[::-1].tolist(), also)
        return start if found is None else found

    def _search(self, places: Iterable[int], also: Callable[[int], bool]) -> int | None:
        return next((k for k in places if self.holds(k) and also(k)), None)

    def holds(self, k: int) -> bool:
        """Whether a place is in the set: all windows are summed."""
        count = len(self.low.weights)
        # Before k: a rise at an earlier split that k would leave unexplained.
        split = np.arange(1, k)
        left = 0.0
        if k > 0:
            left = logaddexp(self._before(split, np.full(len(split), k)), -math.log(k))
        # From k on: a rise at a later split.
        split = np.arange(k + 1, count)
        right = logaddexp(self._after(np.full(len(split), k), split), -math.log(count - k))
        return halves(left, right, k) < -math.log(self.level)

    def _open(self, start: int, end: int) -> Places:
        """The places that a few splits do not refute."""
        count, places = len(self.low.weights), np.arange(start, end + 1)

        def few(length: int, k: Places) -> Numbers:
            """Of the splits so many rounds before and after each place, and after the ends."""
            found = np.full((2, len(k)), -np.inf)
            early, late = k > length, k + length < count
            found[0, early] = self._before(k[early] - length, k[early])
            found[1, late] = self._after(k[late], k[late] + length)
            return found

        return places[_unrefuted(places, few, self.level, count=count)]

    def _before(self, split: Places, k: Places) -> Numbers:
        rho = tuned_precision(self.low.weights[split] * (k - split), self.level)
        return self._bets(np.zeros_like(split), split, k, rho) - _log_many(k - split)

    def _after(self, k: Places, split: Places) -> Numbers:
        rho = tuned_precision(self.low.weights[k] * (split - k), self.level)
        end = np.full_like(split, len(self.low.weights))
        return self._bets(k, split, end, rho) - _log_many(split - k)

    def _bets(self, start: Places, split: Places, end: Places, rho: Numbers) -> Numbers:
        """Of the rise from the rounds ``start`` to ``split - 1`` to those until ``end - 1``."""
        information, lows, highs = self.low.information, self.low.scores, self.high.scores
        early, late = information[split] - information[start], information[end] - information[split]
        rise = (lows[end] - lows[split]) / late - (highs[split] - highs[start]) / early
        both = early * late / (early + late)
        return log_evalue((rise - self.truncation) * np.sqrt(both), both, rho)


def running(values: Numbers) -> Numbers:
    """(m + 1,) running sums, from 0."""
    return np.concatenate([[0.0], np.cumsum(values)])


def logaddexp(logs: Numbers, rest: float = -math.inf) -> float:
    """Log of the sum of all, and of ``rest``."""
    most = max(float(np.max(logs, initial=-math.inf)), rest)
    if math.isinf(most):
        return most
    return most + math.log(float(np.exp(logs - most).sum()) + math.exp(rest - most))


def halves(left: float, right: float, k: int) -> float:
    """Log of the mean of both sides; the first round has nothing to its left."""
    return right if k == 0 else float(np.logaddexp(left, right)) - math.log(2)


def _log_many(length: Places) -> Numbers:
    """Log of the weights' inverses: n (n + 1) of n rounds."""
    rounds = length.astype(np.float64)
    return np.log(rounds * (rounds + 1))


def _unrefuted(
    places: Places,
    few: Callable[[int, Places], Numbers],
    level: float,
    *,
    count: int | None = None,
) -> NDArray[np.bool_]:
    """Which of the places are left when windows of a few lengths have been tried, long ones first.

    Args:
        places: (n,) rising.
        few: From a length and (p,) places to (2, p) logs of the bets of both sides.
        level: Error of the set.
        count: How many rounds there are; as many as places by default.
    """
    length, total = float(count or len(places)), np.full(len(places), -np.inf)
    left = np.arange(len(places))
    needed = -math.log(level) * (1 + _AT_LEAST) + _AT_LEAST
    while length >= 1 and len(left):
        bets = few(int(length), places[left])
        total[left] = np.logaddexp(total[left], np.logaddexp(bets[0], bets[1]))
        # The first round's right side counts whole, all others' sides half.
        left = left[total[left] - math.log(2) < needed]
        length = min(length / _STEP, length - 1)
    found = np.zeros(len(places), dtype=np.bool_)
    found[left] = True
    return found
