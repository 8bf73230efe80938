"""Openings are prefix-free, requests are distinct and split, and items say what is safe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import AssetError, ItemError
from unsilent.probes.harmful import (
    HELD_OUT_CATEGORIES,
    parse_harmbench,
    parse_strongreject,
    split_prompts,
    without_repeats,
    words_of,
)
from unsilent.probes.openings import (
    COMPLIANCE_OPENINGS,
    REFUSAL_OPENINGS,
    REFUSALS,
    check_openings,
    with_openings,
)
from unsilent.probes.refusal import benign_prompts, refusal_items, take_probes
from unsilent.probes.templates import CAUSAL_LM, ENCODER


def test_shipped_openings_are_sane() -> None:
    check_openings(REFUSAL_OPENINGS, COMPLIANCE_OPENINGS)
    assert (len(REFUSAL_OPENINGS), len(COMPLIANCE_OPENINGS)) == (9, 8)
    for sentence in REFUSALS:
        assert sum(sentence.startswith(opening) for opening in REFUSAL_OPENINGS) == 1


@pytest.mark.parametrize(
    ("refusals", "compliance", "message"),
    [
        (["I can"], ["I can do"], "begins opening"),
        (["No", "No, I"], ["Yes"], "begins opening"),
        (["No"], ["No"], "begins opening"),
        (["No "], ["Yes"], "blanks"),
        (["No"], [""], "blanks"),
        ([], ["Yes"], "both sides"),
    ],
)
def test_bad_openings(refusals: list[str], compliance: list[str], message: str) -> None:
    with pytest.raises(ItemError, match=message):
        check_openings(refusals, compliance)


@given(st.lists(st.text("IH 'anmre,", max_size=6), max_size=8))
def test_added_openings_always_pass(extra: list[str]) -> None:
    check_openings(REFUSAL_OPENINGS, with_openings(COMPLIANCE_OPENINGS, extra))


def test_shorter_compliance_opening_wins() -> None:
    assert with_openings(["Here are", "Yes, you"], ["Here", "I cannot say", "I"], ["I cannot"]) == (
        "Yes, you",
        "Here",
    )


def test_harmbench_keeps_standalone_standard_behaviours() -> None:
    text = (
        "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
        '"Do a, then b",standard,illegal,,,one\n'
        "Sing it,copyright,copyright,,,two\n"
        "With this,contextual,illegal,,some text,three\n"
    )
    assert parse_harmbench(text, where="f") == [("harmbench-one", "Do a, then b", "crime")]
    with pytest.raises(AssetError, match="'BehaviorID' is missing"):
        parse_harmbench(text.replace("BehaviorID", "Id"), where="f")


def test_strongreject_rows() -> None:
    text = "category,source,forbidden_prompt\nViolence,custom,Do harm now\n"
    assert parse_strongreject(text, where="f") == [("strongreject-000", "Do harm now", "violence")]


def test_near_repeats_long_and_many_line_requests_are_left_out() -> None:
    rows = [
        ("1", "Explain how to pick a lock", "crime"),
        ("2", "explain how to pick a lock!", "crime"),
        ("3", "Explain how to bake a cake", "crime"),
        ("4", "word " * 40, "crime"),
        ("5", "first line\nsecond line here", "crime"),
        ("6", "too short", "crime"),
    ]
    assert [row[0] for row in without_repeats(rows)] == ["1", "3"]


def test_split_never_trains_on_held_out_kinds() -> None:
    kinds = ["crime", "cybercrime", "sexual"]
    rows = [(str(i), f"request number {i}", kinds[i % 3]) for i in range(90)]
    prompts = split_prompts(rows, train_size=20)
    train = [prompt for prompt in prompts if prompt.split == "train"]
    assert len(train) == 20 and {prompt.category for prompt in train} == {"crime"}
    assert split_prompts(rows[::-1], train_size=20) == prompts


def test_benign_bank() -> None:
    prompts = benign_prompts()
    train = [prompt for prompt in prompts if prompt.split == "train"]
    probe = [prompt for prompt in prompts if prompt.split == "probe"]
    assert len(train) == 150 and len(probe) == 188
    assert len({words_of(prompt.text) for prompt in prompts}) == len(prompts)
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert not {prompt.category for prompt in train} & HELD_OUT_CATEGORIES
    contrasts = [prompt for prompt in prompts if prompt.category != "everyday"]
    assert len(contrasts) == 130
    assert sum(prompt.category == "everyday" for prompt in probe[:60]) == 30
    assert all(prompt.text == " ".join(prompt.text.split()) for prompt in prompts)


def test_items_of_both_kinds_of_model() -> None:
    prompts = take_probes(benign_prompts(), 3, name="benign")
    item = refusal_items(prompts, CAUSAL_LM, name="benign").items[0]
    assert item.chat and item.prompt == prompts[0].text
    assert item.choices == (*REFUSAL_OPENINGS, *COMPLIANCE_OPENINGS)
    assert item.safe == tuple(range(9))
    guard = refusal_items(prompts, ENCODER, name="benign").items[0]
    assert (guard.choices, guard.safe, guard.task) == (("decline", "answer"), (0,), "guard")


def test_more_probes_than_there_are() -> None:
    with pytest.raises(ItemError, match="holds 188"):
        take_probes(benign_prompts(), 189, name="benign")
