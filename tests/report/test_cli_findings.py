"""``unsilent findings`` gates a pipeline and shows what the file holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from unsilent.cli import main
from unsilent.findings import Finding, Findings
from unsilent.plan import MonitoringPlan
from unsilent.report.source import Run

Judge = Callable[..., Finding]
FindingsWith = Callable[..., Findings]


@pytest.fixture
def healthy_but_one_open(judge: Judge, findings_with: FindingsWith, plan: MonitoringPlan) -> Run:
    healthy = {code: judge(code, 0.0, 0.05, "healthy") for code in ("SF-1", "SF-2")}
    return Run(plan, findings_with(healthy))


def test_without_a_gate_failures_exit_0(folder: Path) -> None:
    assert main(["findings", str(folder)]) == 0


@pytest.mark.parametrize("gate", ["failure", "undetermined"])
def test_a_failure_fails_both_gates(folder: Path, gate: str) -> None:
    assert main(["findings", str(folder), "--fail-on", gate]) == 3


@pytest.mark.parametrize(("gate", "code"), [("failure", 0), ("undetermined", 3)])
def test_an_open_verdict_fails_only_the_stricter_gate(
    tmp_path: Path,
    write: Callable[[Path, Run], Path],
    healthy_but_one_open: Run,
    gate: str,
    code: int,
) -> None:
    folder = write(tmp_path / "open", healthy_but_one_open)
    assert main(["findings", str(folder), "--fail-on", gate]) == code


def test_the_gate_still_prints_the_findings(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["findings", str(folder), "--json", "--fail-on", "failure"])
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 6


def test_json_is_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", str(folder), "--json"]) == 0
    assert capsys.readouterr().out == (folder / "findings.json").read_text(encoding="utf-8")


def test_findings_of_another_plan_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    data["privacy"]["epsilon"] = 9.0
    (folder / "plan.json").write_text(json.dumps(data), encoding="utf-8")
    assert main(["findings", str(folder)]) == 2
    assert "the findings belong to another plan" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plan.json", "findings.json"])
@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": 1}'])
def test_a_damaged_run_is_one_line_that_names_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content, encoding="utf-8")
    assert main(["findings", str(folder)]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(folder / name) in error


def test_report_writes_the_page_and_prints_its_path(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
