"""The gate: which global adapter clients may use, decided from findings alone.

Pure; ``unsilent.server.gate_keeper`` keeps decisions in a run's ledger. An adapter is named by the
round that made it, 0 for the one that round 1 started from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from unsilent.findings import Verdict
from unsilent.ledger.events import Action, Cause, Decision
from unsilent.modes import MODES
from unsilent.performance.cells import keys_of
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code


@dataclass(frozen=True)
class Reading:
    """What one monitoring round says.

    Attributes:
        round: The round.
        entry: Hash of its findings in the ledger, or of the entry which says that it was missed.
        verdicts: By code, of the planned modes; empty if the round was missed.
        missed: Why, if it was.
        performance: By key, of the statistics of performance; empty if the plan asks for none.
    """

    round: int
    entry: str
    verdicts: Mapping[str, Verdict]
    missed: str | None = None
    performance: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])


@dataclass(frozen=True)
class Override:
    """A person's word that the adapter of a round is the one to use."""

    entry: str
    round: int
    reason: str
    by: str


START = Decision(0, "promote", 0, False, 0, 0, "nothing has been decided yet", ())
"""Before the first decision: clients use the adapter that round 1 started from."""


def decide(plan: MonitoringPlan, reading: Reading, earlier: Sequence[Decision]) -> Decision:
    """The decision that follows a monitoring round.

    An adapter with a FAILURE is never promoted, nor is any while the gate is closed. Between two
    changes of the gate lie at least ``close_after`` rounds with a FAILURE, or ``open_after`` good
    ones.

    Args:
        plan: Its ``gate`` says what follows; not ``observe``.
        reading: What the round says.
        earlier: All decisions before, oldest first.
    """
    gate, last = plan.gate, earlier[-1] if earlier else START
    verdicts: dict[str, Verdict | None] = {
        code: reading.verdicts.get(code) for code in gate.codes(plan.planned)
    }
    counted = keys_of(plan.performance, gate.statistics)
    verdicts |= {key: reading.performance.get(key) for key in counted}
    failing = [code for code, verdict in verdicts.items() if verdict == "failure"]
    undecided = [code for code, verdict in verdicts.items() if verdict != "healthy"]
    good = not undecided or (not failing and gate.undetermined == "promote")
    failures, passes = last.failures, last.passes
    if failing:
        failures, passes = failures + 1, 0
    elif good:
        failures, passes = 0, passes + 1
    closed = passes < gate.open_after if last.closed else failures >= gate.close_after
    promoted = last.promoted_round
    action: Action = "hold"
    if good and not closed:
        promoted, action = reading.round, "promote"
    elif failing and closed and gate.action == "rollback":
        action = "rollback"
    reason = _why(plan, reading, failing, undecided)
    if closed and not failing:
        reason += f"; the gate is closed, {passes} of {gate.open_after} good rounds have passed"
    telling = () if reading.missed else failing or undecided or tuple(verdicts)
    causes = tuple(Cause(reading.entry, code, verdicts[code]) for code in telling)
    return Decision(
        reading.round,
        action,
        promoted,
        closed,
        failures,
        passes,
        reason,
        causes or (Cause(reading.entry),),
    )


def overridden(said: Override, round_number: int, earlier: Sequence[Decision]) -> Decision:
    """The decision by which a person's word takes effect, at the start of a round.

    The gate stays open or closed as it was, and goes on counting.
    """
    last = earlier[-1] if earlier else START
    return Decision(
        round_number,
        "overruled",
        said.round,
        last.closed,
        last.failures,
        last.passes,
        f"{said.by}: {said.reason}",
        (Cause(said.entry),),
    )


def starts_from(plan: MonitoringPlan, round_number: int, earlier: Sequence[Decision]) -> int:
    """From which round's adapter a training round starts: the one before, if none went back.

    Where the plan says ``rollback`` it may be the one that the federation went back to, or the one
    that a person named.
    """
    last = earlier[-1] if earlier else START
    moved = ((round_number, "overruled"), (round_number - 1, "rollback"))
    if plan.gate.action == "rollback" and (last.round, last.action) in moved:
        return last.promoted_round
    return round_number - 1


def _why(
    plan: MonitoringPlan, reading: Reading, failing: Sequence[str], undecided: Sequence[str]
) -> str:
    if reading.missed is not None:
        return f"the round was missed, so nothing is known of its adapter: {reading.missed}"
    if failing:
        return f"FAILURE: {_named(failing)}"
    if undecided:
        return f"UNDETERMINED: {_named(undecided)}"
    beside = " and statistics" if plan.gate.statistics else ""
    return f"HEALTHY in all modes{beside} that count"


def _named(codes: Sequence[str]) -> str:
    return ", ".join(
        f"{code} {by_code(code).title.lower()}" if code in MODES else f"{code} on records"
        for code in codes
    )
