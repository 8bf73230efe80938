"""The numbers of a comparison against closed forms, and how often its words are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from unsilent.items import Item, ItemSet
from unsilent.parity.compare import LEVEL, SHARE, ItemScores, acting, compare


def items_of(count: int) -> ItemSet:
    return ItemSet("x", tuple(Item(str(n), f"{n}", ("a", "b")) for n in range(count)))


def answers(table: NDArray[np.float64]) -> ItemScores:
    shares = np.exp(table - table.max(axis=1, keepdims=True))
    return ItemScores(shares / shares.sum(axis=1, keepdims=True), table)


def apart(count: int, beyond: int) -> str:
    one = np.zeros((count, 2))
    other = one.copy()
    other[:beyond] += 1.0
    return compare(items_of(count), answers(one), answers(other), 0.1).verdict


@pytest.mark.parametrize(
    ("count", "beyond", "verdict"),
    [
        (1, 0, "undetermined"),
        (28, 0, "undetermined"),
        (29, 0, "same"),
        (400, 1, "undetermined"),
        (40, 1, "undetermined"),
        (40, 8, "different"),
        (1, 1, "undetermined"),
        (2, 2, "different"),
    ],
)
def test_few_items_decide_nothing(count: int, beyond: int, verdict: str) -> None:
    assert apart(count, beyond) == verdict


@pytest.mark.parametrize("count", [10, 29, 40, 100])
def test_each_word_is_wrong_in_at_most_one_of_twenty_draws(count: int) -> None:
    counts = range(count + 1)
    words = [apart(count, beyond) for beyond in counts]
    chances = np.atleast_1d(stats.binom.pmf(counts, count, SHARE))
    for word in ("same", "different"):
        wrong = sum(p for p, said in zip(chances, words, strict=True) if said == word)
        assert wrong <= 1 - LEVEL


def test_a_shift_of_all_choices_shows_in_nats_and_not_in_probabilities() -> None:
    one = np.log(np.full((40, 2), 0.25))
    found = compare(items_of(40), answers(one), answers(one - 2.0), 0.1)
    assert found.verdict == "different"
    assert found.largest == pytest.approx(2.0)
    assert found.largest_probability == pytest.approx(0.0)
    assert found.alike == 40


def test_of_probabilities_alone_a_tenth_of_the_tolerance_counts() -> None:
    one, near, far = (ItemScores(np.tile([p, 1 - p], (40, 1))) for p in (0.5, 0.509, 0.511))
    assert compare(items_of(40), one, near, 0.1).verdict == "same"
    assert compare(items_of(40), one, far, 0.1).verdict == "different"
    assert compare(items_of(40), one, far, 0.1).largest is None


def test_choices_that_an_item_lacks_count_for_nothing() -> None:
    items = ItemSet("x", (Item("1", "p", ("a", "b")), Item("2", "p", ("a", "b", "c"))))
    table = np.array([[-1.0, -2.0, -np.inf], [-1.0, -2.0, -3.0]])
    found = compare(items, answers(table), answers(table), 0.1)
    assert (found.largest, found.beyond) == (0.0, 0)


def acted(share: float, noise: float = 0.0, count: int = 40) -> str:
    random = np.random.default_rng(5)
    base = random.normal(-5, 1, (count, 2))
    moved = base + random.normal(0, 1, (count, 2))
    served = base + share * (moved - base) + noise * random.normal(0, 1, (count, 2))
    found = acting(items_of(count), answers(served), answers(base), answers(moved))
    if not noise:
        assert found.strength == pytest.approx(share)
    return found.word


@pytest.mark.parametrize(
    ("share", "word"), [(1.0, "acts"), (0.0, "absent"), (0.5, "unclear"), (-1.0, "unclear")]
)
def test_an_adapter_acts_where_the_endpoint_is_nearer_to_it_by_a_margin(
    share: float, word: str
) -> None:
    assert acted(share) == word


def test_noise_as_large_as_the_adapter_leaves_it_open() -> None:
    assert acted(1.0, noise=1.0) == "unclear"
    assert acted(0.0, noise=1.0) == "unclear"
    assert acted(1.0, count=1) == "unclear"
