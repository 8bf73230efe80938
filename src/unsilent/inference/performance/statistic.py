"""Each statistic's effect, value and support, from the counts of a window."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.inference.performance.auroc import auroc
from unsilent.inference.performance.calibration import calibration
from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled
from unsilent.inference.performance.ratio import between, drop, shortfall
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
        less = _error(rest, pool, turned, sampled)
        return between([(1.0, _error(own, pool, reach, sampled)), (-1.0, less)])
    if own[0][0].what in ("scores", "gaps"):
        before, now = own
        less = _error([before], pool, turned, sampled)
        return between([(1.0, _error([now], pool, reach, sampled)), (-1.0, less)])
    weight = 1 / len(own)
    return between([(weight, drop(pool, part[0], reach, sampled)) for part in own])


def value_of(question: Question, pool: Pool) -> float:
    """The statistic itself under the personalized models, as released."""
    own = _parts(question, [question.group])
    now = [own[-1]] if own[0][0].what in ("scores", "gaps") else own
    error = _error(now, pool, Reach(0.0, 0.0), "none").value
    return error if own[0][0].what == "gaps" else 1 - error


def support_of(question: Question, pool: Pool) -> float:
    """Records in a round of the window that the statistic rests on: of several parts the fewest."""
    return min(_wholes(_parts(question, [question.group]), pool)) / pool.rounds


def whole_of(performance: PerformancePlan, question: Question, pool: Pool) -> list[float]:
    """The numbers of records that the statistic divides by, over the window."""
    found = _wholes(_parts(question, [question.group]), pool)
    if question.asked.compared == "others":
        found += _wholes(_parts(question, _others(performance, question)), pool)
    return found


def _others(performance: PerformancePlan, question: Question) -> list[str | None]:
    return [each for each in performance.values(question.asked.by) if each != question.group]


def _parts(question: Question, groups: Sequence[str | None]) -> list[Families]:
    """What the statistic is made of; of each part a family for each group."""
    return list(zip(*(question.families(group) for group in groups), strict=True))


def _error(parts: Sequence[Families], pool: Pool, reach: Reach, sampled: Sampled) -> Ends:
    """How far the statistic is from perfect, over all records of the groups together."""
    what = parts[0][0].what
    if what == "gaps":
        return calibration(pool, parts[0], reach, sampled)
    if what == "scores":
        found = auroc(pool, parts[0], Reach(reach.above, reach.below), sampled)
        return Ends(1 - found.value, 1 - found.upper, 1 - found.lower)
    weight = 1 / len(parts)
    return between([(weight, shortfall(pool, part, reach, sampled)) for part in parts])


def _wholes(parts: Sequence[Families], pool: Pool) -> list[float]:
    found: list[float] = []
    for families in parts:
        if families[0].what == "scores":
            for side in ("in.", "out."):
                found.append(sum(float(pool.several(each, side).sum()) for each in families))
        else:
            found.append(sum(pool.of(each, SUPPORT) for each in families))
    return found
