"""Duties: what a plan's triggers ask for, whether anybody knows, by when it is due, what was done.

They follow from the plan and the ledger alone, so that none can be forgotten or taken back: each
row of the table of triggers is a duty for each thing that it is about. A deadline counts from when
a person was aware; before that there is none, which is told as its own state and never as "open".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from unsilent.governance.people import same_person
from unsilent.ledger import Entry
from unsilent.ledger.events import (
    GateOverridden,
    MonitoringStopped,
    PersonAware,
    RoundJudged,
    RoundMissed,
)
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ComplaintAnswered,
    ComplaintRecorded,
    OverrideAnswered,
    OverrideAsked,
    PersonTold,
    ReviewHeld,
)
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan
from unsilent.plan.governance import GovernancePlan, Happening, TriggerPlan
from unsilent.taxonomy import by_code

Standing = Literal["nobody aware", "open", "overdue", "done", "done late"]
STANDINGS: tuple[Standing, ...] = ("overdue", "nobody aware", "open", "done late", "done")
"""The most pressing first."""


@dataclass(frozen=True)
class Deed:
    """Something that a person did: when, in which ledger entry, who, and in which words."""

    time: datetime
    entry: int
    by: str
    words: str = ""

    @property
    def said(self) -> str:
        """Who, and the words."""
        return f"{self.by}: {self.words}"


@dataclass(frozen=True)
class Cause:
    """What a duty is about.

    Attributes:
        on: What happened.
        code: The mode that it is of; None of what is of no mode.
        entry: The ledger entry that says so.
        words: A sentence.
    """

    on: Happening
    code: str | None
    entry: Entry
    words: str

    @property
    def time(self) -> datetime:
        """When it was recorded."""
        return moment(self.entry)


@dataclass(frozen=True)
class Duty:
    """One row of the table of triggers, for one cause.

    Attributes:
        cause: What it is about.
        action: What has to follow.
        within: Hours from awareness; None without a deadline.
        aware: Who first said to know of it; None if nobody has.
        aware_by: Until when somebody should; None if the plan does not say.
        done: What fulfilled it; None as long as nothing has.
    """

    cause: Cause
    action: str
    within: float | None
    aware: Deed | None
    aware_by: datetime | None
    done: Deed | None

    @property
    def due(self) -> datetime | None:
        """Until when it is to be done; None without a deadline, or while nobody is aware."""
        if self.aware is None or self.within is None:
            return None
        return self.aware.time + timedelta(hours=self.within)

    @property
    def aware_late(self) -> bool:
        """Whether the first who said to know of it said so later than the plan asks for."""
        if self.aware is None or self.aware_by is None:
            return False
        return self.aware.time > self.aware_by

    def standing(self, now: datetime) -> Standing:
        """How it stands at a time."""
        if self.done is not None:
            late = self.due is not None and self.done.time > self.due
            return "done late" if late else "done"
        if self.aware is None:
            return "overdue" if self._unheard(now) else "nobody aware"
        return "overdue" if self.due is not None and now > self.due else "open"

    def _unheard(self, now: datetime) -> bool:
        return self.aware_by is not None and now > self.aware_by


def moment(entry: Entry) -> datetime:
    """When an entry was written, by its writer's clock."""
    return datetime.fromisoformat(entry.time)


def duties(plan: MonitoringPlan, run: RunView) -> tuple[Duty, ...]:
    """All duties of a run, in the order of their causes. Raises LedgerError.

    Returns none of a plan without ``[governance]``, which declares none: see ``status``.
    """
    if plan.versions is None and (plan.governance is None or not plan.governance.triggers):
        return ()
    acts = _Acts(run)
    found = [
        _duty(governance, row, cause, acts)
        for declared, entries, told in _in_force(plan, run)
        if (governance := declared.governance) is not None
        for row in governance.triggers
        for cause in _CAUSES[row.on](declared, row, run, 0 if row in told else entries.start)
        if cause.entry.index in entries
    ]
    return tuple(sorted(found, key=lambda duty: duty.cause.entry.index))


