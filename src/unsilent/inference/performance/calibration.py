"""Calibration error by bins, from noisy sums of score minus outcome.

With G_b the sum of the gaps in bin b and P the number of records it is ``sum_b |G_b| / P``; with
one bin it is calibration in the large. Absolute values of noisy sums are too large on average. With
errors e_b of variances v_b, ``f = sum |G_b + e_b|`` is convex, so that its mean is not below ``sum
|G_b|``; and not above it by more than ``sum E|e_b| <= sqrt(2 K v / pi)``, v the sum of the
variances over K bins. It changes by at most sqrt(v) times the length of the errors, so that beyond
its mean by ``x sqrt(v)`` it is with probability ``exp(-x^2 / 2)`` at most (Gaussian concentration:
Boucheron, Lugosi and Massart 2013, theorem 5.6). Both ends follow, whatever the signs are. The
choice of records is no normal error where few of them have a large gap: ends reach at least as far
as those that were not drawn could move them (``tails.furthest``).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled
from unsilent.inference.performance.ratio import fieller
from unsilent.inference.tails import Z, furthest
from unsilent.performance.family import SQUARE, SUPPORT, Family


def calibration(pool: Pool, families: tuple[Family, ...], reach: Reach, sampled: Sampled) -> Ends:
    """The calibration error over all records of some groups together, in [0, 1].

    Args:
        pool: The counts.
        families: Of ``gaps``, one for each group.
        reach: Critical values.
        sampled: What the choice of records is.
    """
    gaps = np.sum([pool.several(each, "gap.") for each in families], axis=0)
    support = sum(pool.of(each, SUPPORT) for each in families)
    groups, bins = len(families), len(gaps)
    sd = pool.sd * math.sqrt(groups)
    # What the gaps' squares say of the choice of records: no bin's sum varies by more than its own.
    squares = sum(pool.of(each, SQUARE) for each in families) + Z * sd + pool.rounding * groups
    again = pool.repeats(sampled)
    variance = bins * sd**2 + again * max(squares, 1.0)
    whole, root = float(np.abs(gaps).sum()), math.sqrt(variance)
    hidden = pool.rounding * groups * bins
    low, high = (_concentrated(value, bins) for value in reach)
    bias = math.sqrt(2 * bins / math.pi) * root if bins > 1 else 0.0
    # Few records with a large gap may not be among those that were drawn.
    rare = [
        math.hypot(value * math.sqrt(bins) * sd, _rare(squares, support, again, reached))
        for value, reached in zip((low, high), reach, strict=True)
    ]
    moved = (max(low * root, rare[0]) + bias + hidden, max(high * root, rare[1]) + hidden)
    found = fieller(whole, support, sd, 0.0, reach, moved)
    value, lower, upper = (min(max(each, 0.0), 1.0) for each in found)
    return Ends(value, lower, upper)


def _rare(squares: float, support: float, again: float, value: float) -> float:
    """How far the sum of the gaps may lie from what is expected, if few records carry it.

    Each of them moves it by its own gap, 1 at most, into one bin.
    """
    tail = float(ndtr(-value))
    if again == 0 or not tail > 0 or not support > 0:
        return 0.0
    number = max(support / again, 1.0)
    return support * float(furthest(1.0, max(squares, 0.0) / support, tail, number))


def _concentrated(value: float, bins: int) -> float:
    """The sd that the tail probability of a normal value takes for a sum of absolute values."""
    tail = float(log_ndtr(-value))
    if not math.isfinite(tail):
        return math.inf
    if bins == 1:
        # Beyond |G| on either side of 0.
        return -float(ndtri(math.exp(tail) / 2))
    return math.sqrt(-2 * tail)
