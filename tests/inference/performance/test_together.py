"""Sums and differences of numbers that were drawn hold the truth, however few records there are."""

from functools import partial

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from unsilent.inference.performance.pool import Ends, Pool, Reach
from unsilent.inference.performance.ratio import shortfall
from unsilent.inference.performance.together import mover, whatever_law
from unsilent.performance.family import RIGHT, SUPPORT, Family

FAMILY = Family("accuracy", "held-out", fields=(SUPPORT, RIGHT))
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
WEIGHTS = {"difference": (1.0, -1.0), "mean": (0.5, 0.5)}


def test_by_mover_a_difference_rests_on_the_ends_that_point_its_way():
    given = [(1.0, lambda _: Ends(0.5, 0.4, 0.7)), (-1.0, lambda _: Ends(0.2, 0.1, 0.6))]
    ends = mover(given, Reach(2.0, 2.0))
    assert ends == pytest.approx((0.3, 0.3 - np.hypot(0.1, 0.4), 0.3 + np.hypot(0.2, 0.1)))


def missed(how, level, sizes, weights):
    """How often each end misses, at most over the shares that may be wrong, exactly counted."""
    reach = Reach(*2 * [float(-ndtri(level))])

    def number(size, wrong, at):
        counts = {FAMILY.name(SUPPORT): float(size), FAMILY.name(RIGHT): float(size - wrong)}
        pool = Pool(1, 1, 1, 9, 0, counts, 0.0, 0.0, 10)
        return shortfall(pool, (FAMILY,), at, "anew")

    one, other = ([partial(number, size, wrong) for wrong in range(size + 1)] for size in sizes)
    found = np.array(
        [[how([*zip(weights, (a, b), strict=True)], reach) for b in other] for a in one]
    )
    law = {size: {p: binom.pmf(np.arange(size + 1), size, p) for p in SHARES} for size in sizes}
    worst = np.zeros(2)
    for p in SHARES:
        for q in SHARES:
            truth = weights[0] * p + weights[1] * q
            # No tolerance lies below 0.
            if truth >= 0:
                wrong = found[..., 1] > truth + 1e-9, found[..., 2] < truth - 1e-9
                often = [law[sizes[0]][p] @ each @ law[sizes[1]][q] for each in wrong]
                worst = np.maximum(worst, often)
    return worst / level


@pytest.mark.parametrize("level", [0.025, 0.0042, 0.0002])
@pytest.mark.parametrize("sizes", [(10, 10), (30, 10), (10, 30)])
@pytest.mark.parametrize("kind", WEIGHTS)
def test_no_end_is_missed_more_often_than_its_tail_says(level, sizes, kind):
    assert missed(whatever_law, level, sizes, WEIGHTS[kind]).max() <= 1


@pytest.mark.parametrize("kind", WEIGHTS)
def test_by_mover_it_is(kind):
    assert missed(mover, 0.001, (10, 10), WEIGHTS[kind]).max() > 10


def normal(sd, reach):
    return Ends(0.0, -sd * reach.below, sd * reach.above)


@pytest.mark.parametrize(
    "sds", [(1.0, 1.0), (3.0, 1.0), (0.1, 1.0), (1.0, 1.0, 1.0, 1.0), (1.0,) * 12]
)
def test_of_normal_numbers_it_is_not_much_wider(sds):
    terms = [(1.0, partial(normal, sd)) for sd in sds]
    reach = Reach(3.0, 3.5)
    found, least = whatever_law(terms, reach), mover(terms, reach)
    assert 1 <= found.upper / least.upper < 1.5
    assert 1 <= found.lower / least.lower < 1.5


def test_one_number_alone_is_what_it_is():
    assert whatever_law([(0.5, partial(normal, 2.0))], Reach(2.0, 3.0)) == (0.0, -2.0, 3.0)


def test_a_number_without_ends_leaves_none():
    endless = [(1.0, lambda _: Ends(0.0, -np.inf, np.inf)), (0.5, partial(normal, 1.0))]
    assert whatever_law(endless, Reach(2.0, 2.0)) == (0.0, -np.inf, np.inf)
