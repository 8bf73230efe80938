"""A run's gate as the dashboard shows it: what holds, what was decided lately, who overrode it."""

from __future__ import annotations

from dataclasses import dataclass

from unsilent.governance.four_eyes import answer_faults, needs_two
from unsilent.ledger.events import Decision, GateOverridden
from unsilent.ledger.people import OverrideAnswered, OverrideAsked
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan
from unsilent.server.gate import START, Override
from unsilent.server.gate_keeper import override_of

_DECISIONS = 20
_OVERRIDES = 20
_FOLLOWING = 50


@dataclass(frozen=True)
class Dated:
    """A decision with the ledger entry that holds it."""

    decision: Decision
    entry: int
    time: str


@dataclass(frozen=True)
class Said:
    """An override with its ledger entry; ``pending`` until a decision has taken it up."""

    override: Override
    entry: int
    time: str
    pending: bool


@dataclass(frozen=True)
class Asked:
    """An override that waits for another person, or what that person said.

    ``fault`` says why an answer has no effect; None of one that counts.
    """

    asked: OverrideAsked
    answer: OverrideAnswered | None
    entry: int
    time: str
    fault: str | None = None


@dataclass(frozen=True)
class GateState:
    """What the gate of a run has decided.

    Attributes:
        action: What the plan asks for; ``observe`` decides nothing.
        standing: The decision that holds.
        decisions, overrides: The newest ones, newest first.
        two: Whether one person asks for an override and another answers.
        asked: What was asked for so, newest first.
    """

    action: str
    standing: Decision
    decisions: tuple[Dated, ...]
    overrides: tuple[Said, ...]
    two: bool = False
    asked: tuple[Asked, ...] = ()

    @property
    def waiting(self) -> tuple[Asked, ...]:
        """Overrides that nobody has answered."""
        return tuple(each for each in self.asked if each.answer is None)

    @property
    def decides(self) -> bool:
        """Whether the plan's gate does more than observe."""
        return self.action != "observe"

    @property
    def rounds(self) -> tuple[int, ...]:
        """Rounds whose adapter a person may name, newest first; 0 is the one to start from."""
        made = [each.decision for each in self.decisions]
        decided = {each.round for each in made if each.action != "overruled"}
        return (*sorted(decided - {0}, reverse=True), 0)


def read_gate(plan: MonitoringPlan, run: RunView) -> GateState:
    """The gate's state. Raises LedgerError."""
    made = tuple(
        Dated(each.event, each.entry.index, each.entry.time)
        for each in run.newest(Decision, _DECISIONS)
    )
    said = tuple(_said(run, each) for each in run.newest(GateOverridden, _OVERRIDES))
    standing = made[0].decision if made else START
    return GateState(plan.gate.action, standing, made, said, needs_two(plan), _asked(plan, run))


def _asked(plan: MonitoringPlan, run: RunView) -> tuple[Asked, ...]:
    answers: dict[str, Recorded[OverrideAnswered]] = {}
    for each in run.events(OverrideAnswered):
        # Of several the first one counts.
        answers.setdefault(each.event.asked, each)
    faults = dict(answer_faults(plan, run))
    found: list[Asked] = []
    for each in run.newest(OverrideAsked, _OVERRIDES):
        answer = answers.get(each.entry.hash)
        said = None if answer is None else answer.event
        fault = None if answer is None else faults.get(answer.entry.index)
        found.append(Asked(each.event, said, each.entry.index, each.entry.time, fault))
    return tuple(found)


def _said(run: RunView, said: Recorded[GateOverridden]) -> Said:
    entry = said.entry
    # A decision takes up all overrides before it, so the first few after this one tell.
    after = run.events(Decision, entry.index, _FOLLOWING)
    taken = any(cause.entry == entry.hash for each in after for cause in each.event.caused_by)
    return Said(override_of(said), entry.index, entry.time, not taken)
