"""Ahead: what each declared statistic of performance can show, said before the first round.

The judge's own intervals are asked, for the counts that are to be expected if all clients take
part. How many records there will be of a class in a group nobody knows beforehand: they are taken
to be evenly spread over the classes and groups that the plan lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unsilent.inference.bands import windows
from unsilent.inference.judge import POWER_QUANTILE
from unsilent.inference.performance.errors import reaches_of
from unsilent.inference.performance.expected import expected_counts, records_of, top_of
from unsilent.inference.performance.judge import sampled_as
from unsilent.inference.performance.pool import Ends, Pool, Reach, Sampled, pools_of
from unsilent.inference.performance.statistic import effect_of
from unsilent.performance.cells import Question, questions_of
from unsilent.plan import MonitoringPlan
from unsilent.plan.performance import PerformancePlan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

_HALVINGS = 14
_FEWEST, _MOST = 1e-3, 1e6
"""Times the expected records, between which the number that would do is looked for."""


@dataclass(frozen=True)
class StatisticRow:
    """What one statistic in one group can show after the last monitoring round.

    Attributes:
        key, statistic, of, group, compared, records, tolerance: As in its finding.
        support: Records that it is expected to rest on in a round.
        noise_sd: Of one count in a round's sum, in records.
        half_width: How far the higher upper end of the two guards lies above the effect that a
            healthy model is taken to have: 0, and half the tolerance of a statistic that is
            compared with perfect.
        minimal_detectable_effect: Distance beyond the tolerance found with a power of 0.8; the
            whole range where not even its end is.
        failure_reachable, healthy_reachable: Whether the largest effect would be judged FAILURE,
            and a healthy model HEALTHY.
        healthy_needs: Records a round from which on a healthy model is judged HEALTHY; None if no
            number does.
        failure_needs: The same for FAILURE at twice the tolerance, with a power of 0.8.
    """

    key: str
    statistic: str
    of: str | None
    group: str | None
    compared: str
    records: str
    tolerance: float
    support: float
    noise_sd: float
    half_width: float
    minimal_detectable_effect: float
    failure_reachable: bool
    healthy_reachable: bool
    healthy_needs: int | None
    failure_needs: int | None


def ahead(plan: MonitoringPlan) -> tuple[StatisticRow, ...]:
    """One row for each verdict about performance, in the plan's order; none without any.

    Raises PlanError as ``Layout.from_plan``.
    """
    performance = plan.performance
    if performance is None:
        return ()
    layout = Layout.from_plan(plan)
    clients, noise = plan.taking_part, float(share_variance(plan)) * plan.taking_part
    nothing = np.zeros(len(layout.names), dtype=np.int64)
    totals = [
        Release(layout.digest, number, clients, nothing, noise) for number in plan.monitoring_rounds
    ]
    pools = pools_of(plan, layout, totals, windows(np.array(plan.monitoring_rounds)))
    found: dict[str, StatisticRow] = {}
    rows: list[StatisticRow] = []
    for question in questions_of(performance):
        # Groups of a statistic are taken to have as many records each, and share its error evenly.
        if question.name not in found:
            found[question.name] = _Ahead.of(plan, performance, totals, pools, question).row()
        named = {"key": question.key, "of": question.of, "group": question.group}
        rows.append(replace(found[question.name], **named))
    return tuple(rows)


@dataclass(frozen=True)
class _Ahead:
    """One question with the two windows that guard it, whose counts are not known yet."""

    plan: MonitoringPlan
    performance: PerformancePlan
    question: Question
    pools: Sequence[Pool]
    reaches: Sequence[Reach]
    sampled: Sampled

    @classmethod
    def of(
        cls,
        plan: MonitoringPlan,
        performance: PerformancePlan,
        totals: Sequence[Release],
        pools: Sequence[Pool],
        question: Question,
    ) -> _Ahead:
        sampled = sampled_as(plan, question)
        each = expected_counts(plan, question, 0.0)
        known = [_filled(pool, each, 1.0) for pool in pools]
        reaches = reaches_of(plan, totals, known, question, sampled)
        # An effect that stays is seen best over all rounds: shorter windows have nothing to add.
        return cls(plan, performance, question, pools[:2], reaches[:2], sampled)

    def row(self) -> StatisticRow:
        asked, tolerance = self.question.asked, self.question.asked.tolerance
        support, top = records_of(self.plan, self.question), top_of(self.question)
        failure = max(ends.lower for ends in self._ends(top, 1.0)) > tolerance
        needs = [
            None if factor is None else math.ceil(factor * support)
            for factor in (
                _least(lambda times: self._upper(times) < tolerance),
                _least(lambda times: self._finds(min(2 * tolerance, top), times)),
            )
        ]
        return StatisticRow(
            key=self.question.key,
            statistic=asked.statistic,
            of=self.question.of,
            group=self.question.group,
            compared=asked.compared,
            records=asked.records,
            tolerance=tolerance,
            support=support,
            noise_sd=self.pools[0].sd / math.sqrt(self.pools[0].rounds),
            half_width=self._upper(1.0) - self._healthy,
            minimal_detectable_effect=self._detectable(top) - tolerance,
            failure_reachable=failure,
            healthy_reachable=self._upper(1.0) < tolerance,
            healthy_needs=needs[0],
            failure_needs=needs[1],
        )

    @property
    def _healthy(self) -> float:
        asked = self.question.asked
        # No model is perfect: none would be found healthy that has no error at all.
        return asked.tolerance / 2 if asked.compared == "perfect" else 0.0

    def _ends(self, effect: float, times: float) -> list[Ends]:
        """Of each window, for an effect that stays and so many times the expected records."""
        each = expected_counts(self.plan, self.question, effect)
        return [
            effect_of(
                self.performance, self.question, _filled(pool, each, times), reach, self.sampled
            )
            for pool, reach in zip(self.pools, self.reaches, strict=True)
        ]

    def _upper(self, times: float) -> float:
        return max(ends.upper for ends in self._ends(self._healthy, times))

    def _finds(self, effect: float, times: float) -> bool:
        """Whether FAILURE is said of an effect with a power of 0.8, by the better window."""
        ends = zip(self._ends(effect, times), self.reaches, strict=True)
        least = max(
            each.lower - POWER_QUANTILE * (each.value - each.lower) / reach.below
            for each, reach in ends
        )
        return least > self.question.asked.tolerance

    def _detectable(self, top: float) -> float:
        """The smallest effect that is found; the largest one where that is not."""
        low, high = self.question.asked.tolerance, top
        for _ in range(_HALVINGS if self._finds(top, 1.0) else 0):
            middle = (low + high) / 2
            low, high = (low, middle) if self._finds(middle, 1.0) else (middle, high)
        return max(high, low)


def _filled(pool: Pool, each: Mapping[str, float], times: float) -> Pool:
    counts = {name: times * pool.rounds * count for name, count in each.items()}
    return replace(pool, counts=counts)


def _least(does: Callable[[float], bool]) -> float | None:
    """How many times the expected records would do at least."""
    low, high = _FEWEST, _MOST
    if not does(high):
        return None
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if does(middle) else (middle, high)
    return high
