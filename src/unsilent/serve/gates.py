"""A run's gate as the dashboard shows it: what holds, what was decided lately, who overruled."""

from __future__ import annotations

from dataclasses import dataclass

from unsilent.ledger import Entry, Ledger
from unsilent.plan import MonitoringPlan
from unsilent.server.gate import START, Decision, Overrule
from unsilent.server.gate_keeper import DECISION, OVERRULE

_DECISIONS = 20
_OVERRULES = 20
_FOLLOWING = 50


@dataclass(frozen=True)
class Dated:
    """A decision with the ledger entry that holds it."""

    decision: Decision
    entry: int
    time: str


@dataclass(frozen=True)
class Said:
    """An overrule with its ledger entry; ``pending`` until a decision has taken it up."""

    overrule: Overrule
    entry: int
    time: str
    pending: bool


@dataclass(frozen=True)
class GateState:
    """What the gate of a run has decided.

    Attributes:
        action: What the plan asks for; ``observe`` decides nothing.
        standing: The decision that holds.
        decisions, overrules: The newest ones, newest first.
    """

    action: str
    standing: Decision
    decisions: tuple[Dated, ...]
    overrules: tuple[Said, ...]

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


def read_gate(plan: MonitoringPlan, ledger: Ledger) -> GateState:
    """The gate's state. Raises LedgerError; KeyError or TypeError for other programs' entries."""
    made = [
        Dated(Decision.from_json(entry.payload), entry.index, entry.time)
        for entry in ledger.page(limit=_DECISIONS, kind=DECISION)
    ]
    if not all(isinstance(each.decision.round, int) for each in made):
        raise TypeError("a decision about no round")
    said = [_said(ledger, entry) for entry in ledger.page(limit=_OVERRULES, kind=OVERRULE)]
    standing = made[0].decision if made else START
    return GateState(plan.gate.action, standing, tuple(made), tuple(said))


def _said(ledger: Ledger, entry: Entry) -> Said:
    payload = entry.payload
    overrule = Overrule(
        entry.hash, int(payload["round"]), str(payload["reason"]), str(payload["by"])
    )
    # A decision takes up all overrules before it, so the first few after this one tell.
    after = ledger.entries(DECISION, since=entry.index, limit=_FOLLOWING)
    taken = any(
        cause.entry == entry.hash
        for each in after
        for cause in Decision.from_json(each.payload).caused_by
    )
    return Said(overrule, entry.index, entry.time, not taken)
