"""What is told: how a run stands at an entry of its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from unsilent.errors import AlertError
from unsilent.findings import Drift, Finding, PerformanceFinding
from unsilent.governance.duties import Duty, duties
from unsilent.governance.status import status
from unsilent.ledger import Entry, Ledger
from unsilent.ledger.events import MonitoringStopped, RoundJudged, RoundMissed, event_of
from unsilent.ledger.people import ComplaintRecorded
from unsilent.ledger.run_view import RunView
from unsilent.performance.cells import questions_of
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import epsilon
from unsilent.taxonomy import by_code

Told = RoundJudged | RoundMissed | MonitoringStopped | ComplaintRecorded
Status = Literal["failure", "healthy", "undetermined", "not_planned", "not_judged"]
STATUSES: tuple[Status, ...] = ("failure", "healthy", "undetermined", "not_planned", "not_judged")
"""What a mode can be: one of the verdicts, or why it has none. Exactly one at a time."""

VERDICTS: tuple[Status, ...] = ("failure", "healthy", "undetermined", "not_judged")
"""What a statistic of performance can be."""

Happening = Literal["judged", "missed", "stopped", "complaint"]
_HAPPENINGS: dict[type[Told], Happening] = {
    RoundJudged: "judged",
    RoundMissed: "missed",
    MonitoringStopped: "stopped",
    ComplaintRecorded: "complaint",
}
TOLD = tuple(each.kind for each in _HAPPENINGS)
"""Kinds of ledger entries that are told."""


@dataclass(frozen=True)
class ModeState:
    """How one mode stands.

    Attributes:
        code, mode: Its names in the taxonomy.
        status: Its verdict in the last judged round, or why it has none.
        finding: Its finding in the last judged round; None before the first.
    """

    code: str
    mode: str
    status: Status
    finding: Finding | None

    def numbers(self) -> dict[str, float]:
        """Effect, bounds (``lower``, ``upper``) and tolerance, those that there are."""
        return _numbers(self.finding)


@dataclass(frozen=True)
class StatisticState:
    """How one declared statistic of performance stands, in one group.

    Attributes:
        key: The statistic's key in the plan, and the group behind a slash.
        status: Its verdict in the last judged round; ``not_judged`` before the first.
        finding: Its finding in that round; None before the first.
    """

    key: str
    status: Status
    finding: PerformanceFinding | None

    def numbers(self) -> dict[str, float]:
        """As of a mode, and ``value`` and ``support``."""
        if self.finding is None:
            return {}
        more = {"value": self.finding.value, "support": self.finding.support}
        return {**_numbers(self.finding), **{n: v for n, v in more.items() if v is not None}}


@dataclass(frozen=True)
class RunStatus:
    """How a run stands.

    Attributes:
        name, plan: The plan's name and digest.
        modes: Those that its findings hold, in the taxonomy's order.
        planned, judged, missed: Monitoring rounds of the plan and those before it, and what became
            of those so far.
        judged_round, missed_round: The last of each, counted from 1; None if there is none.
        stopped: The round from which on nothing is monitored, since the budget is spent.
        duties_open, duties_unheard: Duties that are not done, and those of them that nobody has
            said to know of; None of a plan that declares no triggers.
        overdue: Duties and reviews that are overdue now; None where nothing is declared.
        epsilon_spent, epsilon, delta: What the releases cost, and the plan's budget; None of a
            plan without differential privacy.
        statistics: Those of performance on records, in the plan's order.
        drift: What of the records is watched, as of the last judged round.
    """

    name: str
    plan: str
    modes: tuple[ModeState, ...]
    planned: int
    judged: int
    missed: int
    judged_round: int | None
    missed_round: int | None
    stopped: int | None
    epsilon_spent: float | None
    epsilon: float | None
    delta: float | None
    duties_open: int | None = None
    duties_unheard: int | None = None
    overdue: int | None = None
    statistics: tuple[StatisticState, ...] = ()
    drift: tuple[Drift, ...] = ()

    @property
    def epsilon_left(self) -> float | None:
        """What the plan's budget still allows, at least 0; None if there is none."""
        if self.epsilon is None or self.epsilon_spent is None:
            return None
        return max(0.0, self.epsilon - self.epsilon_spent)


