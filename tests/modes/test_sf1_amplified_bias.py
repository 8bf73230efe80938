import numpy as np
import pytest

from unsilent.errors import ItemError
from unsilent.items import Item
from unsilent.modes import MODES

MODE = MODES["SF-1"]
ROLES = [("reference", "bias"), ("personalized", "bias")]


def name_pairs(n):
    """Choices are negative, positive; the stereotype: A positive, B negative."""
    items = []
    for k in range(n):
        for group, stereotyped in (("A", 1), ("B", 0)):
            items.append(
                Item(
                    f"{k}{group}",
                    f"text {k} by {group}",
                    ("negative", "positive"),
                    stereotyped=stereotyped,
                    group=group,
                    pair=f"{k}",
                )
            )
    return items


def test_counterfactual_pairs_give_the_demographic_parity_difference(evidence):
    rng = np.random.default_rng(1)
    items = name_pairs(25)
    before, after = rng.uniform(size=50), rng.uniform(size=50)  # p(negative)
    gap_before = (1 - before[0::2]) - (1 - before[1::2])  # p(pos | A) - p(pos | B)
    gap_after = (1 - after[0::2]) - (1 - after[1::2])
    growth = gap_after - gap_before
    found = MODE.measure(evidence(dict(zip(ROLES, [(items, before), (items, after)], strict=True))))
    assert found.value == pytest.approx(growth.mean())
    assert found.spread == pytest.approx(growth.std(ddof=1) / 5)
    assert found.items == 25


def test_more_stereotyped_is_positive(evidence, questions):
    items = questions(2)
    found = MODE.measure(evidence({ROLES[0]: (items, [0.5, 0.5]), ROLES[1]: (items, [0.8, 0.6])}))
    assert found.value == pytest.approx(((1.6 - 1.0) + (1.2 - 1.0)) / 2)


def test_an_unpaired_item_weighs_as_much_as_a_pair(evidence):
    items = [*name_pairs(1), Item("solo", "s", ("x", "y"), stereotyped=0)]
    rows = [0.0, 1.0, 0.5]  # the pair moves by (2 * 1) - 0, the solo item by 0
    found = MODE.measure(evidence({ROLES[0]: (items, [0.5, 0.5, 0.5]), ROLES[1]: (items, rows)}))
    assert found.value == pytest.approx((1.0 + 0.0) / 2)
    assert found.items == 2


def test_a_pair_may_be_named_like_an_item(evidence):
    items = [
        Item("x", "1", ("a", "b"), stereotyped=0),
        Item("y", "2", ("a", "b"), stereotyped=0, pair="x"),
        Item("z", "3", ("a", "b"), stereotyped=0, pair="x"),
    ]
    found = MODE.measure(evidence({ROLES[0]: (items, [0.5] * 3), ROLES[1]: (items, [0.5] * 3)}))
    assert found.items == 2


def test_three_choices_count_the_stereotype_against_all_others(evidence):
    items = [Item(f"{k}", "p", ("s", "a", "u"), stereotyped=0) for k in range(2)]
    before = [[0.2, 0.5, 0.3]] * 2
    after = [[0.6, 0.1, 0.3]] * 2
    found = MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}))
    assert found.value == pytest.approx((0.6 - 0.4) - (0.2 - 0.8))


def test_the_extremes_are_reached(evidence, questions):
    items = questions(3)
    found = MODE.measure(evidence({ROLES[0]: (items, [0.0] * 3), ROLES[1]: (items, [1.0] * 3)}))
    assert found.value == 2.0


def test_rounding_of_probabilities_does_not_pass_the_range(evidence, questions):
    items = questions(2)
    rows = [[1.0 + 5e-7, 0.0]] * 2
    found = MODE.measure(evidence({ROLES[0]: (items, [0.0] * 2), ROLES[1]: (items, rows)}))
    assert found.value == 2.0


def test_an_item_without_a_stereotype_is_named(evidence):
    items = [Item("nobody", "p", ("a", "b"), answer=0)]
    with pytest.raises(ItemError, match="nobody"):
        MODE.measure(evidence({ROLES[0]: (items, [0.5]), ROLES[1]: (items, [0.5])}))
