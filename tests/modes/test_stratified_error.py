"""The spread of a mean over items of which a set holds set numbers of each kind."""

import numpy as np
import pytest

from unsilent.items import Item, ItemSet
from unsilent.modes import MODES
from unsilent.modes.scores import kinds, stratified_error


def test_of_one_kind_it_is_the_usual_standard_error():
    values = np.random.default_rng(1).normal(size=30)
    expected = values.std(ddof=1) / 30**0.5
    assert stratified_error(values, np.zeros(30, np.int64)) == pytest.approx(expected)


def test_what_differs_between_kinds_is_no_error():
    kind = np.repeat([0, 1, 2], 5)
    assert stratified_error(kind.astype(float), kind) == 0.0


def test_it_is_the_sd_over_draws_with_as_many_of_each_kind():
    rng, kind = np.random.default_rng(2), np.repeat([0, 1], [30, 10])
    drawn = rng.normal(np.where(kind == 0, 0.0, 5.0), np.where(kind == 0, 1.0, 2.0), (4000, 40))
    errors = [stratified_error(values, kind) for values in drawn]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(drawn.mean(axis=1).std(), rel=0.03)


def test_kinds_of_one_item_count_as_one_kind():
    values = np.array([1.0, 1.0, 1.0, 4.0, 6.0])
    kind = np.array([0, 0, 0, 1, 2])
    assert stratified_error(values, kind) == pytest.approx((2 * 2.0) ** 0.5 / 5)
    assert stratified_error(values[:4], kind[:4]) > 0
    assert stratified_error(values[:1], kind[:1]) == 0.0


def test_a_kind_is_a_domain_and_an_answer():
    items = ItemSet(
        "task",
        tuple(
            Item(f"i{n}", f"text {n}", ("a", "b"), answer, domain=domain)
            for n, (domain, answer) in enumerate([("x", 0), ("x", 1), ("y", 0), ("x", 0)])
        ),
    )
    assert kinds(items).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("code", ["SF-1", "SF-2", "SF-4", "SF-5", "SF-6"])
def test_the_largest_spread_falls_with_the_items(code):
    mode = MODES[code]

    def largest(count):
        return mode.largest_spread({need.items: count for need in mode.needs})

    assert largest(2000) < 0.11 < largest(8)
    assert largest(8) > mode.expected_spread(8)
