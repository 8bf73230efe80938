"""Findings in a notebook: a table that says what the page says, and rows for a frame."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import unsilent
from unsilent.errors import InputError
from unsilent.findings import Finding, Findings
from unsilent.report.source import Run

HOSTILE = "<script>alert('x')</script>"


def test_a_notebook_shows_verdicts_in_points_with_what_limits_them(run: Run) -> None:
    html = run.findings._repr_html_()
    assert "2 FAILURE (1 silent)" in html
    assert "<td>✖ FAILURE SILENT</td><td>+21.4</td><td>[14.4, 28.4]</td><td>10.0</td>" in html
    assert "each client counted with 30.0 points at most" in html
    assert html.count("<tr>") == 7


def test_nothing_of_a_file_is_markup(
    findings_with: Callable[..., Findings], judge: Callable[..., Finding]
) -> None:
    told = judge("SF-3", 0.08, 0.12, "undetermined", reason=HOSTILE)
    assert "<script>" not in findings_with({"SF-3": told}, name=HOSTILE)._repr_html_()


def test_rows_are_the_findings_as_shares(run: Run) -> None:
    rows = run.findings.rows()
    assert [row["code"] for row in rows] == [f"SF-{number}" for number in range(1, 7)]
    first = {**rows[0], "lower": round(rows[0]["lower"], 9), "upper": round(rows[0]["upper"], 9)}
    assert first == {
        "round": 2, "code": "SF-1", "mode": "amplified_bias", "verdict": "failure",
        "visibility": "silent", "effect": 0.214, "tolerance": 0.1, "clients": 96, "reason": None,
        "lower": 0.144, "upper": 0.284, "minimal_detectable_effect": 0.06, "oracle": 0.2,
    }  # fmt: skip
    assert rows[5]["effect"] is None
    assert rows[5]["lower"] is None


def test_a_frame_without_pandas_is_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"a frame needs pandas.*unsilent\[notebook\]"):
        run.findings.to_frame()


def test_a_frame_has_a_row_a_mode_and_the_same_columns_without_one(
    run: Run, findings_with: Callable[..., Findings]
) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = run.findings.to_frame()
    assert list(frame["code"]) == [f"SF-{number}" for number in range(1, 7)]
    assert frame.loc[0, "effect"] == 0.214
    assert list(findings_with(findings=()).to_frame().columns) == list(frame.columns)


def test_the_public_reader_reads_a_runs_file(folder: Path, run: Run) -> None:
    read = unsilent.read_findings(folder / "findings.json")
    assert [row["effect"] for row in read.rows()] == [row["effect"] for row in run.findings.rows()]
    assert read._repr_html_() == run.findings._repr_html_()
