"""AUROC from binned scores: of records of a class, and of all others.

With p and q the counts of both by bins of rising score, the sum over pairs of bins ``U = sum_(i >
j) p_i q_j`` counts the pairs that are in order, and ``sum_i p_i q_i`` those that lie in one bin, of
which any part may be: AUROC is between ``U / P Q`` and that with all of them. For a candidate a the
number ``U - a P Q = p' W q`` with ``W = 1[i > j] - a`` is 0 on average. Its noise is known but for
p and q, which are taken as released; the choice of records has the variance of the larger of two:
that of the U statistic's influence (DeLong, DeLong and Clarke-Pearson 1988), and Hanley and
McNeil's (1982) at a, which does not vanish where all pairs are in order (Newcombe 2006). Neither
knows of few records that rank far off and were not drawn: ends reach at least as far as those could
(``tails.furthest``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled
from unsilent.inference.tails import furthest
from unsilent.performance.family import Family

_HALVINGS = 40
_LEAST = 5.0
"""Records of either kind in a round, below which no AUROC has an interval."""


def auroc(pool: Pool, families: tuple[Family, ...], reach: Reach, sampled: Sampled) -> Ends:
    """The AUROC over all records of some groups together, and its interval.

    Args:
        pool: The counts.
        families: Of ``scores``, one for each group.
        reach: Critical values.
        sampled: What the choice of records is.
    """
    p = np.sum([pool.several(each, "in.") for each in families], axis=0)
    q = np.sum([pool.several(each, "out.") for each in families], axis=0)
    # Each bin of several groups has the noise of all of them.
    sd = pool.sd * math.sqrt(len(families))
    again = pool.repeats(sampled)
    positives, negatives = float(p.sum()), float(q.sum())
    total_sd = sd * math.sqrt(len(p))
    fewest = min(positives, negatives) - max(reach) * total_sd
    if not fewest > _LEAST * max(again, 1.0):
        return Ends(0.5, 0.0, 1.0)
    strict = np.tri(len(p), k=-1)
    ties = strict + np.eye(len(p))
    pairs = positives * negatives
    value = float(p @ (strict + ties) @ q) / 2 / pairs

    def deviation(order: NDArray[np.float64], a: float) -> float:
        sd_of = math.sqrt(_variance(p, q, order - a, sd, again, a))
        return (float(p @ order @ q) - a * pairs) / max(sd_of, 1e-12)

    lower = _root(lambda a: deviation(strict, a) > reach.below)
    upper = _root(lambda a: deviation(ties, a) > -reach.above)
    value = min(max(value, 0.0), 1.0)
    below, above = (
        _rare(p, q, sd, again, value, order, reach[side], side=side)
        for side, order in enumerate((strict, ties))
    )
    return Ends(value, max(min(lower, value - below), 0.0), min(max(upper, value + above), 1.0))


def _rare(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    sd: float,
    again: float,
    value: float,
    order: NDArray[np.float64],
    reach: float,
    *,
    side: int,
) -> float:
    """How far the true AUROC may lie beyond what was found, if few records carry it.

    It is a mean over the records of either class, of the share of the others that each is ahead
    of. Few that rank far off may not be among those that were drawn: no variance tells of them, and
    both means reach as far as ``furthest`` says. Either class is a sample of its own, and the noise
    is independent of both.

    Args:
        p: Counts of the records of the class, by bins.
        q: Of the others.
        sd: Of the noise in each.
        again: In how many rounds a record is counted.
        value: What was found.
        order: Which pairs of bins count as in order.
        reach: Critical value.
        side: 0 for below what was found, 1 for above.
    """
    tail = float(ndtr(-reach))
    if again == 0 or not math.isfinite(reach) or not tail > 0:
        return 0.0
    span = max(1 - value if side else value, 1e-9)
    first, second = np.maximum(p, 0.0), np.maximum(q, 0.0)
    parts = (first, order @ second / second.sum()), (second, order.T @ first / first.sum())
    found: list[float] = []
    for counts, shares in parts:
        number = max(float(counts.sum()) / again, 1.0)
        mean = float(counts @ shares) / float(counts.sum())
        variance = float(counts @ (shares - mean) ** 2) / float(counts.sum())
        found.append(float(furthest(span, variance, tail, number)))
    noise = reach * math.sqrt(_variance(p, q, order - value, sd, 0.0, value))
    return math.hypot(*found, noise / float(p.sum() * q.sum()))


def _variance(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    weights: NDArray[np.float64],
    sd: float,
    again: float,
    a: float,
) -> float:
    """Of ``p' W q``: its noise and what the choice of records adds."""
    of_q, of_p = weights @ q, weights.T @ p
    square = float((weights**2).sum())
    noise = sd**2 * float(of_q @ of_q + of_p @ of_p) + sd**4 * square
    if again == 0:
        return noise
    ones, others = np.maximum(p, 0.0) / again, np.maximum(q, 0.0) / again
    influence = ones @ (weights @ others) ** 2 + others @ (weights.T @ ones) ** 2
    first, second = float(ones.sum()), float(others.sum())
    null = (
        a * (1 - a)
        + (first - 1) * (a / (2 - a) - a**2)
        + (second - 1) * (2 * a**2 / (1 + a) - a**2)
    )
    # Which of the classes scores higher is not decided by the formula: below 1/2 it is mirrored.
    b = 1 - a
    mirrored = (
        a * b + (second - 1) * (b / (2 - b) - b**2) + (first - 1) * (2 * b**2 / (1 + b) - b**2)
    )
    least = first * second * max(null, mirrored)
    return noise + again**4 * max(float(influence), least)


def _root(above: Callable[[float], bool]) -> float:
    """The largest number in [0, 1] up to which a condition holds."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) else (low, middle)
    return (low + high) / 2
