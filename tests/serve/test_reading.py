"""What the dashboard shows is what the monitor found, while a run goes on and after it ended."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.serve.run_maker import RunMaker, plan_of
from unsilent.errors import UnsilentError
from unsilent.findings import Findings, write_findings
from unsilent.serve import reading
from unsilent.serve.access import Access
from unsilent.serve.app import make_app
from unsilent.serve.places import Places
from unsilent.serve.reading import RunReader


def same(shown: Findings | None, found: Findings) -> bool:
    """As they are published: the ledger holds rounded numbers."""
    return shown is not None and shown.to_json() == found.to_json()


def test_a_run_in_progress_reads_as_its_monitor_has_it(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run").judged(1, 2).missed(3)
    state = RunReader(run.folder).state()
    assert same(state.findings, run.monitor.findings())
    assert state.privacy == run.monitor.findings().privacy
    assert [(c.round, c.clients, bool(c.missed)) for c in state.cohort] == [
        (1, 40, False),
        (2, 40, False),
        (3, None, True),
    ]
    assert (state.round, state.judged, state.ended, state.phase) == (3, 2, False, "under way")
    assert state.gate.standing.action == "hold"
    assert state.gate.standing.promoted_round == 1
    assert state.gate.rounds == (3, 2, 1, 0)


def test_before_any_round_nothing_is_known(tmp_path: Path) -> None:
    state = RunReader(RunMaker(tmp_path / "run").folder).state()
    assert state.findings is None
    assert (state.round, state.judged, state.privacy.epsilon_spent) == (0, 0, 0.0)


def test_only_what_is_new_is_read_and_the_mark_says_when(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run").judged(1)
    reader = RunReader(run.folder)
    first, mark = reader.state(), reader.mark()
    assert reader.state() is first
    assert reader.mark() == mark
    run.judged(2)
    assert reader.mark() != mark
    assert same(reader.state().findings, run.monitor.findings())


def test_the_findings_of_an_ended_run_are_its_own(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run").judged(1, 2)
    found = run.monitor.findings()
    told = replace(found, findings=tuple(f.with_oracle(0.2, 40) for f in found.findings))
    write_findings(run.folder / "findings.json", told)
    state = RunReader(run.folder).state()
    assert state.ended
    assert state.findings is not None
    assert state.findings.findings[0].oracle is not None
    assert state.note is None


def test_a_watch_has_not_ended_before_its_last_round(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run", plan_of(rounds=2)).judged(1).ended()
    (run.folder / "watch.json").write_text('{"sends": false}')
    assert not RunReader(run.folder).state().ended
    assert RunReader(run.judged(2).ended().folder).state().ended


@pytest.mark.parametrize("damage", ["not json", "another round"])
def test_findings_that_are_not_the_ledgers_are_not_shown(tmp_path: Path, damage: str) -> None:
    run = RunMaker(tmp_path / "run").judged(1)
    path = run.folder / "findings.json"
    if damage == "not json":
        path.write_bytes(b"{")
    else:
        run.ended().judged(2)
    state = RunReader(run.folder).state()
    assert same(state.findings, run.monitor.findings())
    assert state.note is not None
    assert "findings.json" in state.note


def test_an_override_is_pending_until_a_round_begins(tmp_path: Path) -> None:
    from unsilent.server.gate_keeper import override

    run = RunMaker(tmp_path / "run").judged(1, 2)
    override(run.ledger, 2, reason="it must", by="me")
    reader = RunReader(run.folder)
    assert [said.pending for said in reader.state().gate.overrides] == [True]
    run.judged(3)
    state = reader.state()
    assert [said.pending for said in state.gate.overrides] == [False]
    assert [each.decision.action for each in state.gate.decisions] == [
        "hold",
        "overruled",
        "hold",
        "promote",
    ]


def test_a_changed_entry_breaks_the_chain(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run").judged(1)
    reader = RunReader(run.folder)
    assert reader.check().whole
    run.judged(2)
    connection = sqlite3.connect(run.folder / "ledger.sqlite")
    connection.execute("drop trigger unsilent_ledger_update")
    size = run.ledger.size
    connection.execute(
        "update unsilent_ledger set payload = replace(payload, '40', '41') where position = ?",
        (size - 1,),
    )
    connection.commit()
    connection.close()
    chain = reader.check()
    assert not chain.whole
    assert chain.fault == f"entry {size - 1} was changed"


def test_a_ledger_of_no_run_is_refused(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "run", plan_of())
    run.ledger.append("findings", {"round": 1, "clients": 4, "findings": "none"})
    reader = RunReader(run.folder)
    with pytest.raises(UnsilentError):
        reader.state()


def test_a_run_that_falls_quiet_is_something_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = RunReader(RunMaker(tmp_path / "run").judged(1).folder)
    assert reader.state().phase == "under way"
    mark = reader.mark()
    monkeypatch.setattr(reading, "_QUIET_SECONDS", 0.0)
    assert reader.state().phase == "quiet"
    assert reader.mark() != mark


def test_a_round_that_was_missed_long_ago_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "RECENT", 2)
    run = RunMaker(tmp_path / "run").missed(1).judged(2, 3, 4)
    state = RunReader(run.folder).state()
    assert [each.round for each in state.cohort] == [3, 4]
    assert state.missed == 1
    app = make_app(Places([run.folder]), Access(frozenset({"testserver"})))
    with TestClient(app) as client:
        text = client.get("/runs/run").text
    assert "None missed" not in text
    assert "✖ 1 missed, none of the newest." in text
    assert "By round, the newest alone." in text
