"""How a run stands, as its ledger tells it: the one reader that all others take it from.

Each question is one short read of one kind of entries, so that what a page or an alert asks costs
the same however long the ledger is; what is asked twice is read once. A pack's entries are asked in
the same way: see ``KeptEntries``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar, cast

from unsilent.errors import LedgerError, UnsilentError
from unsilent.ledger.chain import Entry
from unsilent.ledger.events import (
    Decision,
    GateOverridden,
    KnownEvent,
    MonitoringStopped,
    PersonAware,
    PlanDeclared,
    PlanFollowed,
    ReleaseBooked,
    RoundMissed,
    RoundSummed,
    event_of,
)
from unsilent.ledger.people import OverrideAnswered, OverrideAsked
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, epsilon
from unsilent.release.release import Release

E = TypeVar("E", bound=KnownEvent)


class Entries(Protocol):
    """Where entries are read: a ``Ledger``, or ``KeptEntries``."""

    where: str

    def entries(
        self, kind: str | None = None, since: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """As ``Ledger.entries``."""
        ...

    def page(
        self, before: int | None = None, limit: int = 50, *, kind: str | None = None
    ) -> list[Entry]:
        """As ``Ledger.page``."""
        ...

    def payloads(self, kind: str) -> list[Any]:
        """As ``Ledger.payloads``."""
        ...

    def rounds(self, kind: str) -> list[int]:
        """As ``Ledger.rounds``."""
        ...

    def kinds(self, upto: int | None = None) -> dict[str, int]:
        """As ``Ledger.kinds``."""
        ...


class KeptEntries:
    """Entries at hand, read as a ledger is.

    Args:
        entries: Oldest first.
    """

    where = "ledger.jsonl"

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)

    def entries(
        self, kind: str | None = None, since: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """As ``Ledger.entries``."""
        found = (e for e in self._entries if e.index > since and kind in (None, e.kind))
        return list(islice(found, limit))

    def page(
        self, before: int | None = None, limit: int = 50, *, kind: str | None = None
    ) -> list[Entry]:
        """As ``Ledger.page``."""
        found = (
            e
            for e in reversed(self._entries)
            if (before is None or e.index < before) and kind in (None, e.kind)
        )
        return list(islice(found, limit))

    def payloads(self, kind: str) -> list[Any]:
        """As ``Ledger.payloads``."""
        return [e.payload for e in self._entries if e.kind == kind]

    def rounds(self, kind: str) -> list[int]:
        """As ``Ledger.rounds``."""
        return [e.round for e in self._entries if e.kind == kind and e.round is not None]

    def kinds(self, upto: int | None = None) -> dict[str, int]:
        """As ``Ledger.kinds``."""
        return Counter(e.kind for e in self._entries if upto is None or e.index <= upto)


@dataclass(frozen=True)
class Recorded(Generic[E]):
    """An event with the entry that holds it."""

    entry: Entry
    event: E


@dataclass(frozen=True)
class Attendance:
    """A planned monitoring round: how many clients its sum holds, or why it was ``missed``."""

    round: int
    clients: int | None
    missed: str | None


@dataclass(frozen=True)
class Version:
    """One of the plans of a ledger, in the order in which they were in force.

    Attributes:
        number: Counted from 1.
        plan: The plan.
        entry: The entry that declares it.
        last: Its last round; None of the one in force.
        goes_on: Whether its verdicts go on from the sums of the version before.
    """

    number: int
    plan: MonitoringPlan
    entry: Entry
    last: int | None
    goes_on: bool

    @property
    def first(self) -> int:
        """Its first training round."""
        return self.plan.first_round


class RunView:
    """A run as its ledger tells it.

    Whatever is read raises LedgerError if the ledger cannot be read, or an entry does not hold
    what its kind does.

    Args:
        ledger: A run's.
        upto: Index of the last entry that counts; None for the newest.
    """

    def __init__(self, ledger: Entries, upto: int | None = None) -> None:
        self._ledger = ledger
        self._upto = upto

    def events(self, of: type[E], since: int = 0, limit: int | None = None) -> list[Recorded[E]]:
        """Events of a kind in entries with an index above ``since``, oldest first."""
        found = self._ledger.entries(of.kind, since, limit)
        return [_recorded(of, e) for e in found if self._upto is None or e.index <= self._upto]

    def told(self, of: type[E]) -> list[E]:
        """All events of a kind without their entries, oldest first: ten thousand, in no time."""
        if self._upto is None:
            try:
                return [cast("E", of.from_payload(p)) for p in self._ledger.payloads(of.kind)]
            except UnsilentError:
                pass  # What is read below names the entry.
        return [each.event for each in self.events(of)]

    def newest(self, of: type[E], limit: int = 1) -> list[Recorded[E]]:
        """The newest ``limit`` events of a kind, newest first."""
        before = None if self._upto is None else self._upto + 1
        return [_recorded(of, e) for e in self._ledger.page(before, limit, kind=of.kind)]

    def count(self, of: type[KnownEvent]) -> int:
        """How many events there are of a kind."""
        return self._kinds.get(of.kind, 0)

    @cached_property
    def _kinds(self) -> dict[str, int]:
        return self._ledger.kinds(self._upto)

    @cached_property
    def last_entry(self) -> Entry | None:
        """The newest entry of all; None where there is none."""
        found = self._ledger.page(None if self._upto is None else self._upto + 1, 1)
        return found[0] if found else None

    @cached_property
    def declared(self) -> Recorded[PlanDeclared] | None:
        """The declaration of the plan; None where no run has begun."""
        found = self.events(PlanDeclared, limit=1)
        return found[0] if found else None

    @cached_property
    def plan(self) -> MonitoringPlan:
        """The plan in force: the declared one, or the newest that followed.

        Raises PlanError, or LedgerError where no run has begun.
        """
        newest = self.newest(PlanFollowed)
        if newest and self.declared is not None:
            return newest[0].event.parsed(self._ledger.where)
        return self._first_plan

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """All plans of the ledger, the one in force last. Raises as ``plan``."""
        followed = self.events(PlanFollowed)
        lasts = [*(each.event.round for each in followed), None]
        first = self._first_plan
        begun = self.events(PlanDeclared, limit=1)[0].entry
        plans = [(first, begun, False)]
        plans += [
            (each.event.parsed(self._ledger.where), each.entry, each.event.goes_on)
            for each in followed
        ]
        return tuple(
            Version(number, plan, entry, last, goes_on)
            for number, ((plan, entry, goes_on), last) in enumerate(
                zip(plans, lasts, strict=True), start=1
            )
        )

    def plan_at(self, index: int) -> MonitoringPlan:
        """The plan that was in force when an entry was written. Raises as ``plan``."""
        return [each for each in self.versions if each.entry.index <= index or each.number == 1][
            -1
        ].plan

    @property
    def _first_plan(self) -> MonitoringPlan:
        if self.declared is None:
            raise LedgerError(
                "no run has begun here",
                where=self._ledger.where,
                remedy="Name the ledger of a run.",
            )
        return self.declared.event.parsed(self._ledger.where)

    @cached_property
    def costs(self) -> tuple[PrivacyEvent, ...]:
        """The privacy cost of each release, in order."""
        return tuple(each.cost for each in self.told(ReleaseBooked))

    def running_epsilon(self, delta: float, most: int | None = None) -> tuple[float, ...]:
        """Epsilon spent after each release; ``most`` of them are any one client's, None for all."""
        return tuple(epsilon(self.costs[: n + 1], delta, most) for n in range(len(self.costs)))

    @cached_property
    def stopped(self) -> MonitoringStopped | None:
        """From which round on nothing is monitored, and why; None while the budget lasts."""
        found = self.events(MonitoringStopped, limit=1)
        return found[0].event if found else None

    @cached_property
    def totals(self) -> dict[int, Release]:
        """By round, its sum: the last, where a server that was killed has summed it again."""
        summed = self.told(RoundSummed)
        try:
            return {each.round: each.total for each in summed}
        except UnsilentError:
            # What is read here names the entry.
            return {each.event.round: each.event.total for each in self.events(RoundSummed)}

    def attendance(self) -> tuple[Attendance, ...]:
        """Who came to each round: numbers and reasons, no client is named anywhere."""
        return tuple(
            Attendance(each.event.round, each.event.clients, None)
            if isinstance(each.event, RoundSummed)
            else Attendance(each.event.round, None, each.event.reason)
            for each in self._in_order(RoundSummed, RoundMissed)
        )

    def actions(self) -> tuple[dict[str, Any], ...]:
        """What the gate decided, what people said and what the budget ended, oldest first.

        Each is its entry's payload with ``entry``, ``time`` and ``kind``.
        """
        kinds = (
            Decision,
            GateOverridden,
            OverrideAsked,
            OverrideAnswered,
            PersonAware,
            MonitoringStopped,
        )
        return tuple(
            {
                "entry": each.entry.index,
                "time": each.entry.time,
                "kind": each.entry.kind,
                **each.entry.payload,
            }
            for each in self._in_order(*kinds)
        )

    def _in_order(self, *kinds: type[E]) -> Iterator[Recorded[E]]:
        found = [each for kind in kinds for each in self.events(kind)]
        return iter(sorted(found, key=lambda each: each.entry.index))


def _recorded(of: type[E], entry: Entry) -> Recorded[E]:
    return Recorded(entry, cast("E", event_of(entry)))
