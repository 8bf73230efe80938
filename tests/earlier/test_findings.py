"""``unsilent findings`` gives an earlier run's findings as they were written."""

from __future__ import annotations

import json

import pytest

from tests.earlier.conftest import Ask, Earlier, holds, points


def test_as_json_they_say_what_the_file_says(earlier: Earlier, ask: Ask) -> None:
    assert holds(earlier.findings, json.loads(ask("findings", earlier.run, "--json")))


def test_for_people_each_mode_has_its_verdict_and_effect(
    earlier: Earlier, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = ask("findings", earlier.run).splitlines()
    for finding in earlier.findings["findings"]:
        row = next(line for line in lines if line.startswith(finding["code"]))
        if finding["verdict"] is None:
            assert "NOT PLANNED" in row
        else:
            assert finding["verdict"].upper() in row
            assert points(finding["effect"]) in row


def test_its_failure_fails_a_build(earlier: Earlier, ask: Ask) -> None:
    assert "failure" in earlier.verdicts.values()
    ask("findings", earlier.run, "--fail-on", "failure", code=3)


def test_those_of_another_plan_are_refused(earlier: Earlier, ask: Ask) -> None:
    path = earlier.run / "plan.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"ward"', '"other"'), encoding="utf-8")
    ask("report", earlier.run, code=2)
