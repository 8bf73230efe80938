"""Onset: in which rounds a failure may have begun, and how fast the effect grows.

A confidence set of rounds by inversion: each round is tried as the onset, and stays unless an
e-process against it has grown to 1 / level. The e-process of the true round reaches that at any
time with at most that probability (Ville 1939), so the set holds at all rounds jointly, and so at
the round of an alarm, whatever made it stop. Only the true round's test can err, so that trying
many rounds costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from unsilent.errors import FindingsError
from unsilent.findings import Onset, Slope
from unsilent.inference.boundary import (
    as_student,
    obrien_fleming,
    quantile,
    spending_boundary,
)
from unsilent.inference.eprocess import log_evalue, mixture_value, tuned_precision
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series

_SMALLEST_NOISE = 1e-9
"""Sd, in natural units, below which rounds are taken as exact; keeps information finite."""
_FLAT_SHARE = 0.05
_TUNED_FOR = 8
"""Rounds after which an open-ended slope's interval is about tightest."""

Places = NDArray[np.intp]


def onset_of(series: Series, tolerance: float, level: float) -> Onset | None:
    """The rounds in which the failure of a mode may have begun; asked after an alarm.

    *Anything that stays* (``first``, ``last``). Under the hypothesis that it began in round k, the
    mean of each round before k is at most the tolerance and that of each later one above. For the
    rounds from a to k - 1 a one-sided normal mixture (``eprocess.log_evalue``) bets against the
    first part, for the rounds from k to b one against the second; starts a and ends b are mixed
    with weights 1 / (n (n + 1)) in the number n of rounds, which add up to at most 1 and cost
    little where few rounds say enough. The e-process of k is the mean of both sides. Truncation,
    what clipping may hide and the lasting error of sampled clients or records, at half the level,
    are given to the hypothesis.

    *One jump* (``sudden``). Under the hypothesis of a jump before round k the rounds before it
    share one unknown mean and those from k on another. Each side is split at every round, and
    the difference of the two means is tested against none, one-sided, with the same mixture.
    That is a ratio of densities of the differences, which know nothing of the two levels, and so
    an e-process in their filtration (Perez-Ortiz, Lardy, de Heide and Gruenwald 2024, translation
    invariance). The lasting error is in all rounds alike and cancels;
    what each round draws anew counts as noise. A jump beyond the tolerance
    is in both sets. It is offered only where some jump fits the rounds at least as well as any
    drift from a level, for else a reader would be misled who knows of no jump; this can only
    withhold a set, never make one wrong.

    Each of the two sets has half of the level.

    Args:
        series: The mode's rounds, without leading axes.
        tolerance: The mode's.
        level: Error of both sets together, over all rounds at once. It is that of the set, not
            that of the set given an alarm: of the few false alarms no onset is right.

    Returns:
        The smallest interval around the set, or None if no round is left: the rounds contradict
        a failure that began and stayed.

    Raises:
        FindingsError: The level is not in (0, 0.5).
    """
    if not 0 < level < 0.5:
        raise FindingsError(f"level {level:g} is not in (0, 0.5)", where=series.code)
    crossing = _crossing(series, tolerance, level / 2)
    kept = series.rounds[crossing]
    if not len(kept):
        return None
    jump = crossing & _jump(series, level / 2)
    jumps = series.rounds[jump]
    # A failure from the first round on has shown neither a jump nor a drift.
    shown = len(jumps) and (jump[0] or _looks_sudden(series))
    sudden = (int(jumps[0]), int(jumps[-1])) if shown else None
    return Onset(int(kept[0]), int(kept[-1]), sudden)


