"""What a ledger's entries say: one typed event for each kind.

An event's payload is what the chain hashes, so ``to_payload`` gives the very keys that were always
written. ``from_payload`` checks them, since ledgers and packs come from strangers; keys that it
does not know are a later version's, and are passed over. So are kinds: see ``OtherEvent``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np

from unsilent.errors import LedgerError, UnsilentError
from unsilent.findings import Finding, HistoryRound, Verdict
from unsilent.ledger.chain import Entry
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.accountant import PrivacyEvent
from unsilent.release.release import Release

Fits = Callable[[Any], bool]
Payload = Mapping[str, Any]
Action = Literal["promote", "hold", "rollback", "overruled"]


def _round(value: Any) -> bool:
    return type(value) is int and value >= 0


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _vector(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(number) is int and abs(number) <= 2**53 for number in cast("list[Any]", value)
    )


def _coded(value: Any) -> bool:
    return _tables(value) and all(_text(each.get("code")) for each in value)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(_table, cast("list[Any]", value)))


def _checked(kind: str, fits: Mapping[str, Fits], payload: object) -> dict[str, Any]:
    """The keys of a payload that are known. Raises LedgerError naming the first that is amiss."""
    if not isinstance(payload, Mapping):
        raise LedgerError(f"not a {kind} entry: its payload")
    told = cast("Payload", payload)
    for key, fit in fits.items():
        if key not in told or not fit(told[key]):
            raise LedgerError(f"not a {kind} entry: its {key}")
    return {key: told[key] for key in fits}


class _Plain:
    """An event whose fields are its payload's keys."""

    kind: ClassVar[str]
    _fits: ClassVar[Mapping[str, Fits]]

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        return {key: getattr(self, key) for key in self._fits}

    @classmethod
    def from_payload(cls, payload: Payload) -> Self:
        """Read an entry's payload. Raises LedgerError naming the key that is amiss."""
        return cls(**_checked(cls.kind, cls._fits, payload))


@dataclass(frozen=True)
class PlanDeclared(_Plain):
    """A run's first entry: the plan, before anything is measured."""

    kind: ClassVar[str] = "plan"
    _fits: ClassVar[Mapping[str, Fits]] = {"digest": _text, "plan": _table}

    digest: str
    plan: Mapping[str, Any]

    @classmethod
    def of(cls, plan: MonitoringPlan) -> PlanDeclared:
        """The declaration of a plan."""
        return cls(plan.digest, plan.to_json())

    def parsed(self, where: str) -> MonitoringPlan:
        """The plan itself. Raises PlanError."""
        return parse_plan(dict(self.plan), where=where)


@dataclass(frozen=True)
class SystemReported(_Plain):
    """What the federated run itself shows after a training round: its weighted means."""

    kind: ClassVar[str] = "system"
    _fits: ClassVar[Mapping[str, Fits]] = {"round": _round, "loss": _number, "accuracy": _number}

    round: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class ReleaseBooked:
    """The privacy cost of a round's releases, booked before any client is asked."""

    kind: ClassVar[str] = "privacy_event"
    _fits: ClassVar[Mapping[str, Fits]] = {
        "round": _round,
        "sensitivity": _number,
        "sigma": _number,
    }

    cost: PrivacyEvent

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry; its ``kind`` is the mechanism's."""
        return self.cost.to_json()

    @classmethod
    def from_payload(cls, payload: Payload) -> ReleaseBooked:
        """Read an entry's payload; no key may be unknown here, lest a cost be counted too low.

        Raises LedgerError or ReleaseError.
        """
        _checked(cls.kind, cls._fits, payload)
        return cls(PrivacyEvent.from_json(payload))


@dataclass(frozen=True)
class RoundSummed:
    """The sum of a round's releases, noise included."""

    kind: ClassVar[str] = "sum"
    _fits: ClassVar[Mapping[str, Fits]] = {
        "round": _round,
        "clients": _round,
        "layout": _text,
        "vector": _vector,
        "noise_variance": _number,
    }

    total: Release

    @property
    def round(self) -> int:
        """The monitoring round."""
        return self.total.round

    @property
    def clients(self) -> int:
        """How many clients' releases are in it."""
        return self.total.clients

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        total = self.total
        return {
            "round": total.round,
            "clients": total.clients,
            "layout": total.layout,
            "vector": total.vector.tolist(),
            "noise_variance": total.noise_variance,
        }

    @classmethod
    def from_payload(cls, payload: Payload) -> RoundSummed:
        """Read an entry's payload. Raises LedgerError or ReleaseError."""
        told = _checked(cls.kind, cls._fits, payload)
        return cls(Release(**{**told, "vector": np.array(told["vector"], dtype=np.int64)}))


