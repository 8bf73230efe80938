"""What a run's gate decided: which adapter is in use, why, and in simulation how good it truly is.

Read from the ledger, so that it can be asked while the federation runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.errors import InputError
from unsilent.governance.four_eyes import answer_override, ask_override, asked_overrides
from unsilent.ledger import Ledger
from unsilent.ledger.events import Decision
from unsilent.ledger.location import ledger_of, open_ledger
from unsilent.ledger.people import OverrideAnswered, OverrideAsked
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan
from unsilent.report.source import FINDINGS_FILE
from unsilent.report.view import points
from unsilent.server.gate import START, Override
from unsilent.server.gate_keeper import Gate, check_round, decisions, override, overrides
from unsilent.taxonomy import by_code


@dataclass(frozen=True)
class Truth:
    """The true effect of the adapter in use, mean over simulated clients, and what it may be."""

    code: str
    mode: str
    effect: float
    tolerance: float
    within_tolerance: bool


@dataclass(frozen=True)
class Gating:
    """A run's gate.

    Attributes:
        plan: The run's plan.
        decisions: All of them, oldest first.
        pending: Overrides that take effect when the next round begins.
        asked: Overrides that one person asked for and no other has answered, where the plan asks
            for four eyes.
        oracle: Of the adapter in use, in simulation; empty elsewhere, and where what clients use
            was not measured.
    """

    plan: MonitoringPlan
    decisions: tuple[Decision, ...]
    overrides: tuple[Override, ...]
    pending: tuple[Override, ...]
    oracle: tuple[Truth, ...]
    asked: tuple[Recorded[OverrideAsked], ...] = ()

    @property
    def standing(self) -> Decision:
        """The decision that holds."""
        return self.decisions[-1] if self.decisions else START

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "plan": self.plan.digest,
            "action": self.plan.gate.action,
            "promoted_round": self.standing.promoted_round if self._decides else None,
            "closed": self.standing.closed,
            "decisions": [made.to_payload() for made in self.decisions],
            "overrules": [asdict(said) for said in self.overrides],
            "pending": [said.entry for said in self.pending],
            "oracle": [asdict(truth) for truth in self.oracle],
            "asked": [
                {"entry": each.entry.index, **each.event.to_payload()} for each in self.asked
            ],
        }

    def render(self) -> RenderableType:
        """The same for people."""
        if not self._decides:
            return Text(
                "The gate of this plan only observes: every round's adapter is in use. "
                '`[gate] action = "hold"` in a plan holds a failing one back.'
            )
        standing = self.standing
        head = Text(
            f"{self.plan.name}: clients use the adapter of round {standing.promoted_round}. "
            f"The gate is {'closed' if standing.closed else 'open'}.",
            "bold",
        )
        parts: list[RenderableType] = [head, _table(self.decisions)]
        parts += [
            Text(
                f"From the next round on: the adapter of round {said.round}. {said.by}: "
                f"{said.reason}"
            )
            for said in self.pending
        ]
        parts += [
            Text(
                f"Asked for in ledger entry {each.entry.index}, waits for another person: the "
                f"adapter of round {each.event.round}. {each.event.by}: {each.event.reason}"
            )
            for each in self.asked
        ]
        if self.oracle:
            parts.append(_truths(self.oracle))
        return Group(*parts)

    @property
    def _decides(self) -> bool:
        return self.plan.gate.action != "observe"


def gating(folder: Path) -> Gating:
    """Read a run's gate. Raises InputError or LedgerError if the ledger is missing or damaged."""
    ledger = ledger_of(folder)
    ledger.verify()
    plan = _plan(ledger)
    made, said = decisions(ledger), overrides(ledger, plan)
    taken = {cause.entry for each in made for cause in each.caused_by}
    promoted = made[-1].promoted_round if made else START.promoted_round
    return Gating(
        plan,
        made,
        said,
        tuple(each for each in said if each.entry not in taken),
        _oracle(plan, folder, promoted) if plan.gate.action != "observe" else (),
        tuple(each for each, answered in asked_overrides(RunView(ledger)) if not answered),
    )


