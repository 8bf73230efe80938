"""The incident timeline: onset, alarm, person aware, decision."""

import json
from dataclasses import replace
from pathlib import Path

from unsilent.findings import read_findings
from unsilent.findings.finding import Onset
from unsilent.ledger import Ledger
from unsilent.ledger.events import Cause, Decision
from unsilent.ledger.people import ClientsChanged, ReviewHeld
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.report.incidents import incidents


def test_a_failure_is_an_incident_from_onset_to_the_person_who_knows(run_folder: Path) -> None:
    ledger = Ledger(run_folder / "ledger.sqlite")
    found = incidents(read_findings(run_folder / "findings.json"), RunView(ledger))
    assert [each.code for each in found] == ["SF-1"]
    alarm, aware = found[0].moments[-2:]
    assert (alarm.what, aware.what) == ("alarm", "aware")
    first = next(
        e for e in ledger.entries("findings") if e.payload["findings"][0]["verdict"] == "failure"
    )
    assert (alarm.entry, alarm.time) == (first.index, first.time)
    assert aware.words == "A. Person: told the ward"


def test_a_decision_counts_if_the_mode_caused_it(tmp_path: Path, run_folder: Path) -> None:
    entries = Ledger(run_folder / "ledger.sqlite").entries()
    kept = Ledger(tmp_path / "ledger.sqlite")
    for entry in entries:
        kept.append(entry.kind, entry.payload)
    for code, action in (("SF-4", "promote"), ("SF-1", "hold")):
        kept.record(Decision(5, action, 0, True, 1, 0, "r", (Cause("sha256:0", code, "failure"),)))
    found = incidents(read_findings(run_folder / "findings.json"), RunView(kept))
    decision = found[0].moments[-1]
    assert (decision.what, decision.words) == ("decision", "hold: r")


def test_a_run_without_failure_has_no_incident(run_folder: Path) -> None:
    entries = Ledger(run_folder / "ledger.sqlite").entries()
    calm = [e for e in entries if e.kind != "findings"]
    assert incidents(read_findings(run_folder / "findings.json"), RunView(KeptEntries(calm))) == ()
    assert json.loads((run_folder / "plan.json").read_text())["name"] == "ward"


def test_clients_that_left_within_the_onset_stand_beside_it(
    tmp_path: Path, run_folder: Path
) -> None:
    found = read_findings(run_folder / "findings.json")
    each = next(finding for finding in found.findings if finding.code == "SF-1")
    began = replace(each, onset=Onset(3, 4, None))
    told = replace(found, findings=(began, *found.findings[1:]))
    kept = Ledger(tmp_path / "ledger.sqlite")
    for entry in Ledger(run_folder / "ledger.sqlite").entries():
        kept.append(entry.kind, entry.payload)
    for after in (1, 2, 4, 5):
        kept.record(ClientsChanged(after, 2, 1, 90, "moved", "Dan"))
    (incident,) = incidents(told, RunView(kept))
    beside = [m for m in incident.moments if m.what == "clients"]
    assert [m.round for m in beside] == [2, 4]
    assert "2 clients left for good and 1 joined after round 2" in beside[0].words


def test_whoever_knows_by_the_record_knows_in_the_timeline(
    tmp_path: Path, run_folder: Path
) -> None:
    """A review is awareness to a duty's deadline: no pack says at once that nobody knew."""
    kept = Ledger(tmp_path / "ledger.sqlite")
    for entry in Ledger(run_folder / "ledger.sqlite").entries():
        if entry.kind != "aware":
            kept.append(entry.kind, entry.payload)
    found = read_findings(run_folder / "findings.json")
    assert [each.what for each in incidents(found, RunView(kept))[0].moments][-1] == "alarm"
    review = kept.record(ReviewHeld("act", "retrain it", "Rita", kept.head))
    aware = incidents(found, RunView(kept))[0].moments[-1]
    assert (aware.what, aware.words) == ("aware", "Rita: retrain it")
    assert (aware.entry, aware.time) == (review.index, review.time)
