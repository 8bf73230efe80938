"""Intervals of ratios of private sums hold the truth as often as promised, few records or many."""

import numpy as np
import pytest

from tests.inference.performance.simulated import pool
from unsilent.inference.boundary import quantile
from unsilent.inference.performance.pool import Reach
from unsilent.inference.performance.ratio import drop, fieller, shortfall
from unsilent.performance.family import GAINED, LOST, RIGHT, SUPPORT, Family

PAIRED = Family("accuracy", "held-out", fields=(SUPPORT, RIGHT, LOST, GAINED))
REPEATS = 1500


@pytest.mark.parametrize("tail", [0.025, 0.002])
@pytest.mark.parametrize(
    ("records", "lost", "gained", "noise", "rounds"),
    [
        (30, 0.1, 0.1, 0.0, 1),
        (400, 0.2, 0.05, 4.0, 1),
        (60, 0.02, 0.0, 1.0, 4),
        (9, 0.3, 0.1, 0, 2),
    ],
)
def test_what_was_lost(tail, records, lost, gained, noise, rounds):
    random, reach = np.random.default_rng([records, rounds]), Reach(quantile(tail), quantile(tail))
    truth = lost - gained
    above = below = 0
    for _ in range(REPEATS):
        drawn = random.multinomial(records, [lost, gained, 1 - lost - gained])
        seen = {(PAIRED, LOST): drawn[0], (PAIRED, GAINED): drawn[1], (PAIRED, SUPPORT): records}
        ends = drop(pool(random, seen, noise, rounds), PAIRED, reach, "again")
        above += ends.lower > truth
        below += ends.upper < truth
    # Three standard errors of the simulation.
    most = tail * REPEATS + 3 * np.sqrt(tail * REPEATS) + 1
    assert above <= most
    assert below <= most


@pytest.mark.parametrize(
    ("records", "right", "noise"), [(20, 0.95, 0.0), (300, 0.7, 5.0), (8, 0.5, 1)]
)
def test_the_share_that_is_wrong(records, right, noise):
    random, tail = np.random.default_rng(records), 0.01
    reach, out = Reach(quantile(tail), quantile(tail)), np.zeros(2)
    for _ in range(REPEATS):
        seen = {(PAIRED, RIGHT): random.binomial(records, right), (PAIRED, SUPPORT): records}
        ends = shortfall(pool(random, seen, noise), [PAIRED], reach, "again")
        out += ends.lower > 1 - right, ends.upper < 1 - right
    assert (out <= tail * REPEATS + 3 * np.sqrt(tail * REPEATS) + 1).all()


def test_of_these_records_alone_only_the_noise_is_an_error():
    random, reach = np.random.default_rng(0), Reach(2.0, 2.0)
    seen = {(PAIRED, LOST): 30.0, (PAIRED, GAINED): 10.0, (PAIRED, SUPPORT): 200.0}
    exact = drop(pool(random, seen, 0.0), PAIRED, reach, "none")
    assert exact == (0.1, 0.1, 0.1)
    misses = sum(
        not ends.lower <= 0.1 <= ends.upper
        for ends in (drop(pool(random, seen, 6.0), PAIRED, reach, "none") for _ in range(REPEATS))
    )
    assert misses / REPEATS == pytest.approx(0.0455, abs=0.017)


def test_none_lost_of_few_is_no_certainty():
    seen = {(PAIRED, LOST): 0.0, (PAIRED, GAINED): 0.0, (PAIRED, SUPPORT): 10.0}
    ends = drop(pool(np.random.default_rng(0), seen, 0.0), PAIRED, Reach(3.0, 3.0), "again")
    # 6.6 of a Poisson number would be none once in 740 times.
    assert ends.upper == pytest.approx(0.661, abs=0.001)


def test_where_the_support_may_be_nothing_there_are_no_ends():
    low, high = fieller(1.0, 3.0, 2.0, 1.0, Reach(2.0, 2.0), (0.0, 0.0))[1:]
    assert (low, high) == (-np.inf, np.inf)
