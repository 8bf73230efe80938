"""What findings say beside the modes: what the releases cost, and what a run shows today.

The monitor says it as it judges, the dashboard from the ledger: both in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.findings import (
    Finding,
    HistoryRound,
    PlanVersion,
    PrivacySummary,
    SystemMetrics,
    Trend,
)
from unsilent.ledger.run_view import RunView
from unsilent.plan import MonitoringPlan
from unsilent.release import PrivacyEvent, epsilon
from unsilent.release.noise import sum_sigma
from unsilent.release.promise import statement
from unsilent.release.scale import scale_of

Shown = tuple[float, float]
"""Mean loss and mean accuracy of a round."""


def privacy_summary(
    plan: MonitoringPlan,
    events: Sequence[PrivacyEvent],
    *,
    stopped_after: int | None,
) -> PrivacySummary:
    """The cost of the releases so far.

    Args:
        plan: The run's plan.
        events: All releases.
        stopped_after: The last judged round if monitoring has stopped, else None.
    """
    privacy = plan.privacy
    if (plan.absent or plan.earlier) and privacy.unit == "record":
        # A record's sensitivity follows from all modes; what was booked is that of the run.
        sigma = events[-1].sigma if events else 0.0
    else:
        sigma = sum_sigma(plan)
    spent = epsilon(events, privacy.delta, plan.privacy.rounds_per_client)
    private = privacy.private
    return PrivacySummary(
        unit=privacy.unit,
        adjacency=privacy.adjacency if private else None,
        epsilon_spent=spent if private else None,
        epsilon=plan.whole_epsilon if private else None,
        delta=privacy.delta if private else None,
        aggregation=privacy.aggregation,
        releases=len(events),
        noise_sd=sigma / (privacy.clip * scale_of(plan)),
        statement=statement(plan, spent, len(events), stopped_after=stopped_after),
    )


def system_metrics(plan: MonitoringPlan, first: Shown, last: Shown) -> SystemMetrics:
    """The metrics of the first and the last round; an alarm if one is worse by over the margin."""
    (first_loss, first_accuracy), (loss, accuracy) = first, last
    margin = plan.monitor.margin
    return SystemMetrics(
        Trend(first_loss, loss),
        Trend(first_accuracy, accuracy),
        loss - first_loss > margin or first_accuracy - accuracy > margin,
    )


NOTHING_SHOWN = SystemMetrics(Trend(None, None), Trend(None, None), alarm=False)
"""Before any round has sent its metrics."""


def told_versions(run: RunView) -> tuple[PlanVersion, ...]:
    """The plans of a ledger, the one in force last; none where there is only one."""
    if run.plan.versions is None or len(run.versions) < 2:
        return ()
    return tuple(
        PlanVersion(
            each.number, each.plan.name, each.plan.digest, each.first, each.last, each.goes_on
        )
        for each in run.versions
    )


def alike(rounds: Sequence[HistoryRound], found: Sequence[Finding]) -> tuple[HistoryRound, ...]:
    """The rounds that hold the modes of the last one: versions of a plan may ask for others."""
    codes = [each.code for each in found]
    return tuple(past for past in rounds if [each.code for each in past.findings] == codes)
