"""Judge again: what the recorded sums say, against what the record says they said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from unsilent.errors import UnsilentError
from unsilent.evidence.entries import KeptLedger
from unsilent.evidence.shapes import plan_fits
from unsilent.findings import Findings
from unsilent.inference import judge_rounds
from unsilent.inference.performance import drift_of, judge_performance
from unsilent.ledger import Entry, Ledger
from unsilent.ledger.events import (
    PlanDeclared,
    PlanFollowed,
    ReleaseBooked,
    RoundJudged,
    RoundSummed,
    event_of,
)
from unsilent.ledger.run_view import KeptEntries, RunView, Version
from unsilent.ledger.succession import goes_on, judged_as
from unsilent.plan import MonitoringPlan
from unsilent.release import Layout, PrivacyEvent, Release, epsilon
from unsilent.release.noise import planned_event
from unsilent.release.promise_before import in_earlier_words
from unsilent.server.handover import refuse_follower
from unsilent.server.monitor import Monitor

RELATIVE, ABSOLUTE = 1e-4, 1e-7
"""Numbers that differ by no more are the same: another processor rounds another way."""


def plan_faults(
    plan: MonitoringPlan, findings: Findings, entries: Sequence[Entry]
) -> Iterator[tuple[str, str]]:
    """Whether plan, findings and ledger belong together, and the plan came first."""
    declared = [entry for entry in entries if entry.kind == PlanDeclared.kind]
    if not declared or declared[0].index != 1:
        yield "ledger.jsonl", "the plan was not declared before everything else"
    elif len(declared) > 1:
        yield f"ledger entry {declared[1].index}", "a second plan was declared"
    elif plan.versions is not None:
        yield from _version_faults(plan, entries)
    elif declared[0].payload != PlanDeclared.of(plan).to_payload():
        yield "plan.json", "it is not the plan that was declared in the ledger: changed afterwards"
    if findings.plan != plan.digest:
        yield "findings.json", "the findings belong to another plan"


def _version_faults(plan: MonitoringPlan, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Plans that follow one another: each by the rules of a handover, the last one the pack's."""
    kept = KeptEntries(entries)
    if not plan_fits(entries[0].payload.get("plan")):
        yield "ledger entry 1", "a plan of more rounds or clients than are checked"
        return
    for entry in entries:
        if entry.kind != PlanFollowed.kind:
            continue
        where = f"ledger entry {entry.index}"
        try:
            event = event_of(entry)
            if not isinstance(event, PlanFollowed):
                continue
            if not plan_fits(event.plan):
                yield where, "a plan of more rounds or clients than are checked"
                return
            run, after = RunView(kept, entry.index - 1), event.parsed(where)
            if not after.absent:
                refuse_follower(run, after)
            before = run.versions[-1].plan
            told = (event.round, event.follows, event.digest, dict(event.plan), event.goes_on)
            made = (
                after.first_round - 1,
                before.digest,
                after.digest,
                after.to_json(),
                goes_on(before, after),
            )
            if told != made:
                yield where, "it does not say what its plans do"
        except UnsilentError as error:
            yield where, f"a plan that may not follow the one before it: {error.what}"
            return
    try:
        last = RunView(kept).versions[-1].plan
    except UnsilentError as error:
        yield "ledger.jsonl", error.what
        return
    if last.to_json() != plan.to_json():
        yield "plan.json", "it is not the plan in force in the ledger: changed afterwards"
    first = RunView(kept).declared
    if (
        first is not None
        and first.event.to_payload()
        != PlanDeclared.of(first.event.parsed("ledger.jsonl")).to_payload()
    ):
        yield "ledger entry 1", "it does not say what its plan does"


def _plans(plan: MonitoringPlan, entries: Sequence[Entry]) -> tuple[Version, ...]:
    """The plans of the entries, the one in force last; of one that has no versions itself."""
    if plan.versions is not None:
        return RunView(KeptEntries(entries)).versions
    return (Version(1, plan, entries[0], None, goes_on=False),)


