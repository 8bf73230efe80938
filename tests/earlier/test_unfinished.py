"""A run that an earlier version began stops before any client spends anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.earlier.conftest import Earlier, holds
from unsilent.errors import PlanError
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.server.monitor import Monitor


def after_two_rounds(earlier: Earlier, folder: Path) -> tuple[Monitor, Ledger]:
    """The run as it stood when round 3 was to begin."""
    plan = parse_plan(json.loads((earlier.run / "plan.json").read_text(encoding="utf-8")))
    ledger = Ledger(folder / "ledger.sqlite")
    for entry in Ledger(earlier.run / "ledger.sqlite", read_only=True).entries(limit=11):
        ledger.append(entry.kind, entry.payload)
    assert ledger.entries("findings")[-1].round == 2
    return Monitor(plan, ledger), ledger


def test_its_next_round_is_not_paid_for_since_it_could_not_be_judged(
    earlier: Earlier, tmp_path: Path
) -> None:
    """What clients would send now are other numbers than those of its sums so far."""
    monitor, ledger = after_two_rounds(earlier, tmp_path)
    before = ledger.head
    with pytest.raises(PlanError, match="first schema is read and shown, and no longer run"):
        monitor.spend(3)
    assert ledger.head == before


def test_what_it_found_so_far_is_told(earlier: Earlier, tmp_path: Path) -> None:
    monitor, _ = after_two_rounds(earlier, tmp_path)
    found = monitor.findings().to_json()["rounds"]
    assert holds(earlier.findings["rounds"][:2], found)
