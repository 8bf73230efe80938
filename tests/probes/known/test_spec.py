"""How a plan names its probes: what is read, and what is refused when the plan is read."""

from __future__ import annotations

from typing import Any

import pytest

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.catalog import KNOWN
from unsilent.probes.known.spec import parse_source

PIN = "0" * 64


def plan(**probes: Any) -> MonitoringPlan:
    modes = {"amplified_bias": {"tolerance": 0.1}}
    return parse_plan({"schema": "unsilent/plan/1", "modes": modes, "probes": probes})


def test_every_part_of_a_source_is_read() -> None:
    source = parse_source(f"known:BBQ:a b/x.zip?category=Age,SES&items=40#sha256={PIN}", "bias")
    assert source.known is KNOWN["bbq"]
    assert (source.path, source.items) == ("a b/x.zip", 40)
    assert source.select == {"category": ("Age", "SES")}
    assert source.pin == f"sha256:{PIN}"


def test_a_harness_task_is_read() -> None:
    source = parse_source("lm-eval:tasks/own.yaml?items=20", "general")
    assert (source.task, source.items, source.path) == ("tasks/own.yaml", 20, None)
    assert source.drawn and not source.embedded


def test_a_hub_source_names_dataset_and_revision() -> None:
    source = parse_source("known:arc:hub:someone/arc@abc123")
    assert (source.hub, source.hub_id, source.revision) == (True, "someone/arc", "abc123")
    assert parse_source("known:arc:hub").hub_id is None


def test_embedded_and_paths_stay_what_they_were() -> None:
    assert parse_source("embedded").embedded
    assert parse_source("own/bias.jsonl").path == "own/bias.jsonl"
    pinned = parse_source(f"own/bias.jsonl#sha256={PIN}")
    assert (pinned.path, pinned.pin) == ("own/bias.jsonl", f"sha256:{PIN}")


@pytest.mark.parametrize(
    ("role", "text", "message"),
    [
        ("bias", "known:bbk:x", "Did you mean 'bbq'?"),
        ("bias", "known:mmlu", "mmlu cannot be probes.bias"),
        ("bias", "known:bbq", "Give its path, known:bbq:PATH"),
        ("bias", "known:winobias:hub", "winobias is not on the hub"),
        ("bias", "known:bbq:x?colour=red", "cannot be cut by 'colour'"),
        ("bias", "known:bbq:x?category", "is no KEY=VALUE"),
        ("general", "known:mmlu?items=4", "not a number from 8"),
        ("general", f"known:mmlu#sha256={PIN}", "needs its number of items"),
        ("general", "lm-eval:", "no task is named"),
        ("general", "lm-eval:arc_easy?language=German", "arc_easy cannot be cut by 'language'"),
        ("general", f"lm-eval:arc_easy#sha256={PIN}", "needs its number of items"),
        ("task", "own.jsonl#sha256=12", "not 64 hexadecimal digits"),
        ("task", "", "no probe source"),
    ],
)
def test_a_plan_refuses_what_cannot_be(role: str, text: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(**{role: text})
    assert message in caught.value.line()
    assert caught.value.where == f"plan: probes.{role}"


def test_a_pin_changes_the_plans_digest() -> None:
    assert plan(bias="own.jsonl").digest != plan(bias=f"own.jsonl#sha256={PIN}").digest
