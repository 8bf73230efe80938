"""A plan of the first schema is refused where a run would begin, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.earlier.conftest import Earlier
from unsilent.cli import main
from unsilent.errors import PlanError
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.server.monitor import Monitor
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.settings import Settings

TOML = """
schema = "unsilent/plan/1"
[modes.amplified_bias]
tolerance = 0.1
clip = 0.3
"""


@pytest.mark.parametrize("command", [("run",), ("plan", "check")])
def test_on_the_command_line_it_is_told_what_to_do(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(TOML, encoding="utf-8")
    out = ["--out", str(tmp_path / "run")] if command == ("run",) else []
    assert main([*command, str(plan), *out]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "a plan of the first schema is read and shown, and no longer run" in said
    assert "Leave the key out" in said
    assert not (tmp_path / "run").exists()


def test_a_monitor_begins_no_run_of_it(earlier: Earlier, tmp_path: Path) -> None:
    plan = parse_plan(json.loads((earlier.run / "plan.json").read_text(encoding="utf-8")))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    before = ledger.head
    with pytest.raises(PlanError, match="first schema"):
        Monitor(plan, ledger)
    assert ledger.head == before


def test_an_engine_that_is_given_it_trains_on_unmonitored(earlier: Earlier, tmp_path: Path) -> None:
    run = MonitoredRun(Settings(plan=earlier.run / "plan.json", out=tmp_path / "run"))
    run.begin(1, None)
    run.close()
    assert not (tmp_path / "run" / "ledger.sqlite").exists()


def test_the_same_plan_without_its_schema_is_run(earlier: Earlier, tmp_path: Path) -> None:
    data = json.loads((earlier.run / "plan.json").read_text(encoding="utf-8"))
    del data["schema"]
    Monitor(parse_plan(data), Ledger(tmp_path / "ledger.sqlite"), accept_underpowered=True)
