"""How a run's record stands at a time: roles, duties, reviews, complaints, actions, retention.

What nobody declared is None in it, and "not declared" in words: no complaints where nobody said how
to complain is another thing than none where they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from unsilent.governance.duties import STANDINGS, Duty, Standing, duties, moment
from unsilent.governance.membership import Membership, membership
from unsilent.ledger import Entry
from unsilent.ledger.events import PlanDeclared
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ComplaintAnswered,
    ComplaintRecorded,
    PersonTold,
    ReviewHeld,
)
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan
from unsilent.plan.governance import GovernancePlan


@dataclass(frozen=True)
class Complaint:
    """A complaint or feedback with its answer, if it has one; its text is not here."""

    told: Recorded[ComplaintRecorded]
    answer: Recorded[ComplaintAnswered] | None

    @property
    def state(self) -> str:
        """Its outcome, "open" of a complaint without one, "noted" of feedback."""
        if self.answer is not None:
            return self.answer.event.outcome
        return "open" if self.told.event.what == "complaint" else "noted"


@dataclass(frozen=True)
class Corrective:
    """A corrective action with what closed it, if anything did."""

    opened: Recorded[ActionOpened]
    closed: Recorded[ActionClosed] | None


@dataclass(frozen=True)
class Reviews:
    """Reviews and their cadence.

    Attributes:
        held: All of them, oldest first.
        begun: When the run began, from which the first one is counted.
        every: The most days between two; None if the plan does not say.
        asked: Of each that was held, the most days that the plan then in force left for it: one
            that follows makes none late, nor in time.
    """

    held: tuple[Recorded[ReviewHeld], ...]
    begun: datetime | None
    every: float | None
    asked: tuple[float | None, ...]

    @property
    def next_due(self) -> datetime | None:
        """Until when the next one is to be held; None without a cadence."""
        since = moment(self.held[-1].entry) if self.held else self.begun
        if self.every is None or since is None:
            return None
        return since + timedelta(days=self.every)

    def overdue(self, now: datetime) -> bool:
        """Whether the next one should have been held."""
        return self.next_due is not None and now > self.next_due

    @property
    def late(self) -> tuple[Recorded[ReviewHeld], ...]:
        """Those that were held later than they were due; being held does not mend that."""
        if self.begun is None:
            return ()
        found: list[Recorded[ReviewHeld]] = []
        since = self.begun
        for each, days in zip(self.held, self.asked, strict=True):
            if days is not None and moment(each.entry) > since + timedelta(days=days):
                found.append(each)
            since = moment(each.entry)
        return tuple(found)


@dataclass(frozen=True)
class Status:
    """How the record of a run stands.

    Attributes:
        as_of: The time that deadlines are held against.
        declared: The plan's table; None of a plan without one.
        duties: What its triggers ask for; see ``duties``.
        reviews: Held, and due.
        complaints: With their answers, oldest first; feedback among them.
        actions: Corrective ones, oldest first.
        told: Who was told of what.
        kept_until: Until when the record is to be kept; None if the plan does not say.
        clients: Who is in and was, in numbers; None where nobody recorded that any left or joined.
    """

    as_of: datetime
    declared: GovernancePlan | None
    duties: tuple[Duty, ...]
    reviews: Reviews
    complaints: tuple[Complaint, ...]
    actions: tuple[Corrective, ...]
    told: tuple[Recorded[PersonTold], ...]
    kept_until: datetime | None
    clients: Membership | None = None

    def standing(self, duty: Duty) -> Standing:
        """How a duty stands."""
        return duty.standing(self.as_of)

    @property
    def pressing(self) -> tuple[Duty, ...]:
        """Duties that are not done, the most pressing first."""
        found = [duty for duty in self.duties if duty.done is None]
        return tuple(sorted(found, key=lambda duty: STANDINGS.index(self.standing(duty))))

    @property
    def by_need(self) -> tuple[Duty, ...]:
        """All duties: those that are not done first, then the others."""
        return (*self.pressing, *(duty for duty in self.duties if duty.done is not None))

    @property
    def overdue(self) -> int:
        """How many duties are overdue, and a review that is."""
        late = sum(self.standing(duty) == "overdue" for duty in self.duties)
        return late + self.reviews.overdue(self.as_of)

    @property
    def unheard(self) -> int:
        """How many duties nobody has said to know of: their deadlines have not begun."""
        return sum(duty.aware is None and duty.done is None for duty in self.duties)

    @property
    def open_complaints(self) -> int:
        """How many complaints have no answer."""
        return sum(each.state == "open" for each in self.complaints)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; what nobody declared is None."""
        declared = self.declared
        return {
            "as_of": _text(self.as_of),
            "declared": None if declared is None else declared.model_dump(mode="json"),
            "overdue": self.overdue,
            "nobody_aware": self.unheard,
            "duties": [_duty(duty, self.standing(duty)) for duty in self.duties],
            "reviews": {
                "held": [_recorded(each) for each in self.reviews.held],
                "late": [each.entry.index for each in self.reviews.late],
                "next_due": _text(self.reviews.next_due),
                "overdue": self.reviews.overdue(self.as_of)
                if self.reviews.next_due is not None
                else None,
            },
            "complaints": {
                "where": None if declared is None else declared.complaints,
                "counts": counts(self.complaints),
                "each": [_complaint(each) for each in self.complaints],
            },
            "actions": [
                {
                    **_recorded(each.opened),
                    "closed": None if each.closed is None else _recorded(each.closed),
                }
                for each in self.actions
            ],
            "told": [_recorded(each) for each in self.told],
            "kept_until": _text(self.kept_until),
            **({} if self.clients is None else {"clients": self.clients.to_json()}),
        }


