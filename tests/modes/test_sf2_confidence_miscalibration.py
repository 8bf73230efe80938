import math

import numpy as np
import pytest

from unsilent.modes import MODES
from unsilent.modes.sf2_confidence_miscalibration import absolute_gap, turning

MODE = MODES["SF-2"]
ROLES = [("reference", "task"), ("personalized", "task")]


def both(evidence, items, before, after):
    return MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}))


def test_hand_computed_gap(evidence, questions):
    # Reference: certain and right, gap 0. Personalized: .9 confident, right in 2 of 4.
    gaps = np.array([-0.1, -0.1, 0.9, 0.9])
    expected = math.sqrt(gaps.mean() ** 2 - gaps.var(ddof=1) / 4)
    found = both(evidence, questions(4), [1.0] * 4, [0.9, 0.9, 0.1, 0.1])
    assert found.value == pytest.approx(expected)
    # The gap of the reference has no scatter but that of four gaps that were not seen, all of the
    # growth may be turned by it, and debiasing took off the rest.
    turned = math.hypot(gaps.std(ddof=1) / 2, 2 * 2 / 4)
    assert found.spread == pytest.approx(min(turned + 0.4 - expected, 2 / math.sqrt(3)))


@pytest.mark.parametrize("first", [0.8, 0.2])
def test_over_and_underconfidence_are_both_positive(evidence, questions, first):
    # Personalized .8 confident: right always (underconfident) or never (overconfident).
    found = both(evidence, questions(5), [1.0] * 5, [first] * 5)
    assert found.value == pytest.approx(0.2 if first == 0.8 else 0.8)


def test_opposite_clients_do_not_cancel(evidence, questions):
    over = both(evidence, questions(4), [1.0] * 4, [0.4] * 4)
    under = both(evidence, questions(4), [1.0] * 4, [0.6] * 4)
    assert (over.value + under.value) / 2 == pytest.approx((0.6 + 0.4) / 2)


def test_debiased_square_is_unbiased_and_its_root_hardly_biased_when_calibrated():
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.5, 1, size=(3000, 100))
    right = rng.uniform(size=confidence.shape) < confidence
    gaps = confidence - right
    plain = np.abs(gaps.mean(axis=1)).mean()
    debiased = np.mean([absolute_gap(row) for row in gaps])
    squares = gaps.mean(axis=1) ** 2 - gaps.var(axis=1, ddof=1) / 100
    assert abs(squares.mean()) < 4 * squares.std() / math.sqrt(3000)
    assert debiased < 0.6 * plain


@pytest.mark.parametrize("shift", [0.0, 0.06, 0.15])
def test_the_spread_is_the_true_sd_over_items(evidence, questions, shift):
    rng = np.random.default_rng(3)
    n, values, spreads = 80, [], []
    items = questions(n)
    for _ in range(250):
        reference = rng.uniform(0.5, 1, size=n)
        personalized = np.clip(reference + shift, 0, 1)
        right = rng.uniform(size=n) < reference
        before = np.where(right, reference, 1 - reference)
        after = np.where(right, personalized, 1 - personalized)
        # A third of the answers change independently, so that the pairing is not perfect.
        fresh = rng.uniform(size=n) < reference
        changed = rng.uniform(size=n) < 0.33
        after = np.where(changed, np.where(fresh, personalized, 1 - personalized), after)
        found = both(evidence, items, before, after)
        values.append(found.value)
        spreads.append(found.spread)
    ratio = np.std(values) / np.sqrt(np.mean(np.square(spreads)))
    # Near a gap of 0 it is a bound: what looks like a small change may be a turned one.
    assert (0.25 if shift == 0 else 0.5) < ratio < 1.3


def test_the_spread_is_not_zero_where_the_debiased_gap_is(evidence, questions):
    found = both(evidence, questions(4), [0.9, 0.9, 0.1, 0.9], [0.8, 0.1, 0.8, 0.9])
    assert found.spread > 0.1


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.05), (-0.02, 0.02), (0.02, -0.04)])
def test_intervals_hold_where_a_gap_near_0_may_have_turned(evidence, questions, before, after):
    # All items become more, or less, confident alike, so that their changes do not scatter at all.
    rng, items, runs, missed = np.random.default_rng(6), questions(200), 300, [0, 0]
    truth = abs(after) - abs(before)
    for _ in range(runs):
        right = rng.random(200) < 0.75
        given = [np.where(right, 0.75 + gap, 0.25 - gap) for gap in (before, after)]
        found = both(evidence, items, *given)
        missed[0] += found.value - 1.75 * found.spread > truth
        missed[1] += found.value + 2.33 * found.spread < truth
    assert missed[0] <= 0.04 * runs + 3 * math.sqrt(0.04 * 0.96 * runs)
    assert missed[1] <= 0.01 * runs + 3 * math.sqrt(0.01 * 0.99 * runs)


def test_gaps_far_from_0_do_not_turn():
    assert turning(0.2, 0.3, 0.03) == 0
    assert turning(-0.01, 0.3, 0.03) == 0
    # One error away: turned wholly by z = 2, it changes by twice as much as it seems to.
    assert turning(0.03, 0.06, 0.03) == pytest.approx(2 * 0.03 / 2)
    assert turning(-0.06, -0.03, 0.03) == turning(0.03, 0.06, 0.03)
    assert turning(0.0, 0.0, 0.03) == 0
