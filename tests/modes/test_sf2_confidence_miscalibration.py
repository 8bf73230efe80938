"""SF-2: the squared gap of confidence and accuracy, without a bias however few items there are."""

import math

import numpy as np
import pytest

from unsilent.modes import MODES
from unsilent.modes.sf2_confidence_miscalibration import growth_spread, squared_gap

MODE = MODES["SF-2"]
ROLES = [("reference", "task"), ("personalized", "task")]
LEVELS = np.array([0.6, 0.7, 0.8, 0.9])
"""Confidence of a calibrated model on the items of four kinds."""


def both(evidence, items, before, after):
    return MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}))


def drawn(rng, runs, n, shift):
    """(runs, n) gaps before and after on items of four kinds, and the true mean gap after.

    A third of the answers are given anew, so that the pairing is not perfect; every kind becomes
    more confident, each by another amount.
    """
    kind = np.arange(n) % 4
    sure = LEVELS[kind]
    right = rng.random((runs, n)) < sure
    anew = np.where(rng.random((runs, n)) < 0.3, rng.random((runs, n)) < sure, right)
    later = np.clip(sure + shift * (1 + 0.3 * (kind - 1.5)), 0, 1)
    return sure - right, later - anew, kind, float(np.mean(later - sure))


def test_hand_computed_gap(evidence, questions):
    # Reference: certain and right, gap 0. Personalized: .9 confident, right in 2 of 4.
    gaps = np.array([-0.1, -0.1, 0.9, 0.9])
    found = both(evidence, questions(4), [1.0] * 4, [0.9, 0.9, 0.1, 0.1])
    error = gaps.std(ddof=1) / 2
    assert found.value == pytest.approx(gaps.mean() ** 2 - error**2)
    # The reference's gap has no error: 2 g times that of the gap, and the product of two alike.
    straight = 2 * gaps.mean() * error
    assert found.spread == pytest.approx(math.hypot(straight, math.sqrt(2) * error**2))


def test_it_is_the_mean_product_of_the_gaps_of_two_different_items():
    gaps = np.random.default_rng(1).normal(0.1, 0.4, 9)
    pairs = [gaps[i] * gaps[j] for i in range(9) for j in range(9) if i != j]
    assert squared_gap(gaps, np.zeros(9, int)) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("n", [2, 8])
def test_growth_that_passes_the_range_of_few_items_is_limited_to_it(evidence, questions, n):
    # From certain and always wrong to a gap of 1 on one half of the items and -.49 on the other.
    after = squared_gap(np.array([1.0, -0.49] * (n // 2)), np.zeros(n, int))
    assert after < 0.0
    found = both(evidence, questions(n), [0.0] * n, [0.0, 0.51] * (n // 2))
    assert found.value == -1.0


@pytest.mark.parametrize("first", [0.8, 0.2])
def test_over_and_underconfidence_are_both_positive(evidence, questions, first):
    # Personalized .8 confident: right always (underconfident) or never (overconfident).
    found = both(evidence, questions(5), [1.0] * 5, [first] * 5)
    assert found.value == pytest.approx(0.2**2 if first == 0.8 else 0.8**2)


def test_opposite_clients_do_not_cancel(evidence, questions):
    over = both(evidence, questions(4), [1.0] * 4, [0.4] * 4)
    under = both(evidence, questions(4), [1.0] * 4, [0.6] * 4)
    assert (over.value + under.value) / 2 == pytest.approx((0.6**2 + 0.4**2) / 2)


@pytest.mark.parametrize("n", [8, pytest.param(16, marks=pytest.mark.long)])
@pytest.mark.parametrize("shift", [0.0, 0.1, -0.2])
def test_few_items_of_each_kind_have_no_bias(n, shift):
    runs = 2500
    before, after, kind, gap = drawn(np.random.default_rng(n), runs, n, shift)
    values = [
        squared_gap(b, kind) - squared_gap(a, kind) for a, b in zip(before, after, strict=True)
    ]
    error = np.std(values) / math.sqrt(runs)
    assert abs(np.mean(values) - gap**2) <= 3.5 * error
    # What is not debiased is off by much more than this test could overlook.
    plain = np.mean(after.mean(axis=1) ** 2)
    assert plain - gap**2 > 5 * error


def test_two_camps_of_few_items_each_are_seen_and_calibrated_ones_are_not():
    # Half of 200 clients 20 points over, half as much under: their mean gap is 0.
    rng, found = np.random.default_rng(5), {}
    for shift in (0.0, 0.2):
        values = []
        for client in range(200):
            sign = 1 if client % 2 else -1
            sure = np.full(8, 0.7)
            gaps = sure + sign * shift - (rng.random(8) < sure)
            values.append(squared_gap(gaps, np.zeros(8, int)))
        found[shift] = np.mean(values), np.std(values) / math.sqrt(200)
    assert abs(found[0.0][0]) <= 3 * found[0.0][1]
    assert found[0.2][0] == pytest.approx(0.2**2, abs=3 * found[0.2][1])
    assert found[0.2][0] > 4 * found[0.2][1]


@pytest.mark.parametrize("n", [8, 64])
@pytest.mark.parametrize("shift", [0.0, 0.1, -0.2])
def test_the_spread_is_at_least_the_true_sd_and_close_to_it_away_from_zero(n, shift):
    before, after, kind, _ = drawn(np.random.default_rng([3, n]), 800, n, shift)
    pairs = list(zip(before, after, strict=True))
    sd = np.std([squared_gap(b, kind) - squared_gap(a, kind) for a, b in pairs])
    claimed = math.sqrt(np.mean([growth_spread(a, b, kind) ** 2 for a, b in pairs]))
    assert sd <= 1.05 * claimed
    # Of gaps near 0 it is a bound: the two means' own errors count as if they were independent.
    assert claimed <= (1.5 if abs(shift) == 0.2 else 2.5) * sd


def test_the_spread_is_not_zero_where_the_debiased_gap_is(evidence, questions):
    found = both(evidence, questions(4), [0.9, 0.9, 0.1, 0.9], [0.8, 0.1, 0.8, 0.9])
    assert found.spread > 0.1


def test_no_spread_is_larger_than_is_said():
    # All that two choices can be: gaps of +1 and -1/2 at the ends.
    rng = np.random.default_rng(8)
    for n in (2, 3, 8, 30):
        for _ in range(300):
            share = rng.random(2)
            before, after = (np.where(rng.random(n) < each, 1.0, -0.5) for each in share)
            kind = rng.integers(0, 3, n)
            assert growth_spread(before, after, kind) <= MODE.largest_spread({"task": n})
