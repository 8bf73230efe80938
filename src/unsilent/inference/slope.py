"""Slope: how fast a mode's effect grows, with an interval that holds at all rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from unsilent.errors import FindingsError
from unsilent.findings import Slope
from unsilent.inference.boundary import as_rounds, as_student, quantile, spending
from unsilent.inference.eprocess import mixture_value, tuned_precision
from unsilent.inference.looks import spending_boundary
from unsilent.inference.sampling import Numbers
from unsilent.inference.series import Series

SMALLEST_NOISE = 1e-9
"""Sd, in natural units, below which rounds are taken as exact; keeps information finite."""
_FLAT_SHARE = 0.05
_TUNED_FOR = 8
"""Rounds after which an open-ended slope's interval is about tightest."""


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
    weights = precisions(series.privacy_sd)
    total = float(_spreads(times, weights)[-1])
    pull = weights * (times - np.average(times, weights=weights)) / total
    slope = float(pull @ series.effects)
    if planned is None:
        # Tuned to a few rounds after the start, before any of them is seen.
        early = np.arange(_TUNED_FOR) * (times[1] - times[0])
        start = float(weights[0] * _spreads(early, np.ones(_TUNED_FOR))[-1])
        value = float(mixture_value(total, tuned_precision(start, level / 2), level / 2))
    else:
        value = _horizon_value(series, planned, level / 2)
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


def precisions(noise: Numbers) -> Numbers:
    """Weights of rounds whose noise has these sds."""
    return np.maximum(noise, SMALLEST_NOISE) ** -2.0


def _spreads(times: Numbers, weights: Numbers) -> Numbers:
    """(m,) weighted squares of the first rounds' distances from their mean: J at each look."""
    times = times - times[0]
    total = np.cumsum(weights)
    return np.cumsum(weights * times**2) - np.cumsum(weights * times) ** 2 / total


def _horizon_value(series: Series, planned: Sequence[int], level: float) -> float:
    """Critical value of the last look, a planned round; the first look has no slope to judge.

    Spending follows the spread of the planned rounds so far as a share of all: half of the rounds
    hold an eighth of what will be known of a slope. A twentieth of the level is for all looks
    alike, so that none is without an interval.
    """
    known = as_rounds(tuple(planned))
    places = np.minimum(np.searchsorted(known, series.rounds), len(known) - 1)
    if not np.array_equal(known[places], series.rounds):
        raise FindingsError("a round is not among the planned ones", where=series.code)
    shares = _planned_shares(tuple(planned))
    times = shares[places[1:]]
    spent = spending(times, (1 - _FLAT_SHARE) * level)
    information = _spreads(series.rounds.astype(np.float64), _relative(series))[1:]
    flat = quantile(_FLAT_SHARE * level / (len(planned) - 1))
    return min(flat, spending_boundary(information, spent)[-1])


@lru_cache(maxsize=16)
def _planned_shares(planned: tuple[int, ...]) -> Numbers:
    """(T,) the spread of the planned rounds until each, as a share of all."""
    spreads = _spreads(np.array(planned, dtype=np.float64), np.ones(len(planned)))
    return spreads / spreads[-1]


def _relative(series: Series) -> Numbers:
    """(m,) weights in units of the first round's: any unit of information gives one boundary.

    Of sums of the same clients all modes have the same, so that one boundary serves them all.
    """
    sd = series.privacy_sd
    if bool((sd <= SMALLEST_NOISE).any()):
        weights = precisions(sd)
        return weights / weights[0]
    noise = series.noise_variance / series.clients.astype(np.float64) ** 2
    return noise[0] / noise