def replayed_faults(
    plan: MonitoringPlan, findings: Findings, entries: Sequence[Entry]
) -> Iterator[tuple[str, str]]:
    """Where costs or findings do not follow from the ledger's events and sums.

    Each round is judged again from the sums up to it, and the published findings are made again
    from the ledger. Not for a plan of the first schema, whose modes and intervals were others: see
    ``cost_faults``.
    """
    costs = list(cost_faults(plan, entries))
    yield from costs
    totals: list[Release] = []
    alarms: dict[str, int] = {}
    known: dict[str, int] = {}
    found = bool(costs)
    versions = _plans(plan, entries)
    now, plan = 1, versions[0].plan
    judging = plan
    for entry in entries:
        where = f"ledger entry {entry.index}"
        try:
            event = event_of(entry)
            if isinstance(event, PlanFollowed):
                now += 1
                plan, judging = versions[now - 1].plan, judged_as(_until_now(versions[:now]))
                if not versions[now - 1].goes_on:
                    totals, alarms, known = [], {}, {}
            elif isinstance(event, RoundSummed):
                total = event.total
                # A server that was killed before it judged a round has summed it again.
                if totals and totals[-1].round == total.round:
                    totals.pop()
                if totals and totals[-1].round > total.round:
                    yield where, "a sum of an earlier round than the sum before it"
                    return
                totals.append(total)
            elif isinstance(event, RoundJudged):
                if not totals or totals[-1].round != event.round:
                    yield where, "findings without the sum that they are of"
                    found = True
                    continue
                layout = Layout.of_release(plan, totals[-1].layout)
                judged = judge_rounds(judging, layout, totals, first_alarms=alarms)
                alarms = {f.code: f.first_alarm_round for f in judged if f.first_alarm_round}
                total = totals[-1]
                performed = judge_performance(plan, layout, totals, first_alarms=known)
                known = {f.key: f.first_alarm_round for f in performed if f.first_alarm_round}
                again = RoundJudged(
                    total.round,
                    total.clients,
                    [f.to_json() for f in judged],
                    [f.to_json() for f in performed],
                    [f.to_json() for f in drift_of(plan, layout, totals)],
                )
                at = difference(entry.payload, again.to_payload())
                if at is not None:
                    yield where, f"the findings do not follow from the recorded sums, at {at}"
                    found = True
        except (UnsilentError, KeyError, TypeError, ValueError, AttributeError):
            yield where, f"not a {entry.kind} entry of this plan"
            found = True
    if not found:
        yield from _published_faults(versions[-1].plan, findings, entries)


def _until_now(versions: Sequence[Version]) -> tuple[Version, ...]:
    """Plans as they stood when the last of these came into force."""
    return (*versions[:-1], replace(versions[-1], last=None))


