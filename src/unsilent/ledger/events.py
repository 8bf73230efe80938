"""What a ledger's entries say: one typed event for each kind.

An event's payload is what the chain hashes, so ``to_payload`` gives the very keys that were always
written. ``from_payload`` checks them, since ledgers and packs come from strangers; keys that it
does not know are a later version's, and are passed over. So are kinds: see ``OtherEvent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import AfterValidator, StrictBool, StrictInt

from unsilent.errors import LedgerError, UnsilentError
from unsilent.findings import Drift, Finding, HistoryRound, PerformanceFinding, Verdict
from unsilent.ledger.chain import Entry
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ClientsChanged,
    ComplaintAnswered,
    ComplaintRecorded,
    OverrideAnswered,
    OverrideAsked,
    PersonTold,
    ReviewHeld,
)
from unsilent.ledger.typed import Count, Number, Text, TypedEvent
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.accountant import PrivacyEvent
from unsilent.release.release import Release
from unsilent.schema import check_shape

Action = Literal["promote", "hold", "rollback", "overruled"]


def _coded(found: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(found.get("code"), str):
        raise ValueError
    return found


def _named(found: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(found.get("name"), str):
        raise ValueError
    return found


Coded = Annotated[dict[str, Any], AfterValidator(_coded)]
Named = Annotated[dict[str, Any], AfterValidator(_named)]


@dataclass(frozen=True)
class PlanDeclared(TypedEvent):
    """A run's first entry: the plan, before anything is measured."""

    kind: ClassVar[str] = "plan"

    digest: Text
    plan: dict[str, Any]

    @classmethod
    def of(cls, plan: MonitoringPlan) -> PlanDeclared:
        """The declaration of a plan."""
        return cls(plan.digest, plan.to_json())

    def parsed(self, where: str) -> MonitoringPlan:
        """The plan itself, whose modes need not all be installed here. Raises PlanError."""
        return parse_plan(dict(self.plan), where=where, recorded=True)


@dataclass(frozen=True)
class PlanFollowed(TypedEvent):
    """A plan follows the one before it in the same ledger.

    Attributes:
        round: The last round of the plan before.
        follows, digest: Of the plan before, and of this one.
        plan: This one.
        goes_on: Whether verdicts go on from the sums of before; else they begin anew.
    """

    kind: ClassVar[str] = "plan_followed"

    round: Count
    follows: Text
    digest: Text
    plan: dict[str, Any]
    goes_on: StrictBool

    def parsed(self, where: str) -> MonitoringPlan:
        """The plan itself, whose modes need not all be installed here. Raises PlanError."""
        return parse_plan(dict(self.plan), where=where, recorded=True)


@dataclass(frozen=True)
class SystemReported(TypedEvent):
    """What the federated run itself shows after a training round: its weighted means."""

    kind: ClassVar[str] = "system"

    round: Count
    loss: Number
    accuracy: Number


@dataclass(frozen=True)
class ReleaseBooked:
    """The privacy cost of a round's releases, booked before any client is asked."""

    kind: ClassVar[str] = "privacy_event"

    cost: PrivacyEvent

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry; its ``kind`` is the mechanism's."""
        return self.cost.to_json()

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> ReleaseBooked:
        """Read an entry's payload; no key may be unknown here, lest a cost be counted too low.

        Raises ReleaseError.
        """
        return cls(PrivacyEvent.from_json(payload))


@dataclass(frozen=True)
class RoundSummed(TypedEvent):
    """The sum of a round's releases, noise included."""

    kind: ClassVar[str] = "sum"

    round: Count
    clients: Count
    layout: Text
    vector: list[StrictInt]
    noise_variance: Number

    @classmethod
    def of(cls, total: Release) -> RoundSummed:
        """The entry of a sum."""
        vector = total.vector.tolist()
        return cls(total.round, total.clients, total.layout, vector, total.noise_variance)

    @cached_property
    def total(self) -> Release:
        """The sum itself. Raises ReleaseError if there can be no such release."""
        return Release(
            self.layout, self.round, self.clients, np.array(self.vector), self.noise_variance
        )


@dataclass(frozen=True)
class RoundJudged(TypedEvent):
    """A round's findings, as JSON: the six modes, and further ones that the plan names.

    Under a plan with ``[performance]`` also those about it, and what of the records has changed.
    """

    kind: ClassVar[str] = "findings"

    round: Count
    clients: Count
    findings: list[Coded]
    performance: list[Named] = field(default_factory=list[dict[str, Any]])
    drift: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry; without what the plan does not ask for."""
        told = super().to_payload()
        return {k: v for k, v in told.items() if v or k not in ("performance", "drift")}

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By code, of the modes that have one. Raises KeyError for other programs' entries."""
        told = {found["code"]: found["verdict"] for found in self.findings}
        return {code: verdict for code, verdict in told.items() if verdict is not None}

    @property
    def performance_verdicts(self) -> dict[str, Verdict]:
        """By key, of the statistics about performance. Raises KeyError as ``verdicts``."""
        return {
            each["name"] if each["group"] is None else f"{each['name']}/{each['group']}": each[
                "verdict"
            ]
            for each in self.performance
        }

    def parsed(self) -> tuple[Finding, ...]:
        """The findings, each checked against its schema, which is slow. Raises FindingsError."""
        return tuple(map(Finding.from_json, self.findings))

    def performed(self) -> tuple[PerformanceFinding, ...]:
        """Those about performance, each checked against its schema. Raises FindingsError."""
        return tuple(map(PerformanceFinding.from_json, self.performance))

    def drifted(self) -> tuple[Drift, ...]:
        """What of the records has changed; checked alike. Raises FindingsError."""
        for each in self.drift:
            check_shape(each, "drift")
        return tuple(map(Drift.from_valid, self.drift))

    def history(self) -> HistoryRound:
        """The same in short, unchecked. Raises KeyError or TypeError."""
        return HistoryRound.from_json(self.round, self.findings)


