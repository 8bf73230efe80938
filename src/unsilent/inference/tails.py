"""Tails: the largest variance and the furthest mean that bounded numbers leave possible."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv

Numbers = NDArray[np.float64]

BOUND_LEVEL = 0.95
"""One-sided level of the upper bounds on variances that are read off noisy coordinates."""

Z = NormalDist().inv_cdf(BOUND_LEVEL)
"""Its normal quantile."""


def largest_variance(
    mean: Numbers, noise_sd: Numbers, lower: float, upper: float, clients: ArrayLike
) -> Numbers:
    """Largest variance of numbers in [lower, upper] whose mean is near ``mean``.

    ``(upper - m)(m - lower)`` (Bhatia and Davis 2000), at the m nearest to the middle among
    those that noise and N clients leave possible: the noisy mean widened by its noise, then by
    Wilson's score interval, both one-sided at ``BOUND_LEVEL``. For a share it is reached:
    p (1 - p).
    """
    width, count = upper - lower, np.asarray(clients, dtype=np.float64)
    share, slack = (mean - lower) / width, Z * noise_sd / width
    ends: list[Numbers] = []
    for sign in (-1.0, 1.0):
        end = np.clip(share + sign * slack, 0.0, 1.0)
        score = Z * np.sqrt(end * (1 - end) / count + Z**2 / (4 * count**2))
        ends.append((end + Z**2 / (2 * count) + sign * score) / (1 + Z**2 / count))
    low, high = np.maximum(ends[0], 0.0), np.minimum(ends[1], 1.0)
    nearest = np.minimum(np.maximum(0.5, low), high)
    return nearest * (1 - nearest) * width**2


def unseen(span: ArrayLike, variance: ArrayLike, tail: ArrayLike, count: ArrayLike) -> Numbers:
    """How far a mean may lie beyond that of a sample whose rare members may not be in it.

    Of all laws with a given variance V that reach so far from the mean the most skewed one is
    assumed: the number of members at the end of the range is binomial with share
    ``k / N = V / span^2``, and the bound is the span times what Clopper and Pearson (1934) add to
    that share, k not rounded. With k = 0 that is ``span (1 - tail^(1/N))``, for those of whom none
    was seen; with a large k it is the normal reach.

    Args:
        span: From the mean to the end of the range, above 0.
        variance: V of one member, at least 0.
        tail: Error of the bound, in (0, 1).
        count: Members in the sample, N, at least 1; need not be whole.
    """
    distance, number = np.asarray(span, dtype=np.float64), np.asarray(count, dtype=np.float64)
    share: Numbers = np.minimum(np.asarray(variance, dtype=np.float64) / distance**2, 1.0)
    left = np.maximum(number * (1 - share), 1e-9)
    found = np.asarray(betainccinv(number * share + 1, left, np.asarray(tail)), np.float64)
    # Of an error so small that floats lose it nothing is excluded.
    bound = np.where(np.isnan(found), 1.0, found)
    return distance * np.maximum(bound - share, 0.0)


def furthest(span: ArrayLike, variance: ArrayLike, tail: ArrayLike, count: ArrayLike) -> Numbers:
    """As ``unseen``, where nothing else allows for what is seen of the variance.

    All of it is given to a law of two points: the end of the range, and the one beyond the mean
    that its share k / N = V / (V + span^2) leaves. Of shares Clopper and Pearson's bound itself.
    Arguments as there.
    """
    distance, found = np.asarray(span, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    whole = distance + found / distance
    return unseen(whole, found * whole / distance, tail, count)
