"""One plan follows another in the same ledger: whether it may, and that it does.

What is refused here a verifier refuses too, from the entries before the handover alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from unsilent.errors import PlanError, RunError
from unsilent.ledger import Ledger
from unsilent.ledger.events import PlanFollowed, ReleaseBooked, RoundJudged, RoundMissed
from unsilent.ledger.run_view import RunView, Version
from unsilent.ledger.succession import error_spent, goes_on
from unsilent.plan import MonitoringPlan
from unsilent.release import PrivacyEvent, epsilon
from unsilent.release.noise import planned_event

_ROUNDING = 1e-9


def hand_over(ledger: Ledger, run: RunView, plan: MonitoringPlan) -> None:
    """Let a plan follow the one in force, once ``refuse_follower`` let it pass."""
    before = run.versions[-1].plan
    ledger.record(
        PlanFollowed(
            plan.first_round - 1, before.digest, plan.digest, plan.to_json(), goes_on(before, plan)
        )
    )


def refuse_follower(run: RunView, plan: MonitoringPlan) -> None:
    """Raise unless a plan may follow the one in force.

    Raises:
        RunError: It does not follow that plan where that plan is.
        PlanError: It would have more of error or budget than is left, or count them anew.
    """
    versions = run.versions
    before = versions[-1].plan
    if plan.versions is None or plan.follows != before.digest:
        raise _elsewhere(versions, plan)
    if run.stopped is not None:
        raise RunError(
            f"monitoring stopped for good from round {run.stopped.round} on",
            where="versions.follows",
            remedy="What the budget ended no plan goes on with; begin a ledger of its own.",
        )
    _refuse_round(run, plan)
    _refuse_terms(before, plan)
    _refuse_error(versions, plan)
    _refuse_cost(run.costs, plan)


def _elsewhere(versions: Sequence[Version], plan: MonitoringPlan) -> RunError:
    for version in versions[:-1]:
        if plan.digest == version.plan.digest:
            return RunError(
                f"this plan was followed after round {version.last}",
                where="ledger",
                remedy="Go on with the plan that is in force.",
            )
        if plan.follows == version.plan.digest:
            return RunError(
                "another plan follows the one that this plan says it follows",
                where="versions.follows",
                remedy="Name the digest of the plan in force: "
                f"{versions[-1].plan.digest}, with its last round.",
            )
    if plan.follows is None:
        return RunError(
            "the ledger belongs to another plan",
            where="ledger",
            remedy="Name another folder, or the plan that this run was started with.",
        )
    return RunError(
        "the ledger is not that of the plan that this one follows",
        where="versions.follows",
        remedy=f"Name the digest of the plan in force here, {versions[-1].plan.digest}, or the "
        "folder of the plan that is meant.",
    )


def last_round(run: RunView) -> int:
    """The last round of the plan in force that was judged or missed, or where it begins."""
    told = [*run.events(RoundJudged), *run.events(RoundMissed)]
    rounds = [each.event.round for each in told]
    return max([run.versions[-1].first - 1, *rounds])


def _refuse_round(run: RunView, plan: MonitoringPlan) -> None:
    last, named = last_round(run), plan.first_round - 1
    begun = [each.event.cost.round for each in run.events(ReleaseBooked)]
    if max(begun, default=0) > last:
        raise RunError(
            f"round {max(begun)} has begun, and nothing is said of it yet",
            where="versions.last",
            remedy="End it under its own plan: the same command with that plan goes on with it.",
        )
    if last < run.versions[-1].first:
        raise RunError(
            "the plan in force has had no round",
            where="versions.follows",
            remedy="Let it have one, or begin with this plan and without versions.follows.",
        )
    if named != last:
        raise RunError(
            f"the last round of the plan that it follows is {last}, and this one says {named}",
            where="versions.last",
            remedy=f"Set it to {last}.",
        )


def _refuse_terms(before: MonitoringPlan, plan: MonitoringPlan) -> None:
    old, new = before.versions, plan.versions
    if old is None:
        raise PlanError(
            "the plan that it follows kept no part of its error or budget for one that follows",
            where="versions.follows",
            remedy="Only a plan with [versions] is followed. Begin a ledger of its own.",
        )
    shared = {
        "versions.alpha": (old.alpha, new.alpha if new else None),
        "versions.epsilon": (old.epsilon, new.epsilon if new else None),
        "privacy.unit": (before.privacy.unit, plan.privacy.unit),
        "privacy.adjacency": (before.privacy.adjacency, plan.privacy.adjacency),
        "privacy.delta": (before.privacy.delta, plan.privacy.delta),
    }
    for key, (was, now) in shared.items():
        if was != now:
            raise PlanError(
                f"it is {was} in the plan before and {now} here: what all versions share is "
                "counted through all of them",
                where=key,
                remedy=f"Set it to {was}.",
            )
    if before.privacy.aggregation == "secure-sum" and plan.privacy.aggregation == "plain":
        raise PlanError(
            "the plan before sums securely, and its clients send nothing in plain",
            where="privacy.aggregation",
            remedy='Leave it at "secure-sum".',
        )
    if before.governance is not None and plan.governance is None:
        raise PlanError(
            "the plan before declares who reviews and decides, and this one nobody",
            where="governance",
            remedy="Keep the table; who is in it may change.",
        )
    reference = plan.reference_round
    if reference and reference != before.reference_round:
        raise PlanError(
            f"the model of round {reference} was not kept as a reference by the plan before",
            where="monitor.reference",
            remedy='Set it to "base", or to what it was.',
        )


def _refuse_error(versions: Sequence[Version], plan: MonitoringPlan) -> None:
    if plan.versions is None or goes_on(versions[-1].plan, plan):
        return
    spent, alpha = error_spent(versions), plan.monitor.alpha
    left = plan.versions.alpha - spent
    if alpha <= left * (1 + _ROUNDING):
        return
    if left <= plan.versions.alpha * _ROUNDING:
        what = f"nothing is left of the {plan.versions.alpha:g} of all versions"
        remedy = "The versions before used all of it. Begin a ledger of its own."
    else:
        what = (
            f"{alpha:g} is more than the {left:.4g} that is left of the {plan.versions.alpha:g} of "
            "all versions"
        )
        # A series that never ends: version k has 1 / (k (k + 1)) of the whole.
        share = left / (len([v for v in versions if not v.goes_on]) + 2)
        remedy = f"Set it to {left:.4g} at most; {share:.3g} leaves some for later ones."
    raise PlanError(what, where="monitor.alpha", remedy=remedy)


def planned_cost(plan: MonitoringPlan) -> list[PrivacyEvent]:
    """What all rounds of a plan cost a client."""
    rounds = plan.monitoring_rounds
    price = planned_event(plan, rounds[0])
    return [replace(price, round=number) for number in rounds]


def _refuse_cost(costs: Sequence[PrivacyEvent], plan: MonitoringPlan) -> None:
    privacy = plan.privacy
    if not privacy.private or plan.versions is None or plan.versions.epsilon is None:
        return
    cost = epsilon([*costs, *planned_cost(plan)], privacy.delta)
    if cost <= plan.versions.epsilon * (1 + _ROUNDING):
        return
    spent = epsilon(costs, privacy.delta)
    raise PlanError(
        f"with the releases so far, which cost epsilon {spent:.3f}, its rounds would bring a "
        f"client to {cost:.3f}, over the {plan.versions.epsilon:g} of all versions",
        where="privacy.epsilon",
        remedy="Lower it, or monitor fewer rounds.",
    )
