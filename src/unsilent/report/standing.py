"""The record in words: one place for what terminal, report and dashboard say of it.

"Not declared", "none recorded" and "overdue" differ in word and in symbol: where nobody said how to
complain, no complaint is no evidence of none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from unsilent.governance.duties import Duty, Standing
from unsilent.governance.membership import words
from unsilent.governance.status import Status, counts

NOT_DECLARED = "∅ not declared"


@dataclass(frozen=True)
class Look:
    """How a standing is shown: a key for styles (one of the verdicts'), a symbol and a word."""

    key: str
    symbol: str
    word: str


LOOKS: Mapping[Standing, Look] = {
    "overdue": Look("failure", "✖", "OVERDUE"),
    "nobody aware": Look("undetermined", "?", "NOBODY AWARE"),
    "open": Look("undetermined", "○", "open"),
    "done late": Look("healthy", "✔", "done, late"),
    "done": Look("healthy", "✔", "done"),
}
_ACTIONS: Mapping[str, str] = {
    "inform": "tell those who are to be informed",
    "review": "hold a review",
    "correct": "open a corrective action and close it with evidence",
    "hold": "open a corrective action and close it with evidence; until then the gate promotes "
    "nothing",
}


def minute(time: datetime | str | None) -> str:
    """A time to the minute, in UTC; a dash for none."""
    if time is None:
        return "–"
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def asks(duty: Duty) -> str:
    """What a duty asks for."""
    return _ACTIONS[duty.action]


def by_when(duty: Duty) -> str:
    """When a duty is due, or why there is no such time."""
    late = "; nobody was aware in time" if duty.aware_late else ""
    done = duty.done
    if done is None:
        return f"{_waiting(duty)}{late}"
    return f"{done.by}, {minute(done.time)} (ledger entry {done.entry}){late}"


def _waiting(duty: Duty) -> str:
    if duty.aware is None:
        known = "" if duty.aware_by is None else f"; somebody should by {minute(duty.aware_by)}"
        return f"nobody has said to know of it{known}; its deadline has not begun"
    since = f"aware: {duty.aware.by}, {minute(duty.aware.time)}"
    if duty.within is None:
        return f"{since}; no deadline declared"
    return f"{since}; due {minute(duty.due)}"


def facts(status: Status) -> Iterator[tuple[str, str]]:
    """Name and words of all that a plan declares, and of how much there is of it."""
    declared = status.declared
    roles = None if declared is None else declared.roles
    for name, people in (
        ("who reviews", () if roles is None else roles.reviews),
        ("who decides", () if roles is None else roles.decides),
        ("who is informed", () if roles is None else roles.informed),
    ):
        yield name, ", ".join(people) or NOT_DECLARED
    yield "triggers", _triggers(status)
    yield "reviews", _reviews(status)
    yield "complaints and feedback", _complaints(status)
    closed = sum(each.closed is not None for each in status.actions)
    count = len(status.actions)
    yield (
        "corrective actions",
        f"{count} opened, {closed} closed, {count - closed} open" if count else "none opened",
    )
    yield "overrides of the gate", _overrides(status)
    if status.clients is not None:
        yield "clients", words(status.clients)
    kept = status.kept_until
    yield (
        "kept until",
        NOT_DECLARED
        if kept is None or declared is None
        else f"{minute(kept)}, {declared.retention:g} days after the last entry",
    )


def _triggers(status: Status) -> str:
    declared = status.declared
    if declared is None or not declared.triggers:
        return f"{NOT_DECLARED}: nothing says what has to follow a finding"
    if not status.duties:
        return f"{len(declared.triggers)} declared; nothing has happened that one is about"
    waiting = len(status.pressing)
    late = sum(status.standing(duty) == "overdue" for duty in status.duties)
    return (
        f"{len(declared.triggers)} declared; {len(status.duties)} duties, {waiting} not done, "
        f"{late} overdue, {status.unheard} that nobody is aware of"
    )


def _reviews(status: Status) -> str:
    reviews = status.reviews
    held = (
        f"{len(reviews.held)} held, the last {minute(reviews.held[-1].entry.time)}"
        if reviews.held
        else "none held"
    )
    if reviews.every is None:
        return f"{held}; cadence {NOT_DECLARED}"
    late = f", {len(reviews.late)} of them late" if reviews.late else ""
    due = minute(reviews.next_due)
    mark = f"✖ OVERDUE since {due}" if reviews.overdue(status.as_of) else f"next due {due}"
    return f"{held}{late}; at most {reviews.every:g} days apart; {mark}"


def _complaints(status: Status) -> str:
    found = counts(status.complaints)
    where = None if status.declared is None else status.declared.complaints
    told = (
        f"complaints: {found['complaints']} ({found['open']} open, {found['upheld']} upheld, "
        f"{found['not upheld']} not upheld); feedback: {found['feedback']}"
        if status.complaints
        else "none recorded"
    )
    if where is not None:
        return f"{told}; people complain at {where}"
    more = "" if status.complaints else ", so that none recorded is no evidence of none"
    return f"{told}; where to complain {NOT_DECLARED}{more}"


def _overrides(status: Status) -> str:
    if status.declared is None:
        return "by one person: four eyes are not declared"
    return "asked for by one, answered by another" if status.declared.four_eyes else "by one person"
