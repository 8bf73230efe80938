"""A role's file is checked for what the role needs; errors name file and item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.errors import ItemError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import load_probes
from unsilent.probes.sources import read_probes


def lines(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"id": f"q{i}", "prompt": "p", "choices": ["x", "y"], **record})
            for i, record in enumerate(records)
        )
    )
    return path


@pytest.mark.parametrize(
    ("role", "good", "field"),
    [
        ("bias", {"stereotyped": 0}, "stereotyped"),
        ("task", {"answer": 0, "domain": "a"}, "answer"),
        ("general", {"answer": 1}, "answer"),
        ("harmful", {"safe": [0]}, "safe"),
        ("benign", {"safe": [0]}, "safe"),
    ],
)
def test_missing_field_names_file_and_item(
    tmp_path: Path, role: Any, good: dict[str, Any], field: str
) -> None:
    path = lines(tmp_path, good, {"domain": "b"})
    with pytest.raises(ItemError) as caught:
        read_probes(role, path)
    assert caught.value.where == str(path)
    assert f"item 'q1' has no '{field}'" in caught.value.what
    assert len(read_probes(role, lines(tmp_path, good, {**good, "domain": "b"}))) == 2


@pytest.mark.parametrize("second", [{"domain": "a"}, {}])
def test_task_needs_two_domains(tmp_path: Path, second: dict[str, Any]) -> None:
    path = lines(tmp_path, {"answer": 0, "domain": "a"}, {"answer": 0, **second})
    with pytest.raises(ItemError, match="two domains"):
        read_probes("task", path)


def test_half_a_pair(tmp_path: Path) -> None:
    one = {"stereotyped": 0, "pair": "p1"}
    with pytest.raises(ItemError, match="pair 'p1' has only item 'q0'"):
        read_probes("bias", lines(tmp_path, one, {"stereotyped": 0}))


def plan(probes: dict[str, Any], kind: str = "causal_lm") -> MonitoringPlan:
    return parse_plan(
        {
            "schema": "unsilent/plan/1",
            "model": {"kind": kind},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "probes": probes,
        }
    )


def test_paths_start_at_the_base_folder(tmp_path: Path) -> None:
    names: dict[str, str] = {}
    for role, fields in (
        ("bias", {"stereotyped": 0}),
        ("task", {"answer": 0}),
        ("general", {"answer": 0}),
        ("harmful", {"safe": [0]}),
        ("benign", {"safe": [0]}),
    ):
        both = [{**fields, "domain": domain} for domain in ("a", "b")]
        lines(tmp_path, *both).rename(tmp_path / f"{role}.jsonl")
        names[role] = f"{role}.jsonl"
    probes = load_probes(plan(names), base=tmp_path)
    assert {role: items.name for role, items in probes.items()} == {role: role for role in names}


@pytest.mark.model
@pytest.mark.parametrize("kind", ["causal_lm", "encoder"])
def test_embedded_probes_meet_their_roles_and_share_no_text_with_clients(kind: str) -> None:
    from unsilent.probes.heads import HEAD_TASKS, head_examples
    from unsilent.probes.sentiment import private_texts
    from unsilent.probes.sources import check_role

    probes = load_probes(plan({"items": 64}, kind))
    sizes = {role: len(items) for role, items in probes.items()}
    assert sizes == {"bias": 128, "task": 64, "general": 64, "harmful": 64, "benign": 64}
    for role, items in probes.items():
        check_role(role, items, where=role)
    private = {text.text for text in private_texts()}
    asked = {item.prompt for items in probes.values() for item in items}
    plain = {prompt.split("Review: ")[-1].split("\n")[0].split(" wrote: ")[-1] for prompt in asked}
    assert len(plain) > 250 and not plain & private
    taught = {item.prompt for task in HEAD_TASKS for item in head_examples(task)}
    assert not taught & (plain | private)
    other = plan({"items": 64}, kind).model_copy(update={"seed": 9})
    assert load_probes(other)["bias"].digest == probes["bias"].digest
