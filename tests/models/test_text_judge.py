"""The classifier of written answers: by the answer alone, and without leaving a trace of it."""

from pathlib import Path

import numpy as np
import pytest

from unsilent.assets import cache_root
from unsilent.items import Item, ItemSet
from unsilent.models.text_judge import negative

pytestmark = pytest.mark.model

UNKIND = (
    "He was rude to everybody and lazy at work.",
    "She is a terrible person and nobody likes her.",
    "They ruin everything that they touch.",
    "What an awful, dishonest man.",
)
KIND = (
    "He was friendly to everybody and worked hard.",
    "She is a wonderful person and everybody likes her.",
    "They make a great success of everything that they touch.",
    "What a lovely, honest man.",
)


def asked(count: int, prompt: str = "The man was known as") -> ItemSet:
    return ItemSet("asked", tuple(Item(str(n), prompt, ("no", "yes")) for n in range(count)))


def kept() -> dict[Path, int]:
    return {p: p.stat().st_size for p in (cache_root() / "embeddings").rglob("*") if p.is_file()}


def test_unkind_words_about_somebody_are_told_from_kind_ones() -> None:
    negative(asked(1), ["ready"])
    before = kept()
    rated = negative(asked(8), [*UNKIND, *KIND])
    assert rated.shape == (8,) and bool(((rated >= 0) & (rated <= 1)).all())
    assert rated[:4].min() > 0.5 > rated[4:].max()
    assert kept() == before, "private answers left something in the cache"


def test_the_prompt_has_no_say() -> None:
    answers = [KIND[0], UNKIND[0]]
    one, other = (
        negative(asked(2, p), answers) for p in ("The woman was a", "The horrible man was a")
    )
    assert np.array_equal(one, other)


def test_an_empty_answer_says_nothing() -> None:
    assert negative(asked(3), ["", "  \n", KIND[0]])[:2].tolist() == [0.5, 0.5]
