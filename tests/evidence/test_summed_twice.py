"""A round that a killed server summed twice follows from its ledger all the same."""

from __future__ import annotations

from pathlib import Path

from tests.evidence.conftest import plan_of
from unsilent.evidence.replayed import replayed_faults
from unsilent.findings import read_findings
from unsilent.ledger import Ledger


def test_a_round_that_was_summed_twice_is_no_fault(run_folder: Path, tmp_path: Path) -> None:
    found = read_findings(run_folder / "findings.json")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for entry in Ledger(run_folder / "ledger.sqlite").entries():
        for _ in range(2 if entry.kind == "sum" else 1):
            ledger.append(entry.kind, entry.payload)
    rounds = max(e.payload["round"] for e in ledger.entries("findings"))
    assert list(replayed_faults(plan_of(rounds), found, ledger.entries())) == []
