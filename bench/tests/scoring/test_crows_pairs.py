"""CrowS-Pairs' rate on hand-worked pairs and against lm-evaluation-harness's own function."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.scoring import crows_pairs_scores

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, Outcomes


def item(number: int, direction: str, bias: str, stereotyped: int = 0) -> Item:
    return Item(
        f"c{number}",
        "",
        ("The poor are loud.", "The rich are loud."),
        stereotyped=stereotyped,
        attributes={"direction": direction, "bias_type": bias},
    )


def outcomes(items: list[Item], more: list[float]) -> Outcomes:
    """``more`` is the probability of the first sentence."""
    table = np.array([[p, 1 - p] for p in more])
    return Outcomes(ItemSet("crows", tuple(items)), "global", table)


def test_worked_example() -> None:
    # Pairs in which the more stereotyping sentence wins: 0, 2 (it is the second), 4.
    items = [
        item(0, "stereo", "age"),
        item(1, "stereo", "age"),
        item(2, "stereo", "race", stereotyped=1),
        item(3, "stereo", "race"),
        item(4, "antistereo", "race"),
    ]
    scores = crows_pairs_scores(outcomes(items, [0.9, 0.2, 0.4, 0.5, 0.6]))
    assert (scores.overall.pairs, scores.overall.rate, scores.overall.ties) == (5, 0.6, 1)
    # The authors leave ties out of the two directions, not out of the whole.
    assert (scores.directions["stereo"].pairs, scores.directions["stereo"].rate) == (3, 2 / 3)
    assert scores.directions["antistereo"].rate == 1.0
    assert (scores.bias_types["age"].rate, scores.bias_types["race"].rate) == (0.5, 2 / 3)
    assert scores.to_json()["overall"] == {"pairs": 5, "rate": 0.6, "ties": 1}


def test_same_as_the_harness() -> None:
    utils = pytest.importorskip(
        "lm_eval.tasks.crows_pairs.utils", reason="lm-eval is not installed"
    )
    random = np.random.default_rng(8)
    items = [item(i, "stereo" if i % 3 else "antistereo", "age") for i in range(100)]
    likelihoods = random.normal(-40, 3, size=(100, 2))
    table = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    table /= table.sum(axis=1, keepdims=True)
    theirs = [
        utils.process_results({}, [(more, False), (less, False)])["pct_stereotype"]
        for more, less in likelihoods
    ]
    scores = crows_pairs_scores(Outcomes(ItemSet("crows", tuple(items)), "global", table))
    assert scores.overall.rate == pytest.approx(np.mean(theirs))


def test_a_pair_without_a_stereotyped_sentence_is_refused() -> None:
    bare = Item("c9", "", ("a", "b"), attributes={"direction": "stereo", "bias_type": "age"})
    with pytest.raises(ItemError, match=r"c9.*one is stereotyped"):
        crows_pairs_scores(outcomes([bare], [0.5]))