@dataclass(frozen=True)
class RoundMissed(TypedEvent):
    """A planned monitoring round gave no sum, and why."""

    kind: ClassVar[str] = "missed"

    round: Count
    reason: Text


@dataclass(frozen=True)
class MonitoringStopped(TypedEvent):
    """The budget is spent: the first round that is not monitored, and why."""

    kind: ClassVar[str] = "stopped"

    round: Count
    reason: Text


@dataclass(frozen=True)
class Cause:
    """A ledger entry that a decision rests on: its hash, and of findings the mode and verdict.

    A round that was missed and a person's word have neither.
    """

    entry: Text
    code: Text | None = None
    verdict: Verdict | None = None


def _whole(cause: Cause) -> Cause:
    if (cause.code is None) != (cause.verdict is None):
        raise ValueError
    return cause


@dataclass(frozen=True)
class Decision(TypedEvent):
    """What the gate decided, once for a monitoring round and once for each override.

    Attributes:
        round: The monitoring round it follows, or the round that an override takes effect in.
        action: ``promote`` gives the round's adapter to the clients, ``hold`` does not,
            ``rollback`` also lets the federation go on from the last good one; ``overruled`` is a
            person's override.
        promoted_round: Whose adapter clients use from now on.
        closed: Whether the gate is closed, so that good rounds must come before it promotes.
        failures: Rounds with a FAILURE in a row, so far.
        passes: Good rounds in a row, so far.
        reason: A sentence for people.
        caused_by: The entries that it rests on.
    """

    kind: ClassVar[str] = "gate"

    round: Count
    action: Action
    promoted_round: Count
    closed: StrictBool
    failures: Count
    passes: Count
    reason: Text
    caused_by: tuple[Annotated[Cause, AfterValidator(_whole)], ...]

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        return {**asdict(self), "caused_by": [asdict(cause) for cause in self.caused_by]}


@dataclass(frozen=True)
class GateOverridden(TypedEvent):
    """A person's word that the adapter of a round is the one to use."""

    kind: ClassVar[str] = "gate_overrule"

    round: Count
    reason: Text
    by: Text


@dataclass(frozen=True)
class PersonAware(TypedEvent):
    """A person says to know of the findings; ``head`` is the ledger's, so far as they were read."""

    kind: ClassVar[str] = "aware"

    by: Text
    note: Text
    head: Text


@dataclass(frozen=True)
class AlertFailed(TypedEvent):
    """A channel did not take what the entry with index ``entry`` tells, and why."""

    kind: ClassVar[str] = "alert_failed"

    round: Count
    channel: Text
    entry: Count
    reason: Text


@dataclass(frozen=True)
class ParityChecked(TypedEvent):
    """A served model was held against the plan's; ``unsilent.parity`` says what the numbers are.

    Attributes:
        verdict: ``same``, ``different`` or ``undetermined``.
        endpoint, name: Host and port, or a hook; and the model's name there.
        reference, adapter: Digests of the plan's model and of the adapter, if one.
        acts: Whether the adapter acts, if there is one.
        items, asked: How many were compared, and the digest of those.
        tolerance, largest: In nats; ``largest`` is None of a model that tells only probabilities.
        largest_probability: The largest difference of a choice's probability.
        alike, beyond: Items with the same choice, and items beyond the tolerance.
        most: The upper 95% end of the share of items beyond.
    """

    kind: ClassVar[str] = "parity"

    verdict: Literal["same", "different", "undetermined"]
    endpoint: Text
    name: Text | None
    reference: Text
    adapter: Text | None
    acts: Literal["acts", "absent", "unclear"] | None
    items: Count
    asked: Text
    tolerance: Number
    largest: Number | None
    largest_probability: Number
    alike: Count
    beyond: Count
    most: Number


@dataclass(frozen=True)
class OtherEvent:
    """An entry of a kind that this version does not know: as it is, and no error."""

    kind: str
    payload: Mapping[str, Any]


KnownEvent = (
    PlanDeclared
    | PlanFollowed
    | SystemReported
    | ReleaseBooked
    | RoundSummed
    | RoundJudged
    | RoundMissed
    | MonitoringStopped
    | Decision
    | GateOverridden
    | PersonAware
    | AlertFailed
    | ParityChecked
    | ComplaintRecorded
    | ComplaintAnswered
    | ActionOpened
    | ActionClosed
    | ReviewHeld
    | PersonTold
    | ClientsChanged
    | OverrideAsked
    | OverrideAnswered
)
_KINDS: Mapping[str, type[KnownEvent]] = {
    each.kind: each for each in cast("tuple[type[KnownEvent], ...]", KnownEvent.__args__)
}


def event_of(entry: Entry) -> KnownEvent | OtherEvent:
    """What an entry says. Raises LedgerError if it does not hold what its kind does."""
    known = _KINDS.get(entry.kind)
    if known is None:
        return OtherEvent(entry.kind, entry.payload)
    try:
        event = known.from_payload(entry.payload)
        if isinstance(event, RoundSummed):
            _ = event.total
        return event
    except UnsilentError as error:
        what = error.what
        if not isinstance(error, LedgerError):
            what = f"not a {entry.kind} entry: {what}"
        raise LedgerError(what, where=f"ledger entry {entry.index}") from None