@dataclass(frozen=True)
class Alert:
    """One thing to tell.

    Attributes:
        happening: A round was judged or missed, monitoring stopped for good, or there was a
            complaint.
        round: Which one; of a complaint the last one that was judged or missed, 0 before the first.
        key: The hash of its ledger entry: the same however often it is told.
        index: The index of that entry.
        time: When it was written, UTC, ISO 8601.
        reason: Why a round was missed, or monitoring stopped.
        state: How the run stood then.
        duties: What the plan's triggers ask for on account of it.
    """

    happening: Happening
    round: int
    key: str
    index: int
    time: str
    reason: str | None
    state: RunStatus
    duties: tuple[Duty, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """What it is about: its happening and, of a judged round, the verdicts in it.

        Those about performance on records are verdicts as the modes' are; ``drift`` is there where
        the records have changed.
        """
        found: set[str] = set()
        if self.happening == "judged":
            found |= {each.status for each in (*self.state.modes, *self.state.statistics)}
            found |= {"drift" for each in self.state.drift if each.shifted}
        return frozenset({self.happening, *found, *(("trigger",) if self.duties else ())})

    def to_json(self) -> dict[str, Any]:
        """The event as JSON-ready data; its findings as in ``findings.json``."""
        state = self.state
        return {
            "schema": "unsilent/alert/1",
            "event": self.happening,
            "round": self.round,
            "time": self.time,
            "ledger_entry": self.key,
            "reason": self.reason,
            "plan": {"name": state.name, "digest": state.plan},
            "rounds": {"planned": state.planned, "judged": state.judged, "missed": state.missed},
            "last_judged_round": state.judged_round,
            "status": {mode.code: mode.status for mode in state.modes},
            "findings": [m.finding.to_json() for m in state.modes if m.finding is not None],
            "privacy": {
                "epsilon_spent": state.epsilon_spent,
                "epsilon": state.epsilon,
                "delta": state.delta,
            },
            **({"duties": [_duty(each) for each in self.duties]} if self.duties else {}),
            **_performance(state),
        }


def alert_of(ledger: Ledger, entry: Entry) -> Alert:
    """What an entry of one of the kinds in ``TOLD`` tells."""
    told = event_of(entry)
    if not isinstance(told, Told):
        raise AlertError(f"a {entry.kind} entry is not told", where=f"ledger entry {entry.index}")
    state = read_state(ledger, entry.index)
    run = RunView(ledger, entry.index)
    asked = duties(run.plan, run)
    complaint = isinstance(told, ComplaintRecorded)
    return Alert(
        _HAPPENINGS[type(told)],
        max(state.judged_round or 0, state.missed_round or 0) if complaint else told.round,
        entry.hash,
        entry.index,
        entry.time,
        # What a complaint says is private, and not in the ledger.
        f"a {told.what} ({told.about})" if complaint else getattr(told, "reason", None),
        state,
        tuple(duty for duty in asked if duty.cause.entry.index == entry.index),
    )


def _performance(state: RunStatus) -> dict[str, Any]:
    """What is told of performance on records; nothing under a plan that does not ask for it."""
    if not state.statistics:
        return {}
    found = [each.finding for each in state.statistics]
    return {
        "statistics": {each.key: each.status for each in state.statistics},
        "performance": [each.to_json() for each in found if each is not None],
        "drift": [each.to_json() for each in state.drift],
    }


def _duty(duty: Duty) -> dict[str, Any]:
    """What a trigger asks for: never done yet, since it has only now come about."""
    return {
        "on": duty.cause.on,
        "code": duty.cause.code,
        "words": duty.cause.words,
        "action": duty.action,
        "within_hours": duty.within,
    }


def read_state(ledger: Ledger, upto: int | None = None) -> RunStatus:
    """How a run stands, or stood at an entry; a few short reads, however long the ledger is.

    Args:
        ledger: A run's.
        upto: Index of the last entry that counts; None for the newest.

    Raises:
        AlertError: No run has begun here.
        LedgerError: The ledger cannot be read.
    """
    run = RunView(ledger, ledger.size if upto is None else upto)
    if run.declared is None:
        raise AlertError(
            "no run has begun here", where=ledger.where, remedy="Name the ledger of a run."
        )
    plan, privacy = run.plan, run.plan.privacy
    judged, missed = run.newest(RoundJudged), run.newest(RoundMissed)
    # Of a plan that was followed: no verdict of its tolerances is one of this plan's.
    own = [each for each in judged if each.event.round >= plan.first_round]
    stands = None if plan.governance is None else status(plan, run, datetime.now(UTC))
    triggers = stands is not None and bool(
        (plan.governance and plan.governance.triggers) or stands.duties
    )
    found = own[0].event.parsed() if own else ()
    return RunStatus(
        name=plan.name,
        plan=plan.digest,
        modes=_modes(plan, {finding.code: finding for finding in found}),
        # Each round of the versions before was one: plans follow one another in a watch alone.
        planned=len(plan.monitoring_rounds) + plan.first_round - 1,
        judged=run.count(RoundJudged),
        missed=run.count(RoundMissed),
        judged_round=judged[0].event.round if judged else None,
        missed_round=missed[0].event.round if missed else None,
        stopped=None if run.stopped is None else run.stopped.round,
        epsilon_spent=(
            epsilon(run.costs, privacy.delta, privacy.rounds_per_client)
            if privacy.private
            else None
        ),
        epsilon=plan.whole_epsilon if privacy.private else None,
        delta=privacy.delta if privacy.private else None,
        duties_open=len(stands.pressing) if stands is not None and triggers else None,
        duties_unheard=stands.unheard if stands is not None and triggers else None,
        overdue=None if stands is None else stands.overdue,
        statistics=_statistics(plan, own[0].event.performed() if own else ()),
        drift=own[0].event.drifted() if own else (),
    )


def _statistics(
    plan: MonitoringPlan, found: tuple[PerformanceFinding, ...]
) -> tuple[StatisticState, ...]:
    known = {each.key: each for each in found}
    return tuple(
        StatisticState(
            each.key,
            known[each.key].verdict if each.key in known else "not_judged",
            known.get(each.key),
        )
        for each in questions_of(plan.performance)
    )


def _modes(plan: MonitoringPlan, findings: dict[str, Finding]) -> tuple[ModeState, ...]:
    def status(code: str, mode: str) -> Status:
        if code not in plan.planned and mode not in plan.absent:
            return "not_planned"
        finding = findings.get(code)
        return "not_judged" if finding is None or finding.verdict is None else finding.verdict

    names = {code: by_code(code).mode for code in plan.reported}
    # A mode that is not installed here is known from its findings alone.
    names |= {code: found.mode for code, found in findings.items() if found.mode in plan.absent}
    return tuple(
        ModeState(code, mode, status(code, mode), findings.get(code))
        for code, mode in names.items()
    )


def _numbers(finding: Finding | PerformanceFinding | None) -> dict[str, float]:
    """Effect, bounds and tolerance of a finding, those that there are."""
    if finding is None:
        return {}
    lower, upper = finding.interval or (None, None)
    values = {
        "effect": finding.effect,
        "lower": lower,
        "upper": upper,
        "tolerance": finding.tolerance,
    }
    return {name: value for name, value in values.items() if value is not None}