def slope_of(series: Series, level: float, planned: Sequence[int] | None = None) -> Slope | None:
    """The slope of a mode's effect over training rounds, and an interval valid at all rounds.

    Weighted least squares with known noise: ``b = sum w (t - t_w) y / J``,
    ``J = sum w (t - t_w)^2``, w the rounds' precisions, t_w their mean round. An error that is the
    same in all rounds (clients or records that were sampled once) cancels, so that the slope is
    that of these clients; where each round asks others, their draw is counted. ``b J`` has
    independent increments of variance J, as any best linear estimate that is updated, so the
    interval is valid at all rounds jointly by the same boundaries as an effect's: with a last round
    the spending boundary of O'Brien-Fleming type, else the normal mixture. It therefore holds at
    the current round as well.

    Nothing needs the effect to be a line: the error of b is made of noise alone, and what is
    covered is the slope that least squares would give the true effects of these rounds.
    Truncation, and what clipping may hide, widen the interval by the most that they can tilt.

    Args:
        series: The mode's rounds, without leading axes.
        level: Error of both sides together, over all rounds.
        planned: The plan's monitoring rounds; None for monitoring without a last one.

    Returns:
        None with fewer than two rounds.

    Raises:
        FindingsError: The level is not in (0, 0.5), or a round is not among the planned ones.
    """
    if not 0 < level < 0.5:
        raise FindingsError(f"level {level:g} is not in (0, 0.5)", where=series.code)
    if len(series.rounds) < 2:
        return None
    times = series.rounds.astype(np.float64)
    weights = _precision(series)
    information = _spreads(times, weights)
    total = float(information[-1])
    pull = weights * (times - np.average(times, weights=weights)) / total
    slope = float(pull @ series.effects)
    if planned is None:
        # Tuned to a few rounds after the start, before any of them is seen.
        early = np.arange(_TUNED_FOR) * (times[1] - times[0])
        start = float(weights[0] * _spreads(early, np.ones(_TUNED_FOR))[-1])
        value = float(mixture_value(total, tuned_precision(start, level / 2), level / 2))
    else:
        value = _horizon_value(series, information, planned, level / 2)
    # What clipping did, and clients who were missing, may tilt the rounds by what is known of them.
    (least, low_sd), (most, high_sd) = series.below, series.above
    noise = np.maximum(np.maximum(low_sd, high_sd) ** 2 - series.privacy_sd**2, 0.0)
    redrawn = float(pull**2 @ series.redrawn_sd**2)
    if redrawn > 0:
        # Other clients in each round: an estimated variance, with the degrees of a single round.
        value = float(as_student(value, series.degrees_of_freedom.min()))
    half = value * math.sqrt(1 / total + float(pull**2 @ noise) + redrawn)
    half += series.truncation * float(np.abs(pull).sum())
    down, up = np.minimum(pull, 0.0), np.maximum(pull, 0.0)
    return Slope(
        slope,
        (
            min(slope, float(up @ least + down @ most) - half),
            max(slope, float(up @ most + down @ least) + half),
        ),
    )


def _precision(series: Series) -> Numbers:
    return _weights(series.privacy_sd)


def _weights(noise: Numbers) -> Numbers:
    return np.maximum(noise, _SMALLEST_NOISE) ** -2.0


def _spreads(times: Numbers, weights: Numbers) -> Numbers:
    """(m,) weighted squares of the first rounds' distances from their mean: J at each look."""
    times = times - times[0]
    total = np.cumsum(weights)
    return np.cumsum(weights * times**2) - np.cumsum(weights * times) ** 2 / total


def _horizon_value(
    series: Series, information: Numbers, planned: Sequence[int], level: float
) -> float:
    """Critical value of the last look, a planned round; the first look has no slope to judge.

    Spending follows the spread of the planned rounds so far as a share of all: half of the rounds
    hold an eighth of what will be known of a slope. A twentieth of the level is for all looks
    alike, so that none is without an interval.
    """
    spreads = _spreads(np.array(planned, dtype=np.float64), np.ones(len(planned)))
    shares = {int(number): share for number, share in zip(planned, spreads, strict=True)}
    if any(int(number) not in shares for number in series.rounds):
        raise FindingsError("a round is not among the planned ones", where=series.code)
    times = [shares[int(number)] / spreads[-1] for number in series.rounds[1:]]
    main = (1 - _FLAT_SHARE) * level
    spent = np.diff([0.0, *(obrien_fleming(time, main) for time in times)])
    flat = quantile(_FLAT_SHARE * level / (len(planned) - 1))
    return min(flat, spending_boundary(information[1:].tolist(), spent.tolist())[-1])


