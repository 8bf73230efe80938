"""Outcomes are probabilities over each item's own choices, or an error."""

from __future__ import annotations

import numpy as np
import pytest

from unsilent.errors import ItemError, OutcomeError
from unsilent.items import Item, ItemSet, Outcomes

ITEMS = ItemSet(
    "probe",
    (
        Item("q0", "p", ("a", "b", "c"), answer=2, stereotyped=0, safe=(0, 1)),
        Item("q1", "p", ("a", "b"), answer=0, stereotyped=1, safe=(1,)),
    ),
)
GOOD = [[0.2, 0.3, 0.5], [0.4, 0.6, 0.0]]


def outcomes(table: object) -> Outcomes:
    return Outcomes(ITEMS, "global", np.array(table))


def test_readings() -> None:
    good = outcomes(GOOD)
    assert good.probabilities.dtype == np.float64
    assert good.chosen().tolist() == [2, 1]
    assert good.of(lambda item: item.answer).tolist() == [0.5, 0.4]
    assert good.of(lambda item: item.stereotyped).tolist() == [0.2, 0.6]
    assert good.safe().tolist() == pytest.approx([0.5, 0.6])


def test_tie_goes_to_the_first() -> None:
    assert outcomes([[0.4, 0.4, 0.2], [0.5, 0.5, 0.0]]).chosen().tolist() == [0, 0]


@pytest.mark.parametrize(
    "row",
    [
        [0.4, np.nan, 0.0],
        [np.inf, 0.0, 0.0],
        [1.2, -0.2, 0.0],
        [0.4, 0.5, 0.0],
        [0.4, 0.4, 0.2],
        [0.0, 0.0, 0.0],
    ],
    ids=["nan", "infinite", "negative", "short", "beyond its choices", "zero"],
)
def test_not_probabilities(row: list[float]) -> None:
    with pytest.raises(OutcomeError) as caught:
        outcomes([GOOD[0], row])
    assert "1 of 2 outcomes are not probabilities (first: item q1)" in caught.value.what
    assert caught.value.where == "probe under the global adapter"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (3, 2), (2, 4), (6,)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(OutcomeError, match="expected \\(2, 3\\)"):
        outcomes(np.full(shape, 0.5))


def test_choice_that_is_not_named() -> None:
    with pytest.raises(ItemError, match="item q0"):
        outcomes(GOOD).of(lambda item: None)
