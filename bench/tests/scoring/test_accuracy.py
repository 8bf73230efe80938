"""Accuracy as the harness reports it: plain, by characters and by bytes, with its error."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.scoring import accuracy, outcomes_of

from unsilent.errors import ItemError, OutcomeError
from unsilent.items import Item, ItemSet

ITEMS = ItemSet(
    "lengths",
    (
        Item("a", "q", (" yes", " certainly"), answer=1, attributes={"delimiter": " "}),
        Item("b", "q", (" ja", " é", " no"), answer=1, attributes={"delimiter": " "}),
    ),
)
LOGS = np.array([[-3.0, -6.0, 0.0], [-2.1, -1.5, -2.0]])


def test_worked_lengths() -> None:
    # a: -3 > -6, but -3/3 < -6/9. b: by characters -2.1/2 is best, by bytes too (-1.5/2 is not
    # beaten by -2/2, and -2.1/2 is lower than -1.5/2), plainly -1.5.
    assert outcomes_of(ITEMS, "g", LOGS).chosen().tolist() == [0, 1]
    assert outcomes_of(ITEMS, "g", LOGS, per="character").chosen().tolist() == [1, 2]
    assert outcomes_of(ITEMS, "g", LOGS, per="byte").chosen().tolist() == [1, 1]


def test_probabilities_are_the_softmax_over_the_items_own_choices() -> None:
    table = outcomes_of(ITEMS, "g", LOGS).probabilities
    assert table[0] == pytest.approx([1 / (1 + np.exp(-3)), np.exp(-3) / (1 + np.exp(-3)), 0])


def test_standard_error_is_the_harness_s() -> None:
    metrics = pytest.importorskip("lm_eval.api.metrics", reason="lm-eval is not installed")
    items = ItemSet("i", tuple(Item(f"{i}", "q", ("a", "b"), answer=i % 3 % 2) for i in range(20)))
    found = accuracy(outcomes_of(items, "g", np.tile([-1.0, -2.0], (20, 1))))
    hits = [float(i % 3 % 2 == 0) for i in range(20)]
    assert found.accuracy == pytest.approx(np.mean(hits))
    assert found.standard_error == pytest.approx(metrics.mean_stderr(hits))
    assert found.to_json()["correct"] == sum(hits)


def test_a_single_item_has_no_error() -> None:
    one = ItemSet("one", (Item("a", "q", ("x", "y"), answer=0),))
    assert accuracy(outcomes_of(one, "g", np.array([[-1.0, -2.0]]))).standard_error is None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_log_likelihood_is_refused(bad: float) -> None:
    with pytest.raises(OutcomeError, match="item b"):
        outcomes_of(ITEMS, "g", np.array([[-1.0, -1.0, 0.0], [-1.0, bad, -1.0]]))
    with pytest.raises(OutcomeError, match="shape"):
        outcomes_of(ITEMS, "g", LOGS[:1])


def test_impossible_choices_have_probability_zero() -> None:
    table = outcomes_of(ITEMS, "g", np.array([[-np.inf, -5.0, 0], [-1.0, -1.0, -1.0]]))
    assert table.probabilities[0].tolist() == [0.0, 1.0, 0.0]


def test_a_choice_that_lacks_the_delimiter_is_refused() -> None:
    odd = ItemSet("odd", (Item("z", "q", ("yes", " no"), attributes={"delimiter": " "}),))
    with pytest.raises(ItemError, match="item z"):
        outcomes_of(odd, "g", np.array([[-1.0, -2.0]]), per="byte")
    assert outcomes_of(odd, "g", np.array([[-1.0, -2.0]])).chosen().tolist() == [0]
