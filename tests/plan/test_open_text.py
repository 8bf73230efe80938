"""A plan's open text: its digest without it, and what it cannot mean."""

from __future__ import annotations

from typing import Any

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan

PINNED = "labels.jsonl#sha256=" + "0" * 64


def plan(modes: tuple[str, ...] = ("written_refusal",), **sections: Any) -> Any:
    given = {name: {"tolerance": 0.2, "clip": 0.6} for name in modes}
    return parse_plan({"modes": given, **sections})


def test_a_plan_without_it_is_written_as_before() -> None:
    written = plan(("alignment_erosion",)).to_json()
    assert "open_text" not in written
    assert not any(key.startswith(("open_", "labelled_")) for key in written["probes"])
    sized = plan(("alignment_erosion",), probes={"sizes": {"bias": 80}}).to_json()
    assert set(sized["probes"]["sizes"]) == {"bias", "task", "general", "harmful", "benign"}


def test_what_it_says_survives_its_own_json() -> None:
    first = plan(
        open_text={"tokens": 24, "judges": ["built-in", "base"]},
        probes={"labelled_refusal": "sites", "sizes": {"open_refusal": 12}},
    )
    again = parse_plan(first.to_json())
    assert again == first
    assert again.digest == first.digest


def test_labels_of_a_file_are_a_part_of_what_a_mode_asks() -> None:
    assert plan().roles("OT-6") == ("open_refusal",)
    assert plan(probes={"labelled_refusal": PINNED}).roles("OT-6") == (
        "labelled_refusal",
        "open_refusal",
    )


@pytest.mark.parametrize(
    ("mode", "sizes", "drawn"),
    [
        ("written_refusal", {}, 16 + 4),
        ("written_refusal", {"labelled_refusal": 20}, 16 + 10),
        ("written_regard", {"labelled_regard": 20}, 16 + 5),
    ],
)
def test_labels_of_the_sites_are_of_prompts_of_their_own(
    mode: str, sizes: dict[str, int], drawn: int
) -> None:
    kind = mode.removeprefix("written_")
    found = plan((mode,), probes={f"labelled_{kind}": "sites", "sizes": sizes})
    assert found.drawn(f"open_{kind}") == drawn
    assert plan((mode,)).drawn(f"open_{kind}") == 16


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"model": {"kind": "encoder"}}, "writes nothing"),
        ({"model": {"id": "hook:a:b"}}, "writes nothing"),
        ({"probes": {"labelled_refusal": "labels.jsonl"}}, "has to be pinned"),
        (
            {"probes": {"labelled_refusal": PINNED}, "monitor": {"items": "these"}},
            "stand for others",
        ),
        ({"open_text": {"judges": []}}, "judges"),
        ({"open_text": {"judges": ["somebody"]}}, "judges"),
        ({"open_text": {"tokens": 0}}, "tokens"),
        ({"probes": {"open_refusal": "known:clinc150"}}, "cannot be"),
    ],
)
def test_what_cannot_be_measured_is_refused(sections: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(**sections)


def test_a_mode_that_no_judge_rates_is_refused() -> None:
    alone = {"judges": ["classifier"]}
    assert plan(("written_regard",), open_text=alone).writing.judges == ("classifier",)
    for mode in ("written_help", "written_facts"):
        rubric = mode.removeprefix("written_")
        with pytest.raises(PlanError, match=f"none of them rates {rubric}"):
            plan((mode, "written_regard"), open_text=alone)
        plan((mode,), open_text={"judges": ["classifier", "base"]})


def test_a_persona_has_to_be_declared() -> None:
    with pytest.raises(PlanError, match="no persona is declared"):
        plan(("written_persona",))
    with pytest.raises(PlanError, match="persona_words"):
        plan(("written_persona",), open_text={"persona": "You are Vera."})
    plan(("written_persona",), open_text={"persona": "You are Vera.", "judges": ["base"]})


def test_subgroups_are_refused_since_labels_have_none() -> None:
    with pytest.raises(PlanError, match="of no domain"):
        parse_plan({"modes": {"written_help": {"tolerance": 0.2, "clip": 0.6, "subgroups": ["x"]}}})


def test_the_contract_says_who_reads_what_is_written() -> None:
    from unsilent.contract.disclosure import open_text

    assert open_text(plan(("alignment_erosion",))) == ()
    (said,) = open_text(plan())
    assert "No text leaves the client" in said and "labels" not in said
    (said,) = open_text(
        plan(open_text={"judges": ["hook:ours:judge"]}, probes={"labelled_refusal": "sites"})
    )
    assert "shown to whoever labels" in said and "all rights of the process" in said


def test_verdicts_on_these_items_count_prompts_and_no_labels() -> None:
    found = plan(monitor={"items": "these"}, probes={"labelled_refusal": "sites"})
    assert found.fixed_items(found.roles("OT-6")) == 262
