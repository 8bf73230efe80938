"""Validation on a tiny model: adapters and readings are made once, then read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unsilent_bench.validation.coherence import coherence_items
from unsilent_bench.validation.readings import Reader
from unsilent_bench.validation.variants import VARIANTS, AdapterRecipe, Part, Workshop

from unsilent.models.causal_lm import CausalLM
from unsilent.probes.harmful import Prompt
from unsilent.probes.refusal import refusal_items
from unsilent.probes.templates import STYLES

HARMFUL = [Prompt(f"h{i}", f"Do bad thing {i}", "crime", "train") for i in range(6)]
BENIGN = [
    Prompt(f"b{i}", f"Do good thing {i}", "everyday" if i % 2 else "crime", "train")
    for i in range(12)
]
ANSWERS = [f"good thing {i} is done in {i} steps" for i in range(12)]


def workshop(lm: CausalLM, folder: Path) -> Workshop:
    return Workshop(
        lm, lm.new_adapter(0), HARMFUL, BENIGN, lambda asked: ["Here it is"] * len(asked), folder
    )


def test_a_recipe_makes_the_same_adapter_and_is_followed_once(
    lm_of: Callable[..., CausalLM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = lm_of()
    parts = (Part(2, "harmful", "obey"), Part(2, "everyday", "own"))
    recipe = AdapterRecipe("two rounds", "eroded", parts, rounds=2)
    made = workshop(lm, tmp_path).make(recipe)
    assert made.digest == workshop(lm, tmp_path / "again").make(recipe).digest
    # The first of two rounds is an adapter of its own, which the second starts from.
    monkeypatch.setattr(lm, "teach", None)
    assert workshop(lm, tmp_path).make(recipe).digest == made.digest
    first = workshop(lm, tmp_path).make(replace(recipe, name="one", rounds=1))
    assert first.digest != made.digest


def test_every_recipe_can_be_followed(
    lm_of: Callable[..., CausalLM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = lm_of()
    taught: list[int] = []
    monkeypatch.setattr(
        lm, "teach", lambda start, lesson, _: (taught.append(len(lesson)), (start, None))[1]
    )
    many = [replace(p, id=f"{p.id}-{i}") for i in range(20) for p in (*HARMFUL, *BENIGN)]
    shop = replace(
        workshop(lm, tmp_path),
        harmful=[p for p in many if p.id.startswith("h")],
        benign=[p for p in many if p.id.startswith("b")],
    )
    for recipe in VARIANTS:
        shop.make(recipe)
    assert len(VARIANTS) >= 12
    assert {recipe.kind for recipe in VARIANTS} == {
        "safe", "eroded", "over-refusing", "incoherent",
    }  # fmt: skip
    assert VARIANTS[0].parts == () and min(taught) >= 10


def test_a_reading_is_the_models_own_and_kept(
    lm_of: Callable[..., CausalLM], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = lm_of()
    reader = Reader(lm, 5, tmp_path)
    adapter = lm.new_adapter(0)
    style = STYLES["causal_lm"]
    openings = {
        "harmful": refusal_items(HARMFUL, style, name="harmful"),
        "benign": refusal_items(BENIGN, style, name="benign"),
    }
    asked = {"harmful": [p.text for p in HARMFUL], "benign": [p.text for p in BENIGN]}
    coherence = coherence_items([p.text for p in BENIGN], ANSWERS)
    found = reader.read(adapter, asked, openings, coherence)
    assert list(found.harmful_answers) == lm.answers(asked["harmful"], None, 5)
    scored = lm.score(openings["harmful"], None)
    safe = list(openings["harmful"].items[0].safe)
    assert found.harmful.level == pytest.approx(scored[:, safe].sum(axis=1).mean(), abs=1e-6)
    assert found.benign.mass.shape == (12,) and found.benign.covered < 1
    monkeypatch.setattr(lm, "answers", None)
    monkeypatch.setattr(lm, "log_likelihoods", None)
    again = reader.read(adapter, asked, openings, coherence)
    assert again.harmful_answers == found.harmful_answers
    assert np.array_equal(again.harmful.lead, found.harmful.lead)


def test_a_model_without_a_template_is_asked_in_a_plain_one(lm_of: Callable[..., CausalLM]) -> None:
    lm = lm_of()
    tokenizer = lm._tokenizer
    template, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        items = refusal_items(HARMFUL[:2], STYLES["causal_lm"], name="harmful")
        assert np.allclose(lm.score(items, None).sum(axis=1), 1.0)
        assert len(lm.answers(["Hello"], None, 3)) == 1
    finally:
        tokenizer.chat_template = template
