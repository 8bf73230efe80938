"""The verdicts about performance: FAILURE, HEALTHY or UNDETERMINED, as for the modes.

FAILURE if the interval of any window lies above the tolerance; HEALTHY if those of both guard
windows lie below it, whatever the records of missing clients are; else UNDETERMINED, with the
number of records that would do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unsilent.errors import FindingsError
from unsilent.findings.performance import PerformanceFinding
from unsilent.inference.bands import windows
from unsilent.inference.model_shown import model_shown
from unsilent.inference.performance.errors import reaches_of
from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled, pools_of
from unsilent.inference.performance.statistic import (
    at_worst,
    effect_of,
    support_of,
    value_of,
)
from unsilent.performance.cells import Question, questions_of
from unsilent.plan import MonitoringPlan
from unsilent.plan.performance import PerformancePlan
from unsilent.release.layout import Layout
from unsilent.release.release import Release

_MOST = 1e6
"""Times as many records, beyond which no number is named."""
_STEP = 1.05


@dataclass(frozen=True)
class _Seen:
    """One window: its counts, the effect, and the upper end with whoever is missing at worst."""

    pool: Pool
    reach: Reach
    effect: Ends
    worst: float


def judge_performance(
    plan: MonitoringPlan,
    layout: Layout,
    totals: Sequence[Release],
    *,
    first_alarms: Mapping[str, int] | None = None,
) -> tuple[PerformanceFinding, ...]:
    """The findings of the last round, in the plan's order; none without ``[performance]``.

    Args:
        plan: The plan that the clients released under.
        layout: ``Layout.from_plan(plan)``.
        totals: As ``judge_rounds``.
        first_alarms: By key, the first earlier round whose verdict was failure.

    Raises:
        FindingsError: There is no sum, or one of another layout.
    """
    performance = plan.performance
    if performance is None:
        return ()
    if not totals:
        raise FindingsError("no round to judge", where="monitoring")
    for total in totals:
        if total.layout != layout.digest:
            raise FindingsError(
                "the release is of another layout than the plan's",
                where=f"round {total.round}",
                remedy="Give server and clients the same plan.",
            )
    last, cohort = totals[-1], plan.monitor.min_cohort
    used = [total for total in totals if total.clients >= cohort]
    alarms = first_alarms or {}
    questions = questions_of(performance)
    if last.clients < cohort:
        why = (
            f"{last.clients} clients are fewer than the plan's min_cohort {cohort}, so no estimate "
            "is made"
        )
        return tuple(_blank(each, last.clients, why, alarms.get(each.key)) for each in questions)
    spans = windows(np.array([total.round for total in used]))
    pools = pools_of(plan, layout, used, spans)
    return tuple(
        _judge(plan, performance, layout, used, pools, each, alarms.get(each.key))
        for each in questions
    )


def sampled_as(plan: MonitoringPlan, question: Question) -> Sampled:
    """What the choice of records is to a question."""
    if plan.monitor.items == "these":
        return "none"
    return "anew" if question.asked.records == "live" else "again"


def _judge(
    plan: MonitoringPlan,
    performance: PerformancePlan,
    layout: Layout,
    totals: Sequence[Release],
    pools: Sequence[Pool],
    question: Question,
    first_alarm: int | None,
) -> PerformanceFinding:
    asked = question.asked
    sampled, tolerance = sampled_as(plan, question), asked.tolerance
    reaches = reaches_of(plan, totals, pools, question, sampled)
    seen = [
        _Seen(pool, reach, effect, at_worst(performance, question, pool, effect.upper))
        for pool, reach in zip(pools, reaches, strict=True)
        for effect in [effect_of(performance, question, pool, reach, sampled)]
    ]
    last = totals[-1].round
    guards = seen[:2]
    highest = max(seen, key=lambda each: each.effect.lower)
    shown = max(guards, key=lambda each: each.worst)
    verdict, reason, needed = "undetermined", None, None
    if highest.effect.lower > tolerance:
        verdict, shown = "failure", highest
    elif shown.worst < tolerance:
        verdict = "healthy"
    pool = shown.pool
    support = support_of(question, pool)
    if verdict != "failure":
        model = model_shown(layout, totals, pool.first, pool.last)
        if verdict == "healthy" and model is not None and not model.trusted:
            verdict, reason = "undetermined", model.reason
    if verdict == "undetermined" and reason is None:
        needed = _needed(performance, question, shown, sampled)
        reason = _reason(question, shown, support, needed)
    first = last if verdict == "failure" and first_alarm is None else first_alarm
    return replace(
        _blank(question, math.floor(pool.clients / pool.rounds + 1e-9), reason, first),
        verdict=verdict,
        effect=shown.effect.value,
        interval=(shown.effect.lower, shown.effect.upper),
        window=(pool.first, pool.last),
        value=value_of(question, pool),
        missing=pool.missing,
        support=support,
        needed=needed,
    )


def _blank(
    question: Question, clients: int, why: str | None, first_alarm: int | None
) -> PerformanceFinding:
    """A finding without an estimate."""
    asked = question.asked
    return PerformanceFinding(
        name=question.name,
        statistic=asked.statistic,
        of=question.of,
        by=asked.by,
        group=question.group,
        compared=asked.compared,
        records=asked.records,
        tolerance=asked.tolerance,
        clients=clients,
        verdict="undetermined",
        first_alarm_round=first_alarm,
        reason=why,
    )


def _needed(
    performance: PerformancePlan, question: Question, seen: _Seen, sampled: Sampled
) -> int | None:
    """Records a round with which the interval of the window would leave the tolerance."""
    support = support_of(question, seen.pool)
    if support <= 0:
        return None
    factor, tolerance = 1.0, question.asked.tolerance
    while factor < _MOST:
        more = seen.pool.times(factor)
        ends = effect_of(performance, question, more, seen.reach, sampled)
        above = ends.lower > tolerance
        if above or at_worst(performance, question, more, ends.upper) < tolerance:
            return math.ceil(factor * support)
        factor *= _STEP
    return None


def _reason(question: Question, seen: _Seen, support: float, needed: int | None) -> str:
    kind = "records" if question.of is None else f"records of or against {question.of!r}"
    told = f"about {max(round(support), 0)} {kind} a round are too few for a verdict"
    if seen.pool.missing and seen.effect.upper < question.asked.tolerance:
        told = f"{seen.pool.missing} answers of clients are missing, whose records could be worse"
    if needed is None:
        return f"{told}; no number of them would do while the effect is as it is seen"
    return f"{told}; about {needed} would do if the effect stays as it is"