def cost_faults(plan: MonitoringPlan, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Each sum was paid for beforehand, at the plan's price, and all within the budget."""
    paid: dict[int, PrivacyEvent] = {}
    price: PrivacyEvent | None = None
    plan = _plans(plan, entries)[0].plan
    for entry in entries:
        where = f"ledger entry {entry.index}"
        try:
            event = event_of(entry)
            if isinstance(event, PlanFollowed):
                yield from _over_budget(plan, paid)
                plan, price = event.parsed(where), None
            elif isinstance(event, ReleaseBooked):
                cost = event.cost
                if plan.versions is not None and cost.round not in plan.monitoring_rounds:
                    yield where, f"round {cost.round} is none of the plan in force"
                # The same in every round, and slow to work out for a plan of many.
                # Under the first schema a record moved what its modes were then; see ``modes``.
                bygone = plan.earlier and plan.privacy.unit == "record"
                price = price or (cost if bygone else planned_event(plan, cost.round))
                planned = replace(price, round=cost.round)
                if cost.round in paid:
                    yield where, f"round {cost.round} was paid for twice"
                elif difference(cost.to_json(), planned.to_json()) is not None:
                    yield where, "a privacy event that is not the plan's"
                # One that is not the plan's has been named; what it would cost is beside the point.
                paid[cost.round] = planned
            elif isinstance(event, RoundSummed) and event.round not in paid:
                yield where, "a sum whose privacy cost was not booked before it"
        except UnsilentError as error:
            yield where, error.what
    yield from _over_budget(plan, paid)


def _over_budget(
    plan: MonitoringPlan, paid: Mapping[int, PrivacyEvent]
) -> Iterator[tuple[str, str]]:
    """Whether a plan's own releases, and those of all versions so far, cost more than declared."""
    if not plan.privacy.private:
        return
    delta, most = plan.privacy.delta, plan.privacy.rounds_per_client
    own = [cost for number, cost in paid.items() if number >= plan.first_round]
    for costs, budget in ((own, plan.privacy.epsilon), ([*paid.values()], plan.whole_epsilon)):
        spent = epsilon(costs, delta, most)
        if spent > budget * (1 + 1e-6):
            yield "ledger.jsonl", f"its releases cost epsilon {spent:.3f}, over the plan's budget"
            return


def _published_faults(
    plan: MonitoringPlan, findings: Findings, entries: Sequence[Entry]
) -> Iterator[tuple[str, str]]:
    """What ``findings.json`` says that the ledger does not."""
    try:
        monitor = Monitor(
            plan,
            cast("Ledger", KeptLedger(entries)),
            scenario=findings.scenario,
            accept_underpowered=True,
        )
        again = monitor.findings()
    except (UnsilentError, KeyError, TypeError, ValueError) as error:
        what = (
            error.what if isinstance(error, UnsilentError) else "an entry lacks what it should say"
        )
        yield "ledger.jsonl", what
        return
    # The truth of a simulation is beside the record, not in it.
    bare = replace(
        findings,
        findings=tuple(replace(f, oracle=None) for f in findings.findings),
        performance=tuple(replace(f, oracle=None) for f in findings.performance),
    )
    told, made = bare.privacy.statement, again.privacy
    spent = made.epsilon_spent
    if spent is not None and told == in_earlier_words(plan, spent, made.releases, made.statement):
        again = replace(again, privacy=replace(made, statement=told))
    at = difference(bare.to_json(), again.to_json())
    if at is not None:
        yield "findings.json", f"it does not follow from the ledger, at {at}"


def difference(told: Any, again: Any, at: str = "") -> str | None:
    """Where two JSON values differ by more than rounding, as a path; None if they do not."""
    if isinstance(told, Mapping) and isinstance(again, Mapping):
        one, other = cast("Mapping[str, Any]", told), cast("Mapping[str, Any]", again)
        if set(one) != set(other):
            return f"{at}.{sorted(set(one) ^ set(other))[0]}".lstrip(".")
        found = (difference(one[key], other[key], f"{at}.{key}") for key in sorted(one))
        return next((each for each in found if each is not None), None)
    if isinstance(told, (list, tuple)) and isinstance(again, (list, tuple)):
        first, second = cast("Sequence[Any]", told), cast("Sequence[Any]", again)
        if len(first) != len(second):
            return at.lstrip(".") or "its length"
        found = (
            difference(a, b, f"{at}[{place}]")
            for place, (a, b) in enumerate(zip(first, second, strict=True))
        )
        return next((each for each in found if each is not None), None)
    return None if _same(told, again) else (at.lstrip(".") or "its value")


def _same(told: Any, again: Any) -> bool:
    if isinstance(told, bool) or isinstance(again, bool):
        return told is again
    if isinstance(told, (int, float)) and isinstance(again, (int, float)):
        try:
            return math.isclose(told, again, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
        except OverflowError:
            # A whole number that no float holds is none that was worked out.
            return False
    return type(told) is type(again) and told == again
