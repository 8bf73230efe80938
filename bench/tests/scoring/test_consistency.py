"""Consistency over wordings: counts by hand, chance by simulation, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from unsilent_bench.scoring import consistency

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, Outcomes


def single(question: str, wording: int, choices: int = 2) -> Item:
    return Item(
        f"{question}/{wording}",
        f"wording {wording}",
        tuple(f" {c}" for c in range(choices)),
        attributes={"paraphrase_of": question, "wording": str(wording)},
    )


def pair(question: str, wording: int) -> list[Item]:
    return [
        Item(
            f"{question}/{wording}/{group}",
            f"wording {wording} about {group}",
            (" good", " bad"),
            stereotyped=stereotyped,
            group=group,
            pair=f"{question}/{wording}",
            attributes={"paraphrase_of": question, "wording": str(wording)},
        )
        for stereotyped, group in enumerate("AB")
    ]


def outcomes(items: list[Item], first: list[float]) -> Outcomes:
    return Outcomes(ItemSet("c", tuple(items)), "global", np.array([[p, 1 - p] for p in first]))


def test_choices() -> None:
    items = [single(q, w) for q in ("x", "y", "z") for w in range(3)]
    found = consistency(outcomes(items, [0.9, 0.8, 0.6, 0.1, 0.7, 0.2, 0.4, 0.3, 0.2]))
    assert (found.units, found.agreeing) == (3, 2)
    assert found.share == pytest.approx(2 / 3)
    # In y one wording of three dissents: one of its three pairs of wordings agrees.
    assert found.pairwise == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert found.chance == pytest.approx(1 / 4)
    wilson = binomtest(2, 3).proportion_ci(0.95, method="wilson")
    assert found.interval == pytest.approx((wilson.low, wilson.high))
    assert found.to_json()["units"] == 3


def test_pairs_go_by_the_sign_of_their_lead() -> None:
    # x leans to the stereotype (A good, B bad) in both wordings though its answers differ; y
    # leans against it in one; z is exactly even in one.
    items = [i for q in ("x", "y", "z") for w in range(2) for i in pair(q, w)]
    found = consistency(
        outcomes(items, [0.9, 0.8, 0.4, 0.1, 0.6, 0.4, 0.4, 0.6, 0.7, 0.2, 0.5, 0.5])
    )
    assert (found.units, found.agreeing, found.chance) == (3, 1, 0.5)


def test_chance_is_what_a_model_without_opinion_gets() -> None:
    random = np.random.default_rng(0)
    items = [single(f"q{q}", w, choices=3) for q in range(2000) for w in range(3)]
    table = random.dirichlet([1.0, 1.0, 1.0], size=len(items))
    found = consistency(Outcomes(ItemSet("c", tuple(items)), "global", table))
    assert found.chance == pytest.approx(1 / 9)
    assert found.interval[0] < found.chance < found.interval[1]


def test_what_is_refused() -> None:
    lone = outcomes([single("x", 0), single("y", 0), single("y", 1)], [0.5] * 3)
    with pytest.raises(ItemError, match=r"question x.*single wording"):
        consistency(lone)
    twice = Item("again", "p", (" 0", " 1"), attributes={"paraphrase_of": "x", "wording": "0"})
    with pytest.raises(ItemError, match="same question and wording"):
        consistency(outcomes([single("x", 0), twice, single("x", 1)], [0.5] * 3))
    with pytest.raises(ItemError, match="differ in how they are answered"):
        consistency(outcomes([single("x", 0), *pair("x", 1)], [0.5] * 3))
    with pytest.raises(ItemError, match="paraphrase_of"):
        consistency(outcomes([Item("bare", "p", (" 0", " 1"))], [0.5]))
    unnumbered = Item("u", "p", (" 0", " 1"), attributes={"paraphrase_of": "x", "wording": "one"})
    with pytest.raises(ItemError, match=r"'wording'.*whole number"):
        consistency(outcomes([unnumbered, single("x", 1)], [0.5] * 2))
