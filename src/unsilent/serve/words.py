"""Ledger entries, times and phases in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from unsilent.errors import LedgerError
from unsilent.ledger import Entry, events, people
from unsilent.ledger.events import KnownEvent, OtherEvent, event_of
from unsilent.release.accountant import EXACT
from unsilent.report.view import VERDICTS

_LONGEST = 200

PHASES: Mapping[str, str] = {
    "under way": "No end is in the folder yet; pages follow as entries are written.",
    "quiet": "No end is in the folder, and no entry was written for an hour.",
    "ended": "The run wrote its findings and ended.",
}


def moment(time: datetime | str) -> str:
    """A time as people write it: "2026-11-22 17:54:02 UTC"; text that is none as it is."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return time
    if time.tzinfo is not None:
        time = time.astimezone(UTC)
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def summary(entry: Entry) -> str:
    """What an entry says, in a line; for kinds that are not known here, its payload."""
    try:
        text = _said(event_of(entry))
    except (LedgerError, KeyError):
        text = None
    if text is None:
        text = json.dumps(entry.payload, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def pretty(entry: Entry) -> str:
    """An entry's payload for people to read."""
    return json.dumps(entry.payload, indent=2, ensure_ascii=False)


def _said(event: KnownEvent | OtherEvent) -> str | None:
    match event:
        case events.PlanDeclared(digest, plan):
            return f"declared: {plan['name']}, {digest}"
        case events.PlanFollowed(number, follows, digest, plan, goes_on):
            judged = "verdicts go on" if goes_on else "verdicts begin anew"
            return (
                f"declared: {plan['name']}, {digest}, follows {follows} after round {number}; "
                f"{judged}"
            )
        case events.SystemReported(_, loss, accuracy):
            return f"mean loss {loss:.3f}, mean accuracy {accuracy:.3f}"
        case events.ReleaseBooked(cost):
            if cost.kind == EXACT:
                return "booked before asking: an exact sum, without noise"
            return (
                f"booked before asking: {cost.kind.replace('_', ' ')}, noise sd {cost.sigma:.4g} "
                f"for sensitivity {cost.sensitivity:.4g}"
            )
        case events.RoundSummed(_, clients, _, vector):
            return f"the sum of {clients} clients, {len(vector)} numbers"
        case events.RoundJudged(_, clients, findings):
            count = Counter(finding["verdict"] for finding in findings)
            told = [
                f"{count[verdict]} {shown.symbol} {shown.word}"
                for verdict, shown in VERDICTS.items()
                if count[verdict]
            ]
            return f"{', '.join(told)}; {clients} clients"
        case events.RoundMissed(_, reason):
            return f"no sum: {reason}"
        case events.MonitoringStopped(_, reason):
            return reason
        case events.Decision():
            return (
                f"{event.action}; clients use the adapter of round {event.promoted_round}. "
                f"{event.reason}"
            )
        case events.GateOverridden(number, reason, by):
            return f"{by} wants the adapter of round {number}: {reason}"
        case people.ComplaintRecorded():
            of = "" if event.mode is None else f" of {event.mode}"
            kept = "no text kept" if event.digest is None else "its text lies beside the ledger"
            return f"{event.what} ({event.about}){of}, written down by {event.by}; {kept}"
        case people.ComplaintAnswered():
            return f"complaint {event.outcome}, {event.by}: {event.note}"
        case people.ActionOpened():
            return f"corrective action for {event.owner}: {event.what} ({event.by})"
        case people.ActionClosed():
            return f"corrective action closed by {event.by}: {event.evidence}"
        case people.ReviewHeld():
            return f"reviewed by {event.by}: {event.outcome}. {event.note}"
        case people.PersonTold():
            return f"{event.by} told {event.who}: {event.note}"
        case people.ClientsChanged(_, left, joined, there, reason, by):
            return f"{left} clients left for good, {joined} joined, {there} are in: {reason} ({by})"
        case people.OverrideAsked(number, reason, by):
            return f"{by} asks for the adapter of round {number}: {reason}"
        case people.OverrideAnswered():
            said = "approves" if event.approved else "refuses"
            return f"{event.by} {said} the override: {event.note}"
        case events.PersonAware(by, note):
            return f"{by} knows: {note}"
        case events.ParityChecked():
            acts = "" if event.acts is None else f", adapter {event.acts}"
            return (
                f"served by {event.endpoint}: {event.verdict}{acts}; {event.beyond} of "
                f"{event.items} items beyond {event.tolerance:g} nats"
            )
        case _:
            return None
