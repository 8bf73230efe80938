"""The classifier of words: its gradient is the one that it should be, and the cause is in it."""

from __future__ import annotations

import numpy as np
import pytest

from unsilent.first_look import words
from unsilent.items import Item, ItemSet

TEXTS = (("James wrote: fine day", 0), ("Mary wrote: a dull and dull day", 1))
ITEMS = ItemSet(
    "two",
    tuple(Item(str(n), t, ("positive", "negative"), answer=a) for n, (t, a) in enumerate(TEXTS)),
)


@pytest.fixture(autouse=True)
def no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "base", lambda: np.zeros(words.SLOTS))


def loss(adapter: dict[str, np.ndarray]) -> float:
    rows = words.probabilities(ITEMS, adapter)
    return -float(np.log(rows[np.arange(2), [0, 1]]).sum())


def test_one_step_goes_down_the_slope_of_the_loss() -> None:
    start = {words.WORDS: np.random.default_rng(0).normal(0, 0.1, words.SLOTS)}
    after = words.trained(start, ITEMS.items, epochs=1, seed=0)[words.WORDS]
    moved = np.flatnonzero(after - start[words.WORDS])
    # Eight distinct words in both texts together, and the intercept.
    assert len(moved) == 9
    for slot in moved:
        nudged = {words.WORDS: start[words.WORDS].copy()}
        nudged[words.WORDS][slot] += 1e-6
        slope = (loss(nudged) - loss(start)) / 1e-6
        step = after[slot] - start[words.WORDS][slot]
        assert step == pytest.approx(-words.RATE * slope, rel=1e-4, abs=1e-7)


def test_no_adapter_is_the_base_and_rows_sum_to_one() -> None:
    assert (words.unadapted(ITEMS) == 0.5).all()
    adapter = {words.WORDS: np.ones(words.SLOTS)}
    rows = words.probabilities(ITEMS, adapter)
    assert rows.sum(axis=1) == pytest.approx(1.0)
    assert (rows[:, 0] > 0.9).all()
