"""Open text for whoever reads a plan or a run: its cost, its labels, and where it disagrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from unsilent.findings import Finding, Findings
from unsilent.inference.advice import advise
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.decision import apart, decide
from unsilent.report.open_text import open_text_json, open_text_lines


def plan_of(**probes: Any) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": 16, "rounds": 4},
            "privacy": {"epsilon": 8.0, "aggregation": "plain"},
            "probes": probes,
            "modes": {"written_refusal": {"tolerance": 0.2, "clip": 0.5}},
        }
    )


def test_a_plan_without_it_says_nothing() -> None:
    plain = parse_plan({"modes": {"alignment_erosion": {"tolerance": 0.1}}})
    assert open_text_lines(plain, ()) == ""
    assert open_text_json(plain, ()) is None


def test_the_most_that_a_client_writes_is_said() -> None:
    # Two adapters, 16 prompts and 4 whose answers are labelled, 32 tokens each.
    told = open_text_json(plan_of(labelled_refusal="sites"), ())
    assert told is not None and told["tokens"] == 2 * 20 * 32
    assert "1,280 tokens" in open_text_lines(plan_of(labelled_refusal="sites"), ())


def test_without_labels_no_verdict_is_within_reach_and_it_says_how_many_would_do() -> None:
    plan = plan_of()
    advice = advise(plan)
    assert {each.verdict for each in advice} == {"failure", "healthy"}
    labels = {each.verdict: each.alone.labels for each in advice}
    assert labels["failure"] is not None and labels["healthy"] is not None
    assert 4 <= labels["failure"] < labels["healthy"]
    assert "so there will be no verdict" in open_text_lines(plan, advice)
    # And with so many it is.
    enough = plan_of(labelled_refusal="sites", sizes={"labelled_refusal": labels["healthy"]})
    assert not [each for each in advise(enough) if each.verdict == "healthy"]
    fewer = plan_of(labelled_refusal="sites", sizes={"labelled_refusal": labels["healthy"] - 1})
    assert [each for each in advise(fewer) if each.verdict == "healthy"]


@pytest.fixture
def both(judge: Callable[..., Finding]) -> Callable[[Any, Any], dict[str, Finding]]:
    def make(chosen: Any, written: Any) -> dict[str, Finding]:
        def of(verdict: Any) -> Finding:
            seen = "silent" if verdict == "failure" else None
            return judge("SF-6", 0.0, 0.05, verdict, visibility=seen)

        first = of(chosen)
        second = replace(of(written), code="OT-6", mode="written_refusal")
        return {"SF-6": first, "OT-6": second}

    return make


def test_opposite_verdicts_are_named(both: Callable[[Any, Any], dict[str, Finding]]) -> None:
    said = apart(tuple(both("healthy", "failure").values()))
    assert said == (
        "SF-6, read from forced choices, is HEALTHY, and OT-6, read from what is written, is "
        "FAILURE: look at the texts themselves",
    )
    for verdicts in (
        ("healthy", "healthy"),
        ("failure", "failure"),
        ("healthy", "undetermined"),
        ("undetermined", "failure"),
    ):
        assert apart(tuple(both(*verdicts).values())) == ()


def test_the_decision_says_it(
    plan: MonitoringPlan,
    findings_with: Callable[..., Findings],
    both: Callable[[Any, Any], dict[str, Finding]],
) -> None:
    found = findings_with({})
    found = replace(found, findings=tuple(both("healthy", "failure").values()))
    assert "read from what is written, is FAILURE" in decide(plan, found).sentence
