"""The incident timeline: when a failure began, was found, was known to a person, was acted on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unsilent.findings import Findings
from unsilent.ledger import Entry

AWARE = "aware"
"""Kind of the entry by which a person says to know of the findings: ``by``, ``note``, ``head``."""

_GATE, _OVERRULE = "gate", "gate_overrule"


@dataclass(frozen=True)
class Moment:
    """A point of an incident.

    Attributes:
        what: ``onset``, ``alarm``, ``aware`` or ``decision``.
        round: The training round it is about; None for what a person did.
        time: Of the ledger entry, UTC; None for an onset, which is estimated and not observed.
        entry: Index of that entry; None for an onset.
        words: A sentence.
    """

    what: str
    round: int | None
    time: str | None
    entry: int | None
    words: str


@dataclass(frozen=True)
class Incident:
    """What happened around the failure of one mode, in order."""

    code: str
    moments: tuple[Moment, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)


def incidents(findings: Findings, entries: Sequence[Entry]) -> tuple[Incident, ...]:
    """An incident for each mode that was ever a failure, in the taxonomy's order.

    A mode may have been a failure at an earlier round and be none now: that stays an incident.
    """
    return tuple(
        Incident(each.code, tuple(_moments(each.code, findings, entries)))
        for each in findings.findings
        if _first_alarm(each.code, entries) is not None
    )


def _moments(code: str, findings: Findings, entries: Sequence[Entry]) -> Iterator[Moment]:
    alarm = _first_alarm(code, entries)
    if alarm is None:
        return
    onset = next(each.onset for each in findings.findings if each.code == code)
    if onset is not None:
        between = (
            f"in round {onset.first}"
            if onset.first == onset.last
            else f"in one of rounds {onset.first} to {onset.last}"
        )
        yield Moment("onset", onset.first, None, None, f"began {between}, estimated from the sums")
    number = int(alarm.payload["round"])
    yield Moment(
        "alarm", number, alarm.time, alarm.index, f"first FAILURE, judged in round {number}"
    )
    later = [entry for entry in entries if entry.index > alarm.index]
    for entry in later:
        if entry.kind in (AWARE, _OVERRULE):
            words = f"{entry.payload['by']}: {entry.payload.get('note') or entry.payload['reason']}"
            yield Moment("aware", None, entry.time, entry.index, words)
            break
    for entry in later:
        if entry.kind == _GATE and _caused_by(code, entry):
            words = f"{entry.payload['action']}: {entry.payload['reason']}"
            yield Moment("decision", int(entry.payload["round"]), entry.time, entry.index, words)
            break


def _first_alarm(code: str, entries: Sequence[Entry]) -> Entry | None:
    for entry in entries:
        if entry.kind == "findings" and any(
            found["code"] == code and found["verdict"] == "failure"
            for found in entry.payload["findings"]
        ):
            return entry
    return None


def _caused_by(code: str, entry: Entry) -> bool:
    return any(cause["code"] == code for cause in entry.payload["caused_by"])