@dataclass(frozen=True)
class RoundJudged(_Plain):
    """A round's findings, as JSON: all six modes."""

    kind: ClassVar[str] = "findings"
    _fits: ClassVar[Mapping[str, Fits]] = {"round": _round, "clients": _round, "findings": _coded}

    round: int
    clients: int
    findings: list[dict[str, Any]]

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By code, of the modes that have one. Raises KeyError for other programs' entries."""
        told = {found["code"]: found["verdict"] for found in self.findings}
        return {code: verdict for code, verdict in told.items() if verdict is not None}

    def parsed(self) -> tuple[Finding, ...]:
        """The findings, each checked against its schema, which is slow. Raises FindingsError."""
        return tuple(map(Finding.from_json, self.findings))

    def history(self) -> HistoryRound:
        """The same in short, unchecked. Raises KeyError or TypeError."""
        return HistoryRound.from_json(self.round, self.findings)


@dataclass(frozen=True)
class RoundMissed(_Plain):
    """A planned monitoring round gave no sum, and why."""

    kind: ClassVar[str] = "missed"
    _fits: ClassVar[Mapping[str, Fits]] = {"round": _round, "reason": _text}

    round: int
    reason: str


@dataclass(frozen=True)
class MonitoringStopped(_Plain):
    """The budget is spent: the first round that is not monitored, and why."""

    kind: ClassVar[str] = "stopped"
    _fits: ClassVar[Mapping[str, Fits]] = {"round": _round, "reason": _text}

    round: int
    reason: str


@dataclass(frozen=True)
class Cause:
    """A ledger entry that a decision rests on: its hash, and of findings the mode and verdict."""

    entry: str
    code: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Decision(_Plain):
    """What the gate decided, once for a monitoring round and once for each overrule.

    Attributes:
        round: The monitoring round it follows, or the round that an overrule takes effect in.
        action: ``promote`` gives the round's adapter to the clients, ``hold`` does not,
            ``rollback`` also lets the federation go on from the last good one; ``overruled`` is a
            person's.
        promoted_round: Whose adapter clients use from now on.
        closed: Whether the gate is closed, so that good rounds must come before it promotes.
        failures: Rounds with a FAILURE in a row, so far.
        passes: Good rounds in a row, so far.
        reason: A sentence for people.
        caused_by: The entries that it rests on.
    """

    kind: ClassVar[str] = "gate"
    _fits: ClassVar[Mapping[str, Fits]] = {
        "round": _round,
        "action": _text,
        "promoted_round": _round,
        "closed": _flag,
        "failures": _round,
        "passes": _round,
        "reason": _text,
        "caused_by": _tables,
    }

    round: int
    action: Action
    promoted_round: int
    closed: bool
    failures: int
    passes: int
    reason: str
    caused_by: tuple[Cause, ...]

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        return {**asdict(self), "caused_by": [asdict(cause) for cause in self.caused_by]}

    @classmethod
    def from_payload(cls, payload: Payload) -> Decision:
        """Read an entry's payload. Raises LedgerError naming the key that is amiss."""
        told = _checked(cls.kind, cls._fits, payload)
        causes = [_checked(cls.kind, _CAUSE, cause) for cause in told["caused_by"]]
        return cls(**{**told, "caused_by": tuple(Cause(**cause) for cause in causes)})


def _text_or_none(value: Any) -> bool:
    return value is None or _text(value)


_CAUSE: Mapping[str, Fits] = {"entry": _text, "code": _text_or_none, "verdict": _text_or_none}


@dataclass(frozen=True)
class GateOverruled(_Plain):
    """A person's word that the adapter of a round is the one to use."""

    kind: ClassVar[str] = "gate_overrule"
    _fits: ClassVar[Mapping[str, Fits]] = {"round": _round, "reason": _text, "by": _text}

    round: int
    reason: str
    by: str


@dataclass(frozen=True)
class PersonAware(_Plain):
    """A person says to know of the findings; ``head`` is the ledger's, so far as they were read."""

    kind: ClassVar[str] = "aware"
    _fits: ClassVar[Mapping[str, Fits]] = {"by": _text, "note": _text, "head": _text}

    by: str
    note: str
    head: str


@dataclass(frozen=True)
class AlertFailed(_Plain):
    """A channel did not take what the entry with index ``entry`` tells, and why."""

    kind: ClassVar[str] = "alert_failed"
    _fits: ClassVar[Mapping[str, Fits]] = {
        "round": _round,
        "channel": _text,
        "entry": _round,
        "reason": _text,
    }

    round: int
    channel: str
    entry: int
    reason: str


@dataclass(frozen=True)
class OtherEvent:
    """An entry of a kind that this version does not know: as it is, and no error."""

    kind: str
    payload: Mapping[str, Any]

    def to_payload(self) -> dict[str, Any]:
        """The payload of its entry."""
        return dict(self.payload)


KnownEvent = (
    PlanDeclared
    | SystemReported
    | ReleaseBooked
    | RoundSummed
    | RoundJudged
    | RoundMissed
    | MonitoringStopped
    | Decision
    | GateOverruled
    | PersonAware
    | AlertFailed
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
        return known.from_payload(entry.payload)
    except UnsilentError as error:
        raise LedgerError(error.what, where=f"ledger entry {entry.index}") from None
