"""``unsilent privacy spent`` derives epsilon from the ledger's events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unsilent.cli import main
from unsilent.findings import read_findings
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundJudged
from unsilent.plan import MonitoringPlan
from unsilent.release.noise import planned_event
from unsilent.report.spending import spending


def record(folder: Path, plan: MonitoringPlan, rounds: int) -> None:
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append("note", {"text": "not an event"})
    for number in range(1, rounds + 1):
        ledger.append("privacy_event", planned_event(plan, number).to_json())
    found = read_findings(folder / "findings.json")
    told = [each.to_json() for each in found.findings]
    ledger.record(RoundJudged(found.round, found.clients, told))


def test_all_planned_releases_cost_the_budget(folder: Path, plan: MonitoringPlan) -> None:
    record(folder, plan, 3)
    spent = spending(folder)
    assert spent.spent == pytest.approx(8.0, abs=0.01)
    assert list(spent.running) == sorted(spent.running)
    assert spent.running[0] < spent.spent / 1.5


def test_json_and_table_say_the_same(
    folder: Path, plan: MonitoringPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    record(folder, plan, 1)
    assert main(["privacy", "spent", str(folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [event["round"] for event in data["events"]] == [1]
    assert main(["privacy", "spent", str(folder)]) == 0
    text = capsys.readouterr().out
    assert f"epsilon {data['epsilon_spent']:.4g} of 8" in text


def test_a_ledger_without_releases_has_spent_nothing(folder: Path, plan: MonitoringPlan) -> None:
    record(folder, plan, 0)
    assert spending(folder).spent == 0.0


def test_a_missing_ledger_is_not_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privacy", "spent", str(folder)]) == 2
    assert "ledger.sqlite: no such file" in capsys.readouterr().err
    assert not (folder / "ledger.sqlite").exists()


def test_each_event_has_its_running_epsilon_and_one_sentence_says_what_it_means(
    folder: Path, plan: MonitoringPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    record(folder, plan, 2)
    assert main(["privacy", "spent", str(folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    running = [event["epsilon_so_far"] for event in data["events"]]
    assert running == list(spending(folder).running)
    assert running[-1] == data["epsilon_spent"]
    assert "times in 100, where tossing a coin is right 50 times" in data["sentence"]
    assert main(["privacy", "spent", str(folder)]) == 0
    assert "tossing a coin" in " ".join(capsys.readouterr().out.split())


def test_a_spent_budget_is_said(
    folder: Path, plan: MonitoringPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    record(folder, plan, 3)
    Ledger(folder / "ledger.sqlite").append("stopped", {"round": 4, "reason": "All is spent."})
    assert spending(folder).stopped == "All is spent."
    assert main(["privacy", "spent", str(folder)]) == 0
    assert "All is spent." in capsys.readouterr().out
