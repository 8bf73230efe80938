"""``unsilent record`` and ``gate ask``, ``answer``: what dashboards do, from a shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.governance.history import ROLES
from tests.serve.run_maker import RunMaker, plan_of
from unsilent.cli import app
from unsilent.plan import parse_plan

TABLE = {"roles": ROLES, "triggers": [{"on": "failure", "action": "correct", "within": 72}]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    plan = parse_plan({**plan_of().to_json(), "governance": TABLE})
    return RunMaker(tmp_path_factory.mktemp("runs") / "ward", plan).judged(1, 2)


def said(*words: str | Path | int, code: int = 0, text: str | None = None) -> str:
    result = CliRunner().invoke(app, [*map(str, words)], input=text)
    assert result.exit_code == code, result.output
    return result.output


def entry(*words: str | Path | int, text: str | None = None) -> int:
    return int(json.loads(said(*words, "--json", text=text))["entry"])


def test_from_a_finding_to_what_was_done_about_it(run: RunMaker) -> None:
    folder = run.folder
    told = " ".join(said("record", folder).split())
    assert "NOBODY AWARE" in told
    assert "no “serious incident”" in told
    said("record", "show", folder, "--fail-on", "overdue")
    said("record", "show", folder, "--fail-on", "unaware", code=3)
    cause = run.ledger.entries("findings")[-1].index
    by = ("--by", "Ada")
    entry("aware", folder, "--note", "read it", *by)
    entry("record", "told", folder, "--cause", cause, "--who", "the board", "--note", "x", *by)
    opened = entry(
        "record", "open", folder, "--cause", cause, "--what", "retrain", "--owner", "Eve", *by
    )
    entry("record", "close", folder, "--action", opened, "--evidence", "report 7", *by)
    entry("record", "review", folder, "--outcome", "go-on", "--note", "x", "--by", "Rita")
    about = ("record", "complaint", folder, "--about", "unsafe", "--text", "-")
    complaint = entry(*about, *by, text="Mr X fell")
    answer = ("--outcome", "not-upheld", "--note", "x", *by)
    entry("record", "answer", folder, "--complaint", complaint, *answer)
    found = json.loads(said("record", "show", folder, "--json"))
    assert [duty["standing"] for duty in found["duties"]] == ["done"]
    assert found["complaints"]["counts"]["not upheld"] == 1
    assert "Mr X" not in json.dumps(found)
    said("record", "review", folder, "--outcome", "stop", "--note", "x", "--by", "Mallory", code=1)


def test_an_override_by_two(run: RunMaker) -> None:
    folder = run.folder
    why = ("--round", 2, "--reason", "needed", "--by", "Dan")
    said("gate", "override", folder, *why, code=1)
    asked = entry("gate", "ask", folder, *why)
    assert "waits for another person" in " ".join(said("gate", folder).split())
    said("gate", "answer", folder, "--asked", asked, "--note", "x", "--by", "dan", code=1)
    told = said("gate", "answer", folder, "--asked", asked, "--note", "x", "--by", "Eve")
    assert "from the next round on" in told
