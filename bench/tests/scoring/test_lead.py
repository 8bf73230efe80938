"""The stereotype's lead: wordings make one question, and what all are expected to be cancels."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.scoring import stereotype_lead

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.probes.counterfactuals import counterfactual_pairs


def outcomes(items: ItemSet, first: list[float]) -> Outcomes:
    return Outcomes(items, "global", np.array([[p, 1 - p] for p in first]))


def test_worked_example() -> None:
    items = counterfactual_pairs(3, seed=0, domains=("age", "means"), wordings=2)
    # Items go A, B, A, B for each question. Leads: age-0 is (.8 - .2 + .4 - 0) / 4 = .25,
    # age-1 is 0, means-0 is (-.4 + .4 - .6 - .2) / 4 = -.2.
    first = [0.9, 0.6, 0.7, 0.5, 0.8, 0.8, 0.3, 0.3, 0.3, 0.3, 0.2, 0.6]
    found = stereotype_lead(outcomes(items, first))
    assert found.domains["age"].mean == pytest.approx(0.125)
    assert found.domains["means"].mean == pytest.approx(-0.2)
    assert found.domains["means"].standard_error is None
    assert (found.overall.questions, found.overall.mean) == (3, pytest.approx(0.05 / 3))
    error = np.std([0.25, 0, -0.2], ddof=1) / np.sqrt(3)
    assert found.overall.standard_error == pytest.approx(error)
    assert found.to_json()["overall"]["questions"] == 3


def test_what_everybody_is_expected_to_be_cancels() -> None:
    items = counterfactual_pairs(40, seed=2)
    found = stereotype_lead(outcomes(items, [0.9] * len(items)))
    assert found.overall.mean == pytest.approx(0)


def test_an_item_without_a_pair_is_refused() -> None:
    lone = ItemSet("x", (Item("lone", "He is", (" a", " b"), stereotyped=0),))
    with pytest.raises(ItemError, match=r"lone.*no pair"):
        stereotype_lead(outcomes(lone, [0.5]))