def _crossing(series: Series, tolerance: float, level: float) -> NDArray[np.bool_]:
    """(m,) which rounds may be the first with an effect beyond the tolerance."""
    pooled = series.pooled(int(series.rounds[0]), int(series.rounds[-1]))
    lasting = max(float(end.sampling_sd) for end in (pooled.below, pooled.above))
    margin = series.truncation
    if lasting > 0:
        # Half of the level pays for the error that stays, which no number of rounds averages out.
        freedom = series.degrees_of_freedom[-1]
        margin += float(as_student(quantile(level / 4), freedom)) * lasting
        level /= 2
    (least, low_sd), (most, high_sd) = series.below, series.above
    count, aside = len(least), margin
    low_sd, high_sd = (np.hypot(sd, series.redrawn_sd) for sd in (low_sd, high_sd))
    # Row a and column b stand for the rounds from a to b - 1.
    first, end = np.triu_indices(count + 1, 1)

    def bets(beyond: Numbers, noise: Numbers) -> Numbers:
        weights = _weights(noise)
        scores, information = _sums(weights * beyond), _sums(weights)
        within = information[end] - information[first]
        rho = tuned_precision(weights[first] * (end - first), level)
        deviation = (scores[end] - scores[first]) / np.sqrt(within)
        return _table(count, first, end, log_evalue(deviation, within, rho))

    # What is not bet on windows before k, the weight 1 / (k + 1), stays 1.
    rest = -np.log1p(np.arange(count))
    above = bets(least - tolerance - aside, low_sd)
    below = bets(tolerance - aside - most, high_sd)
    left = np.logaddexp(logsumexp(above[:, :count], axis=0), rest)
    right = logsumexp(below[:count], axis=1)
    return _halves(left, right) < -np.log(level)


def _jump(series: Series, level: float) -> NDArray[np.bool_]:
    """(m,) which rounds may be the first after the only jump of an effect that is level else."""
    # A rise is from the most that the early rounds may have been to the least of the late ones.
    (least, low_sd), (most, high_sd) = series.below, series.above
    weights = _weights(np.hypot(np.maximum(low_sd, high_sd), series.redrawn_sd))
    count, information = len(weights), _sums(weights)
    lows, highs = _sums(weights * least), _sums(weights * most)

    def bets(start: Places, split: Places, end: Places, rho: Numbers) -> Numbers:
        """Of the rise from the rounds ``start`` to ``split - 1`` to those until ``end - 1``."""
        early, late = information[split] - information[start], information[end] - information[split]
        rise = (lows[end] - lows[split]) / late - (highs[split] - highs[start]) / early
        both = early * late / (early + late)
        return log_evalue((rise - series.truncation) * np.sqrt(both), both, rho)

    found = np.full((2, count), 0.0)
    if count > 1:
        # Before k: a rise at an earlier split, row, that k, column, would leave unexplained.
        split, k = (places + 1 for places in np.triu_indices(count - 1, 1))
        rho = tuned_precision(weights[split] * (k - split), level)
        table = _table(count, split, k, bets(np.zeros_like(split), split, k, rho))
        found[0, 1:] = np.logaddexp(
            logsumexp(table[:, 1:count], axis=0), -np.log(np.arange(1, count))
        )
        # From k, row, on: a rise at a later split, column.
        k, split = np.triu_indices(count, 1)
        rho = tuned_precision(weights[k] * (split - k), level)
        table = _table(count, k, split, bets(k, split, np.full_like(k, count), rho))
        found[1] = np.logaddexp(logsumexp(table[:count], axis=1), -np.log(count - np.arange(count)))
    return _halves(found[0], found[1]) < -np.log(level)


def _looks_sudden(series: Series) -> bool:
    """Whether some jump explains the effects at least as well as any drift from a level."""
    weights, times = _precision(series), series.rounds.astype(np.float64)
    since: Numbers = times[None, :] - times[:, None]

    def explained(shapes: Numbers) -> float:
        """Most weighted squares that one shape with a positive size explains beside a level."""
        centered = shapes - np.average(shapes, axis=1, weights=weights)[:, None]
        size, norms = centered @ (weights * series.effects), centered**2 @ weights
        return float(np.max(np.maximum(size, 0.0) ** 2 / np.maximum(norms, 1e-300), initial=0.0))

    drift = explained(np.maximum(since[:-1], 0.0))
    return explained((since[1:] >= 0).astype(np.float64)) >= drift * (1 - 1e-9)


def _sums(values: Numbers) -> Numbers:
    """(m + 1,) running sums, from 0."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _table(count: int, row: Places, column: Places, bets: Numbers) -> Numbers:
    """(m + 1, m + 1) log of the bets times their weights 1 / (n (n + 1)), n = column - row."""
    table = np.full((count + 1, count + 1), -np.inf)
    length = (column - row).astype(np.float64)
    table[row, column] = bets - np.log(length * (length + 1))
    return table


def _halves(left: Numbers, right: Numbers) -> Numbers:
    """(m,) log of the mean of both sides; the first round has nothing to its left."""
    both = np.logaddexp(left, right) - np.log(2)
    both[0] = right[0]
    return both
