"""The gate follows the table: it promotes nothing until what a trigger asks for is done."""

from __future__ import annotations

from pathlib import Path

from tests.serve.run_maker import RunMaker, plan_of
from unsilent.governance.recording import answer_complaint, close_action, complain, open_action
from unsilent.plan import parse_plan
from unsilent.server.gate_keeper import decisions

TRIGGER = {"triggers": [{"on": "complaint", "action": "hold"}]}
HEALTHY = {"SF-1": 0.0, "SF-4": 0.0}


def run_of(folder: Path, governance: dict | None) -> RunMaker:
    data = plan_of(rounds=6).to_json()
    data["gate"]["undetermined"] = "promote"
    plan = parse_plan(data if governance is None else {**data, "governance": governance})
    return RunMaker(folder, plan, HEALTHY)


def promoted(run: RunMaker) -> list[tuple[int, str, int]]:
    return [(made.round, made.action, made.promoted_round) for made in decisions(run.ledger)]


def test_a_complaint_holds_the_gate_until_its_action_is_closed(tmp_path: Path) -> None:
    run = run_of(tmp_path / "ward", TRIGGER).judged(1)
    said = complain(run.folder, run.ledger, about="unsafe", by="Nurse")
    run.judged(2)
    opened = open_action(run.ledger, said.index, what="look", owner="Eve", by="Dan")
    run.judged(3)
    close_action(run.ledger, opened.index, evidence="report 7", by="Eve")
    run.judged(4)
    assert promoted(run) == [(1, "promote", 1), (2, "hold", 1), (3, "hold", 1), (4, "promote", 4)]
    held = decisions(run.ledger)[1]
    assert "until an action for it is closed: a complaint (unsafe)" in held.reason
    assert said.hash in {cause.entry for cause in held.caused_by}


def test_one_that_is_not_upheld_holds_no_longer_and_without_the_table_none_does(
    tmp_path: Path,
) -> None:
    run = run_of(tmp_path / "ward", TRIGGER)
    said = complain(run.folder, run.ledger, about="wrong", by="Nurse")
    run.judged(1)
    answer_complaint(run.ledger, said.index, outcome="not upheld", note="it is right", by="Rita")
    run.judged(2)
    assert promoted(run) == [(1, "hold", 0), (2, "promote", 2)]
    bare = run_of(tmp_path / "lab", None)
    complain(bare.folder, bare.ledger, about="wrong", by="Nurse")
    assert promoted(bare.judged(1)) == [(1, "promote", 1)]
