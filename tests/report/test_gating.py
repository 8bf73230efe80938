"""``unsilent gate``: which adapter is in use, why, and how good it truly is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from unsilent.cli import main
from unsilent.errors import LedgerError
from unsilent.ledger import Ledger
from unsilent.ledger.location import open_ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.gating import gating, override_run
from unsilent.server.gate_keeper import Gate


def plan(action: str = "hold", **changes: object) -> MonitoringPlan:
    modes = {"amplified_bias": {"tolerance": 0.1}, "alignment_erosion": {"tolerance": 0.05}}
    data = {"name": "shown", "modes": modes, "gate": {"action": action, "open_after": 1}}
    return parse_plan({**data, **changes})


def run(folder: Path, of: MonitoringPlan, verdicts: str, url: str | None = None) -> Path:
    """A simulated run: H healthy, F failure in SF-1, whose true effects are 0.05 and 0.3."""
    ledger = open_ledger(folder, url)
    ledger.append("plan", {"digest": of.digest, "plan": of.to_json()})
    gate = Gate(of, ledger)
    for number, letter in enumerate(verdicts, start=1):
        gate.begin(number)
        found = [
            {"code": "SF-1", "verdict": "healthy" if letter == "H" else "failure"},
            {"code": "SF-6", "verdict": "healthy"},
        ]
        ledger.append("findings", {"round": number, "clients": 4, "findings": found})
        gate.close(number)
        for client in ("0000", "0001"):
            path = folder / "clients" / client / f"oracle-{number}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            effect = 0.05 if letter == "H" else 0.3
            spread = 0.01 if client == "0000" else -0.01
            path.write_text(json.dumps({"SF-1": effect + spread, "SF-6": 0.0}))
    return folder


def test_the_truth_is_that_of_the_adapter_in_use(tmp_path: Path) -> None:
    found = gating(run(tmp_path, plan(), "HF")).to_json()
    assert (found["promoted_round"], found["closed"]) == (1, True)
    first = found["oracle"][0]
    assert first["effect"] == pytest.approx(0.05)
    assert (first["code"], first["tolerance"], first["within_tolerance"]) == ("SF-1", 0.1, True)


def test_an_adapter_that_learnt_nothing_is_the_reference(tmp_path: Path) -> None:
    found = gating(run(tmp_path, plan(), "F"))
    assert found.standing.promoted_round == 0
    assert [truth.effect for truth in found.oracle] == [0.0, 0.0]


def test_of_an_adapter_that_was_never_measured_no_truth_is_told(tmp_path: Path) -> None:
    of = plan(adapter={"start": "older.safetensors"})
    assert gating(run(tmp_path, of, "F")).oracle == ()


def test_an_observing_gate_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path, plan("observe"), "HF")
    assert gating(folder).to_json()["promoted_round"] is None
    assert main(["gate", str(folder)]) == 0
    assert "only observes" in capsys.readouterr().out


def test_the_table_shows_each_decision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path, plan(), "HFH")
    assert main(["gate", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "clients use the adapter of round 3. The gate is open." in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[:3] for row in rows if row and row[0].isdigit()] == [
        ["1", "promote", "1"],
        ["2", "hold", "1"],
        ["3", "promote", "3"],
    ]
    assert "FAILURE: SF-1 amplified bias" in text


def test_an_override_waits_for_the_next_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(tmp_path, plan(), "HF")
    words = ["--round", "2", "--reason", "wrong probes", "--by", "Ada", "--json"]
    assert main(["gate", "override", str(folder), *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["promoted_round"], len(found["pending"])) == (1, 1)
    assert found["overrules"][0]["by"] == "Ada"
    Gate(plan(), Ledger(folder / "ledger.sqlite")).begin(3)
    after = gating(folder)
    assert (after.standing.promoted_round, after.pending) == (2, ())
    assert not after.oracle[0].within_tolerance


def test_in_a_run_that_has_ended_it_takes_effect_at_once(tmp_path: Path) -> None:
    folder = run(tmp_path, plan(), "HF")
    (folder / "findings.json").write_text("{}")
    override_run(folder, 2, reason="wrong probes", by="Ada")
    assert gating(folder).standing.promoted_round == 2


def test_a_run_with_its_ledger_elsewhere(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", plan(), "HF", f"sqlite:///{tmp_path}/elsewhere.db")
    said = override_run(folder, 2, reason="wrong probes", by="Ada")
    assert gating(folder).pending == (said,)
    assert not (folder / "ledger.sqlite").exists()


def test_a_damaged_ledger_is_not_shown(tmp_path: Path) -> None:
    folder = run(tmp_path, plan(), "H")
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("DROP TRIGGER unsilent_ledger_delete")
        database.execute("DELETE FROM unsilent_ledger WHERE position = 2")
    with pytest.raises(LedgerError, match="entry 2"):
        gating(folder)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--round", "7", "--reason", "x", "--by", "Ada"], "no round 7"),
        (["--round", "1", "--reason", " ", "--by", "Ada"], "needs a reason"),
    ],
)
def test_a_wrong_override_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    folder = run(tmp_path, plan(), "H")
    assert main(["gate", "override", str(folder), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_folder_without_a_run_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", str(tmp_path), "--json"]) == 2
    assert "no such file" in capsys.readouterr().err
