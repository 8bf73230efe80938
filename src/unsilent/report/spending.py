"""What a run's releases have cost: its ledger's privacy events, and the epsilon they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unsilent.ledger.location import ledger_of
from unsilent.ledger.run_view import RunView
from unsilent.release.accountant import PrivacyEvent
from unsilent.release.promise import conditions, for_a_lawyer
from unsilent.report.source import read_run


@dataclass(frozen=True)
class Spending:
    """The events of a run, in order, and what they cost.

    Attributes:
        events: One for each release.
        running: Epsilon after each of them.
        epsilon, delta: The plan's budget; infinite and beside the point for unit ``none``.
        unit, adjacency: What the guarantee is about.
        sentence: What was spent, for someone who knows no epsilon.
        conditions: What that sentence is about and what it is not (``promise.conditions``).
        stopped: Why monitoring stopped early, else None.
    """

    events: tuple[PrivacyEvent, ...]
    running: tuple[float, ...]
    epsilon: float
    delta: float
    unit: str
    adjacency: str
    sentence: str
    conditions: tuple[str, ...] = ()
    stopped: str | None = None

    @property
    def private(self) -> bool:
        """Whether there is a guarantee at all."""
        return self.unit != "none"

    @property
    def spent(self) -> float:
        """Epsilon of all events together."""
        return self.running[-1] if self.running else 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; without differential privacy each epsilon is null."""
        own = self.private
        return {
            "unit": self.unit,
            "adjacency": self.adjacency if own else None,
            "epsilon_spent": self.spent if own else None,
            "epsilon": self.epsilon if own else None,
            "delta": self.delta if own else None,
            "sentence": self.sentence,
            "conditions": list(self.conditions),
            "stopped": self.stopped,
            "events": [
                {**event.to_json(), "epsilon_so_far": running if own else None}
                for event, running in zip(self.events, self.running, strict=True)
            ],
        }


def spending(folder: Path) -> Spending:
    """Read a run's ledger; raises InputError or LedgerError if it is missing or damaged."""
    plan = read_run(folder).plan
    ledger = ledger_of(folder)
    ledger.verify()
    run = RunView(ledger)
    return Spending(
        events=run.costs,
        running=run.running_epsilon(plan.privacy.delta, plan.privacy.rounds_per_client),
        epsilon=plan.whole_epsilon,
        delta=plan.privacy.delta,
        unit=plan.privacy.unit,
        adjacency=plan.privacy.adjacency,
        sentence=for_a_lawyer(plan, run.costs),
        conditions=conditions(plan),
        stopped=None if run.stopped is None else run.stopped.reason,
    )


def spending_table(spent: Spending) -> RenderableType:
    """The events as a table, with the sum below."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("round", "mechanism", "sensitivity", "noise sd", "ratio", "epsilon so far"):
        table.add_column(name, justify="left" if name == "mechanism" else "right")
    for event, running in zip(spent.events, spent.running, strict=True):
        table.add_row(
            str(event.round),
            event.kind.replace("_", " "),
            f"{event.sensitivity:.0f}",
            f"{event.sigma:.0f}",
            f"{event.sigma / event.sensitivity:.3g}",
            f"{running:.4g}" if spent.private else "–",
        )
    notes = [spent.sentence, *spent.conditions, *([spent.stopped] if spent.stopped else [])]
    if not spent.private:
        total = Text("No differential privacy (unit none): no epsilon is spent, and none is kept.")
        return Group(table, total, *(Text(f"\n{note}") for note in notes))
    total = Text(
        f"epsilon {spent.spent:.4g} of {spent.epsilon:g} at delta {spent.delta:g}; unit "
        f"{spent.unit}, adjacency {spent.adjacency}. Derived from the events above, which count "
        "the noise that is guaranteed in each sum; it is no guarantee about single vectors."
    )
    return Group(table, total, *(Text(f"\n{note}") for note in notes))
