"""The incident timeline: when a failure began, was found, was known to a person, was acted on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unsilent.findings import Findings
from unsilent.governance.duties import aware_of
from unsilent.ledger.events import Decision, RoundJudged
from unsilent.ledger.people import ClientsChanged
from unsilent.ledger.run_view import Recorded, RunView

NOT_SERIOUS = (
    "A FAILURE is a statistic beyond the plan's tolerance. It is no “serious incident” in the "
    "sense of a law: whether there was one, with what harm and to whom, people judge and report. "
    "Nor does a run without a FAILURE say that there was none."
)
"""Said wherever incidents are shown."""


@dataclass(frozen=True)
class Moment:
    """A point of an incident.

    Attributes:
        what: ``onset``, ``clients``, ``alarm``, ``aware`` or ``decision``.
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


def incidents(findings: Findings, run: RunView) -> tuple[Incident, ...]:
    """An incident for each mode that was ever a failure, in the findings' order.

    A mode may have been a failure at an earlier round and be none now: that stays an incident.
    """
    judged, codes = run.events(RoundJudged), [each.code for each in findings.findings]
    alarms = {code: _first_alarm(code, judged) for code in codes}
    return tuple(
        Incident(code, tuple(_moments(code, alarm, findings, run)))
        for code, alarm in alarms.items()
        if alarm is not None
    )


def _moments(
    code: str, alarm: Recorded[RoundJudged], findings: Findings, run: RunView
) -> Iterator[Moment]:
    onset = next(each.onset for each in findings.findings if each.code == code)
    if onset is not None:
        between = (
            f"in round {onset.first}"
            if onset.first == onset.last
            else f"in one of rounds {onset.first} to {onset.last}"
        )
        yield Moment("onset", onset.first, None, None, f"began {between}, estimated from the sums")
        for each in run.events(ClientsChanged):
            if onset.first - 1 <= each.event.round <= onset.last:
                yield _changed(each)
    number, since = alarm.event.round, alarm.entry.index
    yield Moment(
        "alarm", number, alarm.entry.time, since, f"first FAILURE, judged in round {number}"
    )
    aware = aware_of(run, alarm.entry)
    if aware is not None:
        time = aware.time.isoformat(timespec="microseconds")
        yield Moment("aware", None, time, aware.entry, aware.said)
    for made in run.events(Decision, since):
        if any(cause.code == code for cause in made.event.caused_by):
            words = f"{made.event.action}: {made.event.reason}"
            yield Moment("decision", made.event.round, made.entry.time, made.entry.index, words)
            break


def _changed(each: Recorded[ClientsChanged]) -> Moment:
    """Other clients have another mean: a failure may begin with who is in."""
    told = each.event
    words = (
        f"{told.left} clients left for good and {told.joined} joined after round {told.round}: the "
        "mean may have moved with who is in"
    )
    return Moment("clients", told.round, each.entry.time, each.entry.index, words)


def _first_alarm(
    code: str, judged: Sequence[Recorded[RoundJudged]]
) -> Recorded[RoundJudged] | None:
    return next((each for each in judged if each.event.verdicts.get(code) == "failure"), None)
