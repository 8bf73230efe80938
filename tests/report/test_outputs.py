"""What a command prints is whole, whatever it is printed to; what cannot be written is a line."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unsilent.cli import main
from unsilent.report.source import Run

FULL = Path("/dev/full")


@pytest.fixture
def named(tmp_path: Path, run: Run, write: Callable[[Path, Run], Path]) -> Path:
    """A run whose findings hold signs that few encodings have, one of them beyond 16 bits."""
    odd = replace(run.findings, scenario="clinique à Łódź 漢 \U0001f600")
    return write(tmp_path / "run", replace(run, findings=odd))


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> tuple[int, bytes]:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    return main(arguments), raw.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_an_output_of_few_signs_is_whole(
    named: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    code, told = printed(monkeypatch, encoding, "findings", str(named), "--fail-on", "failure")
    assert code == 3
    text = told.decode(encoding)
    # The symbols of the verdicts stay as many as they were.
    for word in (r"\u2716 FAILURE", "? UNDETERMINED", r"\u2714 HEALTHY", r"\u2205 NOT PLANNED"):
        assert word in text
    code, told = printed(monkeypatch, encoding, "findings", str(named), "--json")
    assert code == 0
    # JSON is UTF-8 where the output is one of ASCII.
    assert (
        json.loads(told.decode("utf-8" if encoding == "ascii" else encoding))["scenario"]
        == "clinique à Łódź 漢 \U0001f600"
    )


@pytest.mark.skipif(not FULL.exists(), reason="no device here is always full")
@pytest.mark.parametrize("how", [[], ["--json"], ["--json", "--fail-on", "failure"]])
def test_an_output_that_is_full_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: list[str],
) -> None:
    with FULL.open("wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
        assert main(["findings", str(folder), *how]) == 1
        sys.stdout.close()
    said = capsys.readouterr().err
    assert said == "unsilent: the output cannot be written (No space left on device)\n"


def test_a_closed_output_is_no_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["findings", str(folder), "--fail-on", "failure"]) == 3


@pytest.mark.parametrize("columns", ["30", "60", "79"])
def test_a_narrow_terminal_loses_no_figure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["findings", str(folder)]) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    (row,) = [
        line for line in text.splitlines() if line.startswith("SF-1 Amplified") and "✖" in line
    ]
    for figure in ("+21.4", "[14.4, 28.4]", " 10.0", " 6.0", "+20.0"):
        assert figure in row
