"""Ratios of two noisy sums: the share of records that were lost, or that are wrong.

For a ratio t of A to B the number ``A - t B`` is 0 on average. Its noise has the variance ``s^2 (c
+ t^2)`` with c the counts that A is made of, and the choice of records moves it by at most a known
amount; the interval holds each t for which it is no further from 0 than that (Fieller 1954).

The choice of records is no normal error where few of them count: what is lost and what is gained
are each bounded as a Poisson number (Garwood 1936) and put together by MOVER (Zou and Donner 2008),
a share as a binomial one (Clopper and Pearson 1934). Both hold for any number of records, down to
none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy.special import betaincinv, gammaincinv, ndtr

from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled
from unsilent.inference.tails import Z
from unsilent.performance.family import GAINED, LOST, RIGHT, SUPPORT, Family


def drop(pool: Pool, family: Family, reach: Reach, sampled: Sampled) -> Ends:
    """Share of the records that were right before and are wrong now, less the other way round."""
    lost, gained = pool.of(family, LOST), pool.of(family, GAINED)
    again = pool.repeats(sampled)
    below = math.hypot(
        _under(pool, lost, reach.below, again), _over(pool, gained, reach.below, again)
    )
    above = math.hypot(
        _over(pool, lost, reach.above, again), _under(pool, gained, reach.above, again)
    )
    found = fieller(lost - gained, pool.of(family, SUPPORT), pool.sd, 2.0, reach, (below, above))
    return _within(found, -1.0, 1.0)


def shortfall(pool: Pool, families: Sequence[Family], reach: Reach, sampled: Sampled) -> Ends:
    """Share of the records that are wrong now, over some groups together."""
    right = sum(pool.of(each, RIGHT) for each in families)
    support = sum(pool.of(each, SUPPORT) for each in families)
    # A sum over groups has the noise of all of them.
    pool = replace(pool, sd=pool.sd * math.sqrt(len(families)))
    again = pool.repeats(sampled)
    # The share that is right has the ends the other way round.
    turned = Reach(reach.above, reach.below)
    below = _share(pool, right, support, turned.below, again, above=False)
    above = _share(pool, right, support, turned.above, again, above=True)
    found = _within(fieller(right, support, pool.sd, 1.0, turned, (below, above)), 0.0, 1.0)
    return Ends(1 - found.value, 1 - found.upper, 1 - found.lower)


def fieller(
    part: float,
    whole: float,
    sd: float,
    counts: float,
    reach: Reach,
    sampling: tuple[float, float],
) -> Ends:
    """The ratio of two noisy sums, by inversion; without ends where the second may be 0.

    Args:
        part: The first sum.
        whole: The second.
        sd: Of the noise in each count.
        counts: How many counts the first one is made of.
        reach: Critical values of the noise.
        sampling: How far the choice of records may have moved the first one, given the second: what
            the lower and what the upper end allow for.
    """
    ends: list[float] = []
    for sign, value, moved in zip((-1.0, 1.0), reach, sampling, strict=True):
        noise = value * sd if sd else 0.0
        square = whole**2 - noise**2
        if not (whole > 0 and square > 0 and math.isfinite(moved) and math.isfinite(value)):
            ends.append(sign * math.inf)
            continue
        rest = part**2 - counts * noise**2 - moved**2
        root = math.sqrt(max((part * whole) ** 2 - square * rest, 0.0))
        ends.append((part * whole + sign * root) / square)
    value = part / whole if whole > 0 else 0.0
    return Ends(value, min(ends[0], value), max(ends[1], value))


def of_the_same(whole: tuple[Ends, Ends], noise: tuple[Ends, Ends]) -> Ends:
    """What one number is above another one of the same records.

    The records that were drawn may raise the one and lower the other: what their choice moves is
    added up. The noise in both is independent.

    Args:
        whole: Both numbers, and the ends of their intervals.
        noise: The same as if the choice of records were no error.
    """
    (now, before), (now_alone, before_alone) = whole, noise
    value = now.value - before.value
    moved: list[float] = []
    for sign in (-1.0, 1.0):
        reached = _reached(now, sign), _reached(before, -sign)
        alone = _reached(now_alone, sign), _reached(before_alone, -sign)
        drawn = [
            math.sqrt(max(one**2 - other**2, 0.0)) if math.isfinite(one) else math.inf
            for one, other in zip(reached, alone, strict=True)
        ]
        moved.append(math.hypot(sum(drawn), *alone))
    return Ends(value, value - moved[0], value + moved[1])


def _reached(ends: Ends, sign: float) -> float:
    return ends.upper - ends.value if sign > 0 else ends.value - ends.lower


def _over(pool: Pool, count: float, value: float, again: float) -> float:
    """How far the expected number may lie above a count of records."""
    if again == 0:
        return 0.0
    x, tail = _counted(pool, count, again), float(ndtr(-value))
    return again * (float(gammaincinv(x + 1, 1 - tail)) - x) if tail > 0 else math.inf


def _under(pool: Pool, count: float, value: float, again: float) -> float:
    """How far it may lie below."""
    if again == 0:
        return 0.0
    x, tail = _counted(pool, count, again), float(ndtr(-value))
    if not tail > 0:
        return math.inf
    return again * (x - (float(gammaincinv(x, tail)) if x > 0 else 0.0))


def _share(
    pool: Pool, part: float, whole: float, value: float, again: float, *, above: bool
) -> float:
    """How far the expected number of those that are right may lie above or below a count of them.

    Of the side that has less to say the count is moved by its noise, so that the noise makes no
    share look surer than it is.
    """
    tail = float(ndtr(-value))
    if again == 0:
        return 0.0
    if not (tail > 0 and whole > 0):
        return math.inf
    n = whole / again
    # Toward the middle, where a share is least sure.
    shift, middle = Z * pool.sd / again, n / 2
    x = min(max(part / again, 0.0), n)
    x = min(x + shift, middle) if x < middle else max(x - shift, middle)
    if above:
        end = float(betaincinv(x + 1, n - x, 1 - tail)) if n - x > 0 else 1.0
        return again * max(n * end - x, 0.0)
    end = float(betaincinv(x, n - x + 1, tail)) if x > 0 else 0.0
    return again * max(x - n * end, 0.0)


def _counted(pool: Pool, count: float, again: float) -> float:
    """A count in one round, as large as its noise leaves likely: a larger one is less sure."""
    return (max(count, 0.0) + Z * pool.sd) / again


def _within(ends: Ends, low: float, high: float) -> Ends:
    value, lower, upper = (min(max(each, low), high) for each in ends)
    return Ends(value, lower, upper)
