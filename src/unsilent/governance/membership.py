"""Who is in a federation over the years, in numbers: who left for good, joined, and is there.

No client is named. The numbers are a person's word, as reviews are; what can be held against them
is that a sum holds no more clients than are there. They decide no verdict: a client that left and
was not replaced counts as asked and missing, with the least and the most of its range, until a plan
follows that says how many there are. A word in the ledger would else turn UNDETERMINED to HEALTHY.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from unsilent.errors import InputError
from unsilent.governance.people import check_role, person, plain_text
from unsilent.ledger import Entry, Ledger
from unsilent.ledger.events import RoundJudged, RoundMissed, RoundSummed
from unsilent.ledger.people import ClientsChanged
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan


@dataclass(frozen=True)
class Membership:
    """How many clients are in a federation, and were.

    Attributes:
        began: Enrolled by the first plan.
        there: In now.
        left, joined: For good, and anew, since the beginning; a plan that follows and enrols more
            or fewer than there were counts as well.
        changes: What people recorded, oldest first.
    """

    began: int
    there: int
    left: int
    joined: int
    changes: tuple[Recorded[ClientsChanged], ...]

    @property
    def ever(self) -> int:
        """How many were ever in; one that came back as a new one counts twice."""
        return self.began + self.joined

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "began": self.began,
            "there": self.there,
            "left": self.left,
            "joined": self.joined,
            "ever": self.ever,
            "changes": [
                {"entry": each.entry.index, "time": each.entry.time, **each.event.to_payload()}
                for each in self.changes
            ],
        }


def membership(run: RunView) -> Membership | None:
    """How many clients are in and were; None where nobody recorded that any left or joined.

    Raises LedgerError, or PlanError, as ``RunView.versions``.
    """
    if run.count(ClientsChanged) == 0:
        return None
    return _followed(run)[-1][1]


def _followed(run: RunView) -> list[tuple[Entry, Membership]]:
    """The membership after each entry that changes it, the declaration of the plan first."""
    versions = run.versions
    began = versions[0].plan.federation.clients
    found = [(versions[0].entry, Membership(began, began, 0, 0, ()))]
    changes = run.events(ClientsChanged)
    plans = [(each.entry, each.plan.federation.clients) for each in versions[1:]]
    both: list[tuple[Entry, int | Recorded[ClientsChanged]]] = [
        *plans,
        *((each.entry, each) for each in changes),
    ]
    for entry, what in sorted(both, key=lambda each: each[0].index):
        last = found[-1][1]
        if isinstance(what, int):
            gone, new, more = max(last.there - what, 0), max(what - last.there, 0), ()
        else:
            gone, new, more = what.event.left, what.event.joined, (what,)
        found.append(
            (
                entry,
                Membership(
                    began,
                    last.there - gone + new,
                    last.left + gone,
                    last.joined + new,
                    (*last.changes, *more),
                ),
            )
        )
    return found


def change_clients(
    ledger: Ledger, plan: MonitoringPlan, *, left: int, joined: int, reason: str, by: str
) -> Entry:
    """Record that clients left for good, that new ones joined, or both.

    Args:
        ledger: The run's.
        plan: The one in force: who decides, and how many clients it enrols.
        left: How many left for good.
        joined: How many took part for the first time, whose folders are new.
        reason: Why; it stays for good, so name nobody.
        by: Who says so.

    Raises:
        InputError: Nothing changed, more left than there were, or more are there than the plan
            enrols; or this person may not decide.
    """
    name = person(by)
    check_role(plan.governance, "decides", name)
    said = plain_text(reason, "reason")
    for number, what in ((left, "left"), (joined, "joined")):
        if number < 0:
            raise InputError("a number of clients", where=what, remedy="Give 0 or more.")
    if left == joined == 0:
        raise InputError("nobody left or joined", where="left", remedy="Give one of the two.")
    run = RunView(ledger)
    before = _followed(run)[-1][1].there
    if left > before:
        raise InputError(
            f"{left} cannot leave, {before} are there",
            where="left",
            remedy="Give as many as were there.",
        )
    there = before - left + joined
    enrolled = plan.federation.clients
    if there > enrolled:
        raise InputError(
            f"{there} would be there, and the plan enrols {enrolled}",
            where="joined",
            remedy="Noise and intervals are for as many as the plan says: let a plan follow that "
            "enrols more ([versions]).",
        )
    told = [*run.newest(RoundJudged), *run.newest(RoundMissed)]
    last = max((each.event.round for each in told), default=plan.first_round - 1)
    return ledger.record(ClientsChanged(last, left, joined, there, said, name))


def membership_faults(run: RunView) -> Iterator[tuple[int, str]]:
    """What does not add up, with the index of its entry: numbers, and sums of more than are there.

    Nothing where no change was ever recorded.
    """
    if run.count(ClientsChanged) == 0:
        return
    steps = _followed(run)
    for (_, before), (entry, after) in pairwise(steps):
        if entry.kind != ClientsChanged.kind:
            continue
        told = after.changes[-1].event
        most = run.plan_at(entry.index).federation.clients
        if told.left > before.there or told.there != after.there:
            yield entry.index, f"it does not follow from the {before.there} clients before it"
        elif told.there > most:
            yield entry.index, f"it has {told.there} clients in a plan that enrols {most}"
    for each in run.events(RoundSummed):
        there = [m.there for entry, m in steps if entry.index < each.entry.index][-1:]
        if there and each.event.clients > there[0]:
            yield (
                each.entry.index,
                f"the sum holds {each.event.clients} clients, and {there[0]} were there",
            )


def words(found: Membership) -> str:
    """The same for people."""
    since = found.changes[-1].event.round
    missing = (
        " One that left and was not replaced counts as missing, with the least and the most of its "
        "range, until a plan follows that enrols fewer."
    )
    return (
        f"{found.began} at the beginning; {found.left} left for good and {found.joined} joined, "
        f"the last after round {since}; {found.there} are in now, {found.ever} were ever."
        f"{missing if found.left > found.joined else ''}"
    )