def override_run(folder: Path, round_number: int, *, reason: str, by: str) -> Override:
    """Override the gate of a run; where the run has ended it takes effect at once.

    The chain is verified by whoever reads it, not here: a person does not wait for that.

    Raises:
        InputError: There is no such run or round, or reason or name is empty.
        LedgerError: The ledger cannot be written to.
    """
    # Reading first: opening to write would make a ledger where there is none.
    plan = _plan(ledger_of(folder))
    ledger = open_ledger(folder)
    said = override(ledger, round_number, reason=reason, by=by)
    if (folder / FINDINGS_FILE).is_file():
        Gate(plan, ledger).begin(plan.federation.rounds + 1)
    return said


def ask_run(folder: Path, round_number: int, *, reason: str, by: str) -> Recorded[OverrideAsked]:
    """Ask for an override of the gate of a run whose plan asks for four eyes.

    Raises as ``override_run``.
    """
    plan = _plan(ledger_of(folder))
    ledger = open_ledger(folder)
    check_round(ledger, round_number)
    return ask_override(ledger, plan, round_number, reason=reason, by=by)


def answer_run(
    folder: Path, index: int, *, approved: bool, note: str, by: str
) -> Recorded[OverrideAnswered]:
    """Answer, as another person, the override that a ledger entry asks for.

    An approved one takes effect as one of ``override_run`` does. Raises as that, and InputError if
    this person may not answer it.
    """
    plan = _plan(ledger_of(folder))
    ledger = open_ledger(folder)
    said = answer_override(ledger, plan, index, approved=approved, note=note, by=by)
    if approved and (folder / FINDINGS_FILE).is_file():
        Gate(plan, ledger).begin(plan.federation.rounds + 1)
    return said


def _plan(ledger: Ledger) -> MonitoringPlan:
    run = RunView(ledger)
    if run.declared is None:
        raise InputError("a ledger without a plan", where=ledger.where, remedy="Give another run.")
    return run.plan


def _oracle(plan: MonitoringPlan, folder: Path, promoted: int) -> tuple[Truth, ...]:
    """The truth about the adapter in use, from what each simulated client measured."""
    told = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob(f"clients/*/oracle-{promoted}.json"))
    ]
    simulated = any(folder.glob("clients/*/oracle-*.json"))
    # An adapter that has learnt nothing is the reference itself.
    untouched = promoted == 0 and plan.reference_round == 0 and plan.adapter.start is None
    if not told and not (simulated and untouched):
        return ()
    found = []
    for code in plan.planned:
        mode = by_code(code).mode
        effect = float(np.mean([values[code] for values in told])) if told else 0.0
        section = plan.mode(mode)
        if section is not None:
            tolerance = section.tolerance
            found.append(Truth(code, mode, effect, tolerance, effect <= tolerance))
    return tuple(found)


def _table(made: Sequence[Decision]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("round", justify="right")
    table.add_column("decision")
    table.add_column("in use", justify="right")
    table.add_column("gate")
    table.add_column("because")
    for each in made:
        state = "closed" if each.closed else "open"
        table.add_row(
            str(each.round), each.action, str(each.promoted_round), state, escape(each.reason)
        )
    return table


def _truths(oracle: Sequence[Truth]) -> Table:
    table = Table(title="True effect of the adapter in use, in points", box=box.SIMPLE_HEAD)
    table.title_justify = "left"
    for name in ("mode", "effect", "tolerance", ""):
        table.add_column(name, justify="right" if name in ("effect", "tolerance") else "left")
    for truth in oracle:
        table.add_row(
            f"{truth.code} {by_code(truth.code).title}",
            points(truth.effect, sign=True),
            points(truth.tolerance),
            "within" if truth.within_tolerance else "BEYOND",
        )
    return table
