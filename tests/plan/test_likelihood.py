"""A plan's word for how choices are compared: a default that no digest sees, and clear refusals."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.power_report import foresee


def plan(**model: Any) -> MonitoringPlan:
    return parse_plan(
        {
            "model": model,
            "federation": {"clients": 40, "rounds": 1},
            "modes": {"adaptation_misalignment": {"tolerance": 0.2, "clip": 0.6}},
        }
    )


def test_the_default_is_a_plan_as_it_was() -> None:
    assert plan(likelihood="sum").digest == plan().digest
    assert "likelihood" not in plan().to_json()["model"]
    words = ("sum", "per-character", "per-byte", "per-token")
    assert len({plan(likelihood=word).digest for word in words}) == len(words)


def test_a_plan_with_the_word_is_read_again_from_its_own_json() -> None:
    declared = plan(likelihood="per-byte")
    assert parse_plan(declared.to_json()) == declared


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"kind": "encoder"}, "has no likelihood of a text"),
        ({"id": "hook:some:score"}, "by a rule of its own"),
    ],
)
def test_what_has_no_likelihood_is_refused_by_the_key(model: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says) as caught:
        plan(**model, likelihood="per-byte")
    assert "likelihood" in caught.value.line()
    plan(**model, likelihood="sum")


def test_another_word_is_refused_with_those_there_are() -> None:
    with pytest.raises(PlanError, match="'per-byte'") as caught:
        plan(likelihood="per-bytes")
    assert caught.value.where.endswith("model.likelihood")


def test_plan_check_says_it() -> None:
    for word, says in (("sum", False), ("per-byte", True)):
        seen = foresee(plan(likelihood=word))
        assert seen.to_json()["likelihood"] == word
        console = Console(width=200)
        with console.capture() as shown:
            console.print(seen.render())
        assert ("compared by their log-likelihood per byte" in shown.get()) == says
