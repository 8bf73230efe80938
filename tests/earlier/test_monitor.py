"""A monitor opens an earlier run's ledger and finds in it what that version found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.earlier.conftest import Earlier, holds
from unsilent.errors import RunError
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.monitor import Monitor


def plan_of(folder: Path) -> MonitoringPlan:
    return parse_plan(json.loads((folder / "plan.json").read_text(encoding="utf-8")))


def test_its_rounds_and_verdicts_are_those_that_were_written(
    earlier: Earlier, ledger_at: str
) -> None:
    found = Monitor(plan_of(earlier.run), Ledger(ledger_at)).findings().to_json()
    written = earlier.findings
    for each in written["findings"]:
        # The truth of a simulation is not in the ledger.
        each.pop("oracle")
    assert all(each["oracle"] is None for each in found["findings"])
    for key in ("round", "clients", "findings", "rounds", "system_metrics", "influence"):
        assert holds(written[key], found[key]), key
    assert found["privacy"]["epsilon_spent"] == pytest.approx(written["privacy"]["epsilon_spent"])


def test_nothing_is_written_by_opening_it(earlier: Earlier, ledger_at: str) -> None:
    Monitor(plan_of(earlier.run), Ledger(ledger_at))
    assert Ledger(ledger_at, read_only=True).head == earlier.head


def test_another_plans_monitor_does_not_take_it_up(earlier: Earlier, ledger_at: str) -> None:
    other = plan_of(earlier.run).model_copy(update={"name": "other"})
    with pytest.raises(RunError, match="another plan"):
        Monitor(other, Ledger(ledger_at))