def _in_force(
    plan: MonitoringPlan, run: RunView
) -> list[tuple[MonitoringPlan, range, tuple[TriggerPlan, ...]]]:
    """Each plan with the entries while it was in force: a later one takes no duty back.

    And the rows of which what lasts from before is no new cause: those that a plan had, too, whose
    verdicts go on. To any other what was a FAILURE before it is one since it began.
    """
    if plan.versions is None:
        return [(plan, range(sys.maxsize), ())]
    versions = run.versions
    starts = [0, *(each.entry.index for each in versions[1:]), sys.maxsize]
    before = [None, *(each.plan.governance for each in versions[:-1])]
    return [
        (
            each.plan,
            range(start, end),
            earlier.triggers if each.goes_on and earlier is not None else (),
        )
        for each, (start, end), earlier in zip(versions, pairwise(starts), before, strict=True)
    ]


def causes(plan: MonitoringPlan, run: RunView) -> tuple[Cause, ...]:
    """All that triggers could be about, whether or not the plan has one for it, oldest first."""
    found = [
        cause
        for on, of in _CAUSES.items()
        if on != "undetermined"
        for cause in of(plan, TriggerPlan(on=on, action="inform"), run, 0)
    ]
    known = {(each.entry.index, each.words) for each in found}
    for duty in duties(plan, run):
        if (duty.cause.entry.index, duty.cause.words) not in known:
            known.add((duty.cause.entry.index, duty.cause.words))
            found.append(duty.cause)
    return tuple(sorted(found, key=lambda cause: cause.entry.index))


def aware_of(run: RunView, entry: Entry) -> Deed | None:
    """Who first said to know of a failure that an entry found: as its duty would have it."""
    return _Acts(run).awareness(Cause("failure", None, entry, ""))


def holding(plan: MonitoringPlan, run: RunView) -> tuple[Duty, ...]:
    """Duties for whose sake the gate promotes nothing: to ``hold``, and not done."""
    governance = plan.governance
    if governance is None or all(row.action != "hold" for row in governance.triggers):
        return ()
    return tuple(d for d in duties(plan, run) if d.action == "hold" and d.done is None)


class _Acts:
    """What people did in a run, each kind read once."""

    def __init__(self, run: RunView) -> None:
        self.aware = run.events(PersonAware)
        self.overridden = run.events(GateOverridden)
        self.asked = run.events(OverrideAsked)
        self.answered = run.events(OverrideAnswered)
        self.told = run.events(PersonTold)
        self.reviews = run.events(ReviewHeld)
        self.opened = run.events(ActionOpened)
        self.closed = run.events(ActionClosed)
        # Of several the first one counts, as the record shows it.
        replies: dict[str, Recorded[ComplaintAnswered]] = {}
        for each in run.events(ComplaintAnswered):
            replies.setdefault(each.event.complaint, each)
        self.replies = tuple(replies.values())

    def awareness(self, cause: Cause) -> Deed | None:
        """Who first said to know of a cause.

        A complaint and an override are known by being written down. Whoever says to know of the
        findings, reviews them or overrides the gate knows of all before; who acts on another
        cause need not know of this one.
        """
        if cause.on in ("complaint", "override"):
            return Deed(cause.time, cause.entry.index, str(cause.entry.payload["by"]))
        general = [*self.aware, *self.reviews, *self.overridden, *self.asked, *self.answered]
        own = [each for each in (*self.told, *self.opened) if each.event.cause == cause.entry.hash]
        return _first([*_after(general, cause), *_after(own, cause)])

    def fulfilled(self, action: str, cause: Cause, informed: Sequence[str]) -> Deed | None:
        """What did that which a trigger asks for; of several who are to be told, the last one."""
        mark = cause.entry.hash
        if action == "inform":
            told = [each for each in self.told if each.event.cause == mark]
            if not informed:
                return _first(told)
            each_one = [_told(told, name) for name in informed]
            known = [deed for deed in each_one if deed is not None]
            complete = len(known) == len(each_one)
            return max(known, key=lambda deed: deed.entry) if complete else None
        if action == "review":
            return _first(_after(self.reviews, cause))
        mine = {e.entry.hash for e in self.opened if e.event.cause == mark}
        done: list[Recorded[ActionClosed] | Recorded[ComplaintAnswered]] = [
            each for each in self.closed if each.event.action in mine
        ]
        # A complaint that is not upheld asks for no correction.
        done += [
            each
            for each in self.replies
            if each.event.complaint == mark and each.event.outcome != "upheld"
        ]
        return _first(done)


