"""A client sees how it stands from its own files: nothing is sent, nothing is spent."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path

import pytest

from tests.server.test_monitor import CLIENTS, plan, releases, run_round
from unsilent.cli import main
from unsilent.client.local import FEDERATION_FILE, MODEL, PRIVATE, local_view, receive_findings
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.client.own_statistics import OWN_FILE, read_own
from unsilent.errors import InputError
from unsilent.ledger import Ledger
from unsilent.modes.base import Statistic
from unsilent.release import SeededNoise
from unsilent.server.monitor import Monitor


@pytest.fixture
def federation(tmp_path: Path) -> Monitor:
    """Two judged rounds; client k's effect is 0.1 + 0.001 k, then 0.2 + 0.001 k."""
    monitor = Monitor(plan(), Ledger(tmp_path / "ledger.sqlite"))
    for number, effect in ((1, 0.1), (3, 0.2)):
        run_round(monitor, number, releases(tmp_path / "clients", plan(), number, effect))
    return monitor


@pytest.fixture
def folder(federation: Monitor, tmp_path: Path) -> Path:
    return tmp_path / "clients" / "7"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_client_sees_its_own_exact_numbers(folder: Path) -> None:
    view = local_view(folder)
    assert (view.round, view.plan, view.received) == (3, plan().digest, None)
    assert [mode.code for mode in view.modes] == ["SF-1", "SF-6"]
    first = view.modes[0]
    assert first.own.value == 0.2 + 0.001 * 7
    assert (first.own.spread, first.own.items) == (0.02, 40)
    assert first.before == ((1, 0.1 + 0.001 * 7),)
    assert first.standing is None
    assert (view.loss, view.accuracy) == (-0.1, -0.02)


def test_beside_the_federation_as_last_received(federation: Monitor, folder: Path) -> None:
    found = federation.findings()
    receive_findings(folder, found)
    finding = found.findings[0]
    standing = local_view(folder).modes[0].standing
    assert standing is not None
    assert finding.effect is not None
    assert standing.effect == pytest.approx(finding.effect, rel=1e-5)
    assert standing.difference == pytest.approx(0.207 - finding.effect, abs=1e-5)
    assert standing.clients == CLIENTS
    assert standing.verdict == finding.verdict
    # Of enrolled clients the federation releases no spread over clients; what is in the sampling
    # sd is the choice of items.
    assert finding.sampling_sd is not None
    assert finding.sampling_sd > 0
    assert (standing.spread, standing.deviations) == (None, None)


def test_the_spread_over_clients_is_that_of_the_mean_times_the_root_of_n(tmp_path: Path) -> None:
    monitored = {"rounds": [1, 3], "min_cohort": 5, "population": "like-these", "items": "these"}
    of = plan(monitor=monitored)
    monitor = Monitor(of, Ledger(tmp_path / "ledger.sqlite"), accept_underpowered=True)
    run_round(monitor, 1, releases(tmp_path / "clients", of, 1, 0.1))
    folder = tmp_path / "clients" / "0"
    receive_findings(folder, monitor.findings())
    finding = monitor.findings().findings[0]
    standing = local_view(folder).modes[0].standing
    assert standing is not None
    assert finding.sampling_sd is not None
    assert finding.sampling_sd > 0
    assert standing.spread == pytest.approx(finding.sampling_sd * math.sqrt(CLIENTS), rel=1e-5)
    assert standing.deviations == pytest.approx(standing.difference / standing.spread)


def test_looking_changes_no_file_and_spends_nothing(federation: Monitor, folder: Path) -> None:
    receive_findings(folder, federation.findings())
    before = contents(folder)
    assert main(["local", str(folder)]) == 0
    assert contents(folder) == before
    assert len(json.loads(before["budget.json"])["releases"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_only_this_user_can_read_it(federation: Monitor, folder: Path) -> None:
    receive_findings(folder, federation.findings())
    for name in (OWN_FILE, FEDERATION_FILE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_release_asked_again_keeps_what_was_released(folder: Path, tmp_path: Path) -> None:
    releases(tmp_path / "clients", plan(), 3, effect=0.9)
    assert local_view(folder).modes[0].own.value == 0.2 + 0.001 * 7
    assert [past.round for past in read_own(folder)] == [1, 3]


def test_it_says_in_words_whose_it_is(
    federation: Monitor, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "findings.json"
    path.write_text(federation.findings().text())
    assert main(["local", str(folder), "--findings", str(path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "this client's own numbers" in shown
    assert "no privacy budget was spent" in shown
    assert "SF-1 amplified +0.207" in shown
    assert main(["local", str(folder), "--findings", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["private"] == PRIVATE
    assert data["modes"][0]["own"]["value"] == pytest.approx(0.207)
    assert data["modes"][0]["standing"]["round"] == 3


def test_findings_of_another_plan(federation: Monitor, folder: Path, tmp_path: Path) -> None:
    other = Monitor(plan(name="other"), Ledger(tmp_path / "other.sqlite"))
    run_round(other, 1, releases(tmp_path / "others", plan(name="other"), 1))
    receive_findings(folder, other.findings())
    with pytest.raises(InputError, match="another plan"):
        local_view(folder)


def test_before_the_first_round(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="measured nothing yet"):
        local_view(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        local_view(tmp_path / "gone")
    with pytest.raises(InputError, match="a file, not a folder"):
        local_view(file)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "unsilent/own/1", "rounds": [{}]}'])
def test_a_damaged_file_stops_no_release(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "7"
    releases(tmp_path, plan(), 1)
    (folder / OWN_FILE).write_text(text)
    with pytest.raises(InputError, match=r"own\.json: not readable"):
        local_view(folder)
    releases(tmp_path, plan(), 3)
    assert local_view(folder).round == 3


def test_a_client_is_told_what_to_look_at_where_its_model_was_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of, notes = plan(), ("look at every array", "and at the base")
    observer = Observer(of, "client-0", tmp_path, noise=SeededNoise(1))
    statistics = [Statistic(code, 0.1, -1.0, 1.0, 0.02, 40) for code in of.planned]
    made = observer.release(1, statistics, SystemChange(0.0, 0.0), ModelCheck(1.0, notes=notes))
    assert local_view(tmp_path).model == notes
    # For its own eyes: in no release, and in no other file than its own numbers.
    assert b"every array" not in made.to_bytes()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [p.name for p in files if b"every array" in p.read_bytes()] == [OWN_FILE]
    assert main(["local", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == list(notes)
    assert main(["local", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(f"{MODEL}: {note}." in said for note in notes)


def test_of_a_model_that_was_shown_nothing_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert local_view(folder).model == ()
    assert main(["local", str(folder)]) == 0
    assert MODEL not in " ".join(capsys.readouterr().out.split())
