"""Each statistic's effect, value and support, from the counts of a window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from unsilent.inference.performance.auroc import auroc
from unsilent.inference.performance.calibration import calibration
from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled
from unsilent.inference.performance.ratio import drop, of_the_same, shortfall
from unsilent.inference.performance.together import Term, mover, whatever_law
from unsilent.inference.tails import Z
from unsilent.performance.cells import Question
from unsilent.performance.family import SUPPORT, Family
from unsilent.plan.performance import PerformancePlan

Families = tuple[Family, ...]


def effect_of(
    performance: PerformancePlan,
    question: Question,
    pool: Pool,
    reach: Reach,
    sampled: Sampled,
) -> Ends:
    """The effect, positive is worse, and its interval.

    Args:
        performance: The plan's, whose lists say who a group's others are.
        question: Which statistic, in which group.
        pool: The counts.
        reach: Critical values of the two ends.
        sampled: What the choice of records is.
    """
    compared = question.asked.compared
    # The one end of a difference rests on the other end of what is taken off.
    turned = Reach(reach.above, reach.below)
    own = _parts(question, [question.group])
    if compared == "perfect":
        return _error(own, pool, reach, sampled)
    if compared == "others":
        rest = _parts(question, _others(performance, question))
        less = [(-weight, number) for weight, number in _terms(rest, pool, sampled)]
        return _added([*_terms(own, pool, sampled), *less], reach, sampled)
    if own[0][0].what in ("scores", "gaps"):
        before, now = own
        noise, whole = (
            (_error([now], pool, reach, kind), _error([before], pool, turned, kind))
            for kind in ("none", sampled)
        )
        return of_the_same(whole, noise)
    drops = [partial(_drop, pool, part[0], sampled) for part in own]
    return _added([(1 / len(own), each) for each in drops], reach, sampled)


def value_of(question: Question, pool: Pool) -> float:
    """The statistic itself under the personalized models, as released."""
    own = _parts(question, [question.group])
    now = [own[-1]] if own[0][0].what in ("scores", "gaps") else own
    error = _error(now, pool, Reach(0.0, 0.0), "none").value
    return error if own[0][0].what == "gaps" else 1 - error


def support_of(question: Question, pool: Pool) -> float:
    """Records in a round of the window that the statistic rests on: of several parts the fewest."""
    return min(_wholes(_parts(question, [question.group]), pool))[0] / pool.rounds


def at_worst(performance: PerformancePlan, question: Question, pool: Pool, upper: float) -> float:
    """The upper end where all records of missing clients are as bad as can be (Manski 1989).

    A missing client has as many records as the plan counts at most, in each number that the
    statistic divides by; an effect is 1 at most. Of a mean over records, or over pairs of them, the
    rest keeps its share, whatever the missing ones are. A calibration error is none: gaps the other
    way round take away what there is, so that what is compared with may be smaller by as much as
    its own missing records.
    """
    if not pool.missing:
        return upper
    own = _kept(_parts(question, [question.group]), pool)
    compared = question.asked.compared
    others = own
    if compared == "others":
        others = _kept(_parts(question, _others(performance, question)), pool)
    if question.asked.statistic == "calibration" and compared != "perfect":
        return min(own, others) * upper + (1 - own) + (1 - others) + max(own - others, 0.0)
    kept = own * others if compared == "others" else own
    return kept * upper + (1 - kept)


def _kept(parts: list[Families], pool: Pool) -> float:
    """The share of all records that are there, of what a number divides by, at the least."""
    kept = 1.0
    # Of scores and gaps under two adapters the records are the same.
    once = parts[-1:] if parts[0][0].what in ("scores", "gaps") else parts
    for whole, counts in _wholes(once, pool):
        there = max(whole - Z * pool.sd * math.sqrt(counts), 0.0)
        kept *= there / (there + pool.missing * pool.largest)
    return kept


def _others(performance: PerformancePlan, question: Question) -> list[str | None]:
    return [each for each in performance.values(question.asked.by) if each != question.group]


def _parts(question: Question, groups: Sequence[str | None]) -> list[Families]:
    """What the statistic is made of; of each part a family for each group."""
    return list(zip(*(question.families(group) for group in groups), strict=True))


def _error(parts: Sequence[Families], pool: Pool, reach: Reach, sampled: Sampled) -> Ends:
    """How far the statistic is from perfect, over all records of the groups together."""
    return _added(_terms(parts, pool, sampled), reach, sampled)


def _added(terms: Sequence[Term], reach: Reach, sampled: Sampled) -> Ends:
    """Noise alone is normal; the choice of few records is not."""
    return mover(terms, reach) if sampled == "none" else whatever_law(terms, reach)


def _terms(parts: Sequence[Families], pool: Pool, sampled: Sampled) -> list[Term]:
    """What the error is a sum of: one number, or one for each part."""
    one = {"gaps": _gaps, "scores": _misordered}.get(parts[0][0].what)
    if one is not None:
        return [(1.0, partial(one, pool, parts[0], sampled))]
    return [(1 / len(parts), partial(_shortfall, pool, part, sampled)) for part in parts]


def _gaps(pool: Pool, families: Families, sampled: Sampled, reach: Reach) -> Ends:
    return calibration(pool, families, reach, sampled)


def _misordered(pool: Pool, families: Families, sampled: Sampled, reach: Reach) -> Ends:
    found = auroc(pool, families, Reach(reach.above, reach.below), sampled)
    return Ends(1 - found.value, 1 - found.upper, 1 - found.lower)


def _shortfall(pool: Pool, families: Families, sampled: Sampled, reach: Reach) -> Ends:
    return shortfall(pool, families, reach, sampled)


def _drop(pool: Pool, family: Family, sampled: Sampled, reach: Reach) -> Ends:
    return drop(pool, family, reach, sampled)


def _wholes(parts: Sequence[Families], pool: Pool) -> list[tuple[float, int]]:
    """Numbers of records that are divided by, over the window, and how many counts each is of."""
    found: list[tuple[float, int]] = []
    for families in parts:
        if families[0].what == "scores":
            for side in ("in.", "out."):
                counts = [pool.several(each, side) for each in families]
                found.append((float(np.sum(counts)), sum(map(len, counts))))
        else:
            found.append((sum(pool.of(each, SUPPORT) for each in families), len(families)))
    return found