def _told(told: Sequence[Recorded[PersonTold]], name: str) -> Deed | None:
    return _first([each for each in told if same_person(each.event.who, name)])


def _after(acts: Sequence[Recorded], cause: Cause) -> list[Recorded]:
    return [each for each in acts if each.entry.index > cause.entry.index]


def _first(acts: Sequence[Recorded]) -> Deed | None:
    if not acts:
        return None
    first = min((each.entry for each in acts), key=lambda entry: entry.index)
    told = first.payload
    words = next((told[key] for key in ("note", "reason", "what") if key in told), "")
    return Deed(moment(first), first.index, str(told["by"]), str(words))


def _duty(governance: GovernancePlan, row: TriggerPlan, cause: Cause, acts: _Acts) -> Duty:
    by = None
    if governance.aware_within is not None and cause.on not in ("complaint", "override"):
        by = cause.time + timedelta(hours=governance.aware_within)
    return Duty(
        cause,
        row.action,
        row.within,
        acts.awareness(cause),
        by,
        acts.fulfilled(row.action, cause, governance.roles.informed),
    )


def _verdicts(plan: MonitoringPlan, row: TriggerPlan, run: RunView, since: int) -> Iterator[Cause]:
    """Each time that a mode comes to the verdict; while it stays there it is the same cause."""
    wanted = {code for code in plan.planned if not row.modes or by_code(code).mode in row.modes}
    word = "a FAILURE" if row.on == "failure" else "UNDETERMINED"
    before: dict[str, str] = {}
    for judged in run.events(RoundJudged, since):
        told = {code: v for code, v in judged.event.verdicts.items() if code in wanted}
        # Performance on records is of no mode: a row that names none is about it, too.
        performed = {} if row.modes else _performed(judged.event)
        for name, verdict in {**told, **performed}.items():
            if verdict == row.on and before.get(name) != verdict:
                words = f"{name} is {word} since round {judged.event.round}"
                yield Cause(row.on, None if name in performed else name, judged.entry, words)
            before[name] = verdict


def _performed(judged: RoundJudged) -> dict[str, str]:
    """Verdicts about performance on records, by what each is of. Raises KeyError."""
    found: dict[str, str] = {}
    for each in judged.performance:
        within = "" if each["group"] is None else f" within {each['group']}"
        name = f"{each['name']}{within} ({each['records']} records, against {each['compared']})"
        found[name] = each["verdict"]
    return found


def _missed(plan: MonitoringPlan, row: TriggerPlan, run: RunView, since: int) -> Iterator[Cause]:
    """Each missed round that does not follow another one."""
    rounds = [*run.events(RoundJudged, since), *run.events(RoundMissed, since)]
    last: type | None = None
    for each in sorted(rounds, key=lambda each: each.entry.index):
        if isinstance(each.event, RoundMissed) and last is not RoundMissed:
            yield Cause("missed", None, each.entry, f"round {each.event.round} was missed")
        last = type(each.event)


def _stopped(plan: MonitoringPlan, row: TriggerPlan, run: RunView, since: int) -> Iterator[Cause]:
    for each in run.events(MonitoringStopped, limit=1):
        yield Cause("stopped", None, each.entry, "monitoring stopped: the budget is spent")


def _complaints(
    plan: MonitoringPlan, row: TriggerPlan, run: RunView, since: int
) -> Iterator[Cause]:
    for each in run.events(ComplaintRecorded):
        if each.event.what == "complaint":
            words = f"a complaint ({each.event.about})"
            yield Cause("complaint", each.event.mode, each.entry, words)


def _overrides(plan: MonitoringPlan, row: TriggerPlan, run: RunView, since: int) -> Iterator[Cause]:
    said = [*run.events(GateOverridden), *run.events(OverrideAsked)]
    for each in sorted(said, key=lambda each: each.entry.index):
        words = f"{each.event.by} asks for the adapter of round {each.event.round}"
        yield Cause("override", None, each.entry, words)


_CAUSES: dict[Happening, Callable[[MonitoringPlan, TriggerPlan, RunView, int], Iterator[Cause]]] = {
    "failure": _verdicts,
    "undetermined": _verdicts,
    "missed": _missed,
    "stopped": _stopped,
    "complaint": _complaints,
    "override": _overrides,
}
