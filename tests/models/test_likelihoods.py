"""Choices compared by their log-likelihood per length, wherever it becomes a probability."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from unsilent.items import Item, ItemSet
from unsilent.models.causal_lm import CausalLM
from unsilent.models.likelihoods import lengths, over_choices
from unsilent.plan import AdapterPlan, Likelihood

ITEMS = ItemSet(
    "lengths",
    (
        Item("a", "the film was", (" good", " naïve 東京", " bad and long"), answer=0),
        Item("b", "it is", ("x", " xy"), answer=1),
        Item("c", "it is", ("| yes", "| no no"), attributes={"delimiter": "|"}),
        Item("d", "how do I", (" I can not", " Sure"), safe=(0,)),
    ),
)
CHARACTERS = [[4, 8, 12], [1, 3], [4, 6], [1, 1]]
BYTES = [[4, 13, 12], [1, 3], [4, 6], [1, 1]]


def normalized(items: ItemSet, logs: NDArray[np.float64], by: list[list[int]]) -> list[Any]:
    """``exp(log / length)`` over the choices' sum of it."""
    rows = []
    for item, row, own in zip(items, logs, by, strict=True):
        weights = np.exp(row[: len(item.choices)] / np.array(own, float))
        rows.append((weights / weights.sum()).tolist())
    return rows


@pytest.mark.parametrize(
    ("word", "expected"), [("per-character", CHARACTERS), ("per-byte", BYTES), ("sum", None)]
)
def test_lengths_are_counted_without_what_choices_share_as_a_delimiter(
    word: Likelihood, expected: list[list[int]] | None
) -> None:
    found = lengths(ITEMS, word)
    for row, own in zip(found, expected or [[1], [1], [1], [1]], strict=True):
        assert row[: len(own)].tolist() == own
        assert (row[len(own) :] == 1).all()


def test_a_choice_of_nothing_but_the_delimiter_has_its_own_length() -> None:
    blank = ItemSet("blank", (Item("b", "it is", ("  ", "   a")),))
    assert lengths(blank, "per-byte").tolist() == [[2.0, 2.0]]


@pytest.fixture
def lm(tiny: Callable[..., Any], tokenizer: Any) -> CausalLM:
    plan = AdapterPlan(rank=2, targets=("q_proj",), layers=(2, 3))
    return CausalLM(tiny(), tokenizer, weights="tiny", adapter=plan)


def test_a_model_scores_by_the_word(lm: CausalLM) -> None:
    logs = lm.log_likelihoods(ITEMS, None)
    tokens = lm._prepare(ITEMS, share=True).tokens
    by = {
        "sum": [[1] * len(row) for row in tokens],
        "per-character": CHARACTERS,
        "per-byte": BYTES,
        "per-token": [*tokens[:3], [1, 1]],
    }
    tables = {}
    for word in get_args(Likelihood):
        lm.likelihood = word
        table = tables[word] = lm.score(ITEMS, None)
        for row, expected in zip(table, normalized(ITEMS, logs, by[word]), strict=True):
            assert row[: len(expected)] == pytest.approx(expected, abs=1e-5)
    # Refusal is measured by sums under every word, and nothing else here is.
    for word in ("per-character", "per-byte", "per-token"):
        assert tables[word][3] == pytest.approx(tables["sum"][3], abs=1e-6)
        assert np.abs(tables[word][:3] - tables["sum"][:3]).max() > 0.01
    assert lm.score(ITEMS, None) is tables["per-token"]


def test_very_long_choices_are_told_apart_and_impossible_ones_are_not_a_number_that_lies() -> None:
    two = ItemSet("two", (Item("a", "p", ("x", "y")), Item("b", "p", ("x", "y", "z"))))
    table = np.array([[-20000.0, -20001.0, np.nan], [-np.inf, -np.inf, -np.inf]])
    found = over_choices(two, table, lengths(two, "sum"))
    assert found[0, 0] / found[0, 1] == pytest.approx(np.e)
    assert found[0, 2] == 0
    assert found[1].tolist() == pytest.approx([1 / 3] * 3)
