"""What is missed, told apart from what there was nothing to find of.

A cause that does not raise its mode here, as opposed camps where nothing is aggregated, is rightly
not found. One that does, by full access, and is not found, is a miss, whatever was said instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from unsilent_bench.page.charts import Data
from unsilent_bench.page.shares import share
from unsilent_bench.replay.power import ENOUGH
from unsilent_bench.replay.rows import ALL

Outcome = Literal["found", "missed", "nothing to find"]

OWN_METHOD, ORACLE = "unsilent", "oracle"
_CELL = ("tier", "mode", "scenario", "personalization", "dose", "clients", "unit")


@dataclass(frozen=True)
class Told:
    """One cause at one budget, and what became of it.

    Attributes:
        row: As the replay has it.
        outcome: ``nothing to find`` where the truth of no federation passes the tolerance;
            ``found`` where the failure is found in 95% of the runs at least; else ``missed``.
        said: What the last round said of the mode, where that is known: the most frequent verdict.
    """

    row: Data
    outcome: Outcome
    said: str

    @property
    def words(self) -> str:
        """The outcome, and of a miss how often."""
        lost = 1 - self.row["detection"]
        return f"missed in {share(lost)}" if self.outcome == "missed" else self.outcome


def told_apart(rows: Sequence[Data], epsilon: float | None, *, tier: str = "fleet") -> list[Told]:
    """Every cause at the strong dose and every way to personalize, for the own method.

    Args:
        rows: A replay's.
        epsilon: The budget of monitoring.
        tier: ``fleet`` or ``lm``.

    Returns:
        In the order of the rows.
    """
    known = {_key(row): row for row in rows if row["method"] == ORACLE}
    ours = (
        row
        for row in rows
        if (row["method"], row["epsilon"], row["tier"]) == (OWN_METHOD, epsilon, tier)
        and row["dose"] == "strong"
        and row["mode"] != ALL
        and row["personalization"] != ALL
        and row["detection"] is not None
    )
    return [Told(row, outcome(row, known.get(_key(row))), _said(row)) for row in ours]


def outcome(row: Data, oracle: Data | None) -> Outcome:
    """What became of one cell; ``oracle`` is what full access finds of it, where that was asked."""
    there = row["beyond"] or 0.0
    if oracle is not None:
        there = max(there, oracle["detection"] or 0.0)
    if not there and not row["detection"]:
        return "nothing to find"
    return "found" if row["detection"] >= ENOUGH else "missed"


@dataclass(frozen=True)
class Apart:
    """All causes of one tier and size at one budget, told apart.

    Attributes:
        tier, clients, epsilon: Which.
        causes: In how many there was something to find.
        mean: The mean rate over these; None of none.
        missed: Those that are found in less than 95% of the runs.
        nothing: Those in which there was nothing to find.
    """

    tier: str
    clients: int
    epsilon: float | None
    causes: int
    mean: float | None
    missed: tuple[Told, ...]
    nothing: tuple[Told, ...]


def apart(rows: Sequence[Data], budgets: Sequence[float | None] = (8.0, 2.0)) -> list[Apart]:
    """Fleet and language model by size and budget, where several causes were tried."""
    found: list[Apart] = []
    for tier in ("fleet", "lm"):
        for epsilon in budgets:
            told = told_apart(rows, epsilon, tier=tier)
            for clients in sorted({each.row["clients"] for each in told}):
                here = [each for each in told if each.row["clients"] == clients]
                mean, causes = mean_found(here) or (None, 0)
                by = {name: [e for e in here if e.outcome == name] for name in get_args(Outcome)}
                missed, nothing = tuple(by["missed"]), tuple(by["nothing to find"])
                found.append(Apart(tier, clients, epsilon, causes, mean, missed, nothing))
    return found


def mean_found(told: Iterable[Told]) -> tuple[float, int] | None:
    """The mean rate over the cells in which there was something to find, and how many these are."""
    rates = [each.row["detection"] for each in told if each.outcome != "nothing to find"]
    return (sum(rates) / len(rates), len(rates)) if rates else None


def _key(row: Data) -> tuple[Any, ...]:
    return tuple(row.get(name, "client" if name == "unit" else None) for name in _CELL)


def _said(row: Data) -> str:
    verdicts = {name.upper(): row[name] for name in ("failure", "healthy", "undetermined")}
    known = {name: share for name, share in verdicts.items() if share is not None}
    return max(known, key=lambda name: known[name]) if known else ""
