"""Each answer is asked for once; shared ones serve all clients."""

from __future__ import annotations

import numpy as np
from unsilent_bench.lm.answers import Answers, Asked

from bench.tests.lm_maker import Hashing
from unsilent.items import Item, ItemSet
from unsilent.models import Training

ITEMS = ItemSet(
    "task",
    tuple(
        Item(f"i{k}", f"word{k} word{k % 3}", (" yes", " no", " maybe")[: 2 + k % 2], 0)
        for k in range(12)
    ),
)


class Counting(Hashing):
    """Counts the items that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def score(self, items, adapter):  # type: ignore[no-untyped-def]
        self.asked += len(items)
        return super().score(items, adapter)


def test_answers_are_the_models_own_and_asked_once() -> None:
    model = Counting()
    answers = Answers(model)
    adapter, _ = model.train(model.new_adapter(1), ITEMS, Training(2, 0.1, 2, 1))
    first = answers.outcomes(Asked(ITEMS, np.array([1, 4, 6])), adapter, "personalized")
    assert model.asked == 3
    second = answers.outcomes(Asked(ITEMS, np.array([0, 4, 6, 8])), adapter, "local")
    assert model.asked == 5
    assert [item.id for item in second.items] == ["i0", "i4", "i6", "i8"]
    # Items of two choices alone: as wide as the widest of them.
    assert second.probabilities.shape == (4, 2)
    true = Hashing().score(ITEMS, adapter)
    assert np.allclose(first.probabilities[:, :2], true[[1, 4, 6], :2])
    assert np.allclose(second.probabilities, true[[0, 4, 6, 8], :2])


def test_of_what_is_forgotten_the_bases_answers_stay() -> None:
    model = Counting()
    answers = Answers(model)
    adapter, _ = model.train(model.new_adapter(1), ITEMS, Training(1, 0.1, 2, 1))
    asked = Asked(ITEMS, np.arange(5))
    for who in (None, adapter):
        answers.ask(asked, who)
    answers.forget([ITEMS])
    before = model.asked
    answers.ask(asked, None)
    assert model.asked == before
    answers.ask(asked, adapter)
    assert model.asked == before + 5