def status(plan: MonitoringPlan, run: RunView, now: datetime) -> Status:
    """How the record of a run stands at a time. Raises LedgerError."""
    declared = plan.governance
    newest = run.last_entry
    days = None if declared is None else declared.retention
    begun = run.events(PlanDeclared, limit=1)
    # Of two people who answered at once the first one counts.
    answers = {each.event.complaint: each for each in run.events(ComplaintAnswered)[::-1]}
    closed = {each.event.action: each for each in run.events(ActionClosed)[::-1]}
    held = tuple(run.events(ReviewHeld))
    return Status(
        as_of=now,
        declared=declared,
        duties=duties(plan, run),
        reviews=Reviews(
            held,
            moment(begun[0].entry) if begun else None,
            None if declared is None else declared.review_every,
            tuple(_cadence(plan, run, each.entry) for each in held),
        ),
        complaints=tuple(
            Complaint(each, answers.get(each.entry.hash)) for each in run.events(ComplaintRecorded)
        ),
        actions=tuple(
            Corrective(each, closed.get(each.entry.hash)) for each in run.events(ActionOpened)
        ),
        told=tuple(run.events(PersonTold)),
        kept_until=None
        if days is None or newest is None
        else moment(newest) + timedelta(days=days),
        clients=membership(run),
    )


def _cadence(plan: MonitoringPlan, run: RunView, entry: Entry) -> float | None:
    """The most days between two reviews by the plan that was in force at an entry."""
    then = plan if plan.versions is None else run.plan_at(entry.index)
    return None if then.governance is None else then.governance.review_every


def counts(complaints: Sequence[Complaint]) -> dict[str, int]:
    """How many complaints there are in each state, and how much feedback."""
    found = {"complaints": 0, "feedback": 0, "open": 0, "upheld": 0, "not upheld": 0}
    for each in complaints:
        found["complaints" if each.told.event.what == "complaint" else "feedback"] += 1
        if each.state in found:
            found[each.state] += 1
    return found


def _duty(duty: Duty, standing: Standing) -> dict[str, Any]:
    return {
        "on": duty.cause.on,
        "code": duty.cause.code,
        "cause": duty.cause.entry.index,
        "words": duty.cause.words,
        "since": _text(duty.cause.time),
        "action": duty.action,
        "within_hours": duty.within,
        "standing": standing,
        "aware": None if duty.aware is None else _deed(duty.aware),
        "aware_by": _text(duty.aware_by),
        "aware_late": duty.aware_late,
        "due": _text(duty.due),
        "done": None if duty.done is None else _deed(duty.done),
    }


def _deed(deed: Any) -> dict[str, Any]:
    return {"time": _text(deed.time), "entry": deed.entry, "by": deed.by}


def _complaint(each: Complaint) -> dict[str, Any]:
    return {
        **_recorded(each.told),
        "state": each.state,
        "answer": None if each.answer is None else _recorded(each.answer),
    }


def _recorded(each: Recorded[Any]) -> dict[str, Any]:
    return {"entry": each.entry.index, "time": each.entry.time, **each.event.to_payload()}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
