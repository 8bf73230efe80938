"""SF-3: the loss of accuracy that the other half of a client's records confirms."""

import math
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial

from unsilent.modes import MODES
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread, matched_error

MODE = MODES["SF-3"]
ROLES = [("reference", "records"), ("global", "records")]


def both(evidence, items, before, after):
    return MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}))


def losing(n, lost):
    return [0.9] * n, [0.1] * lost + [0.9] * (n - lost)


def halved(changes):
    """The mean over all halvings, one by one; a change is 1 for a loss and -1 for a gain."""
    n, half = len(changes), len(changes) // 2
    found = []
    for decides in combinations(range(n), half):
        rest = [changes[k] for k in range(n) if k not in decides]
        shown = sum(changes[k] for k in decides) > 0
        found.append(sum(rest) / len(rest) if shown else 0.0)
    return np.mean(found)


@pytest.mark.parametrize("n", range(2, 9))
def test_it_is_the_mean_over_all_ways_to_halve_the_records(n):
    for lost in range(n + 1):
        for gained in range(n + 1 - lost):
            changes = [1] * lost + [-1] * gained + [0] * (n - lost - gained)
            assert confirmed_loss(lost, gained, n) == pytest.approx(halved(changes), abs=1e-12)


def over_all_draws(n, lost, gained, of):
    """Exact mean of ``of(lost, gained)`` over n records that are lost and gained with a chance."""
    return float(chances(n, lost, gained) @ [of(a, b) for a, b in places(n)])


def places(n):
    return [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]


def chances(n, lost, gained):
    """Of each place."""
    counts = [(a, b, n - a - b) for a, b in places(n)]
    return multinomial.pmf(counts, n, [lost, gained, 1 - lost - gained])


@cache
def losses_and_spreads(n):
    """Of each place."""
    losses = np.array([confirmed_loss(a, b, n) for a, b in places(n)])
    return losses, loss_spread(*np.array(places(n)).T, n)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 13), st.floats(0, 0.5), st.floats(0, 0.5))
def test_no_client_counts_with_more_than_it_loses_and_none_with_what_it_gains(n, lost, gained):
    found = over_all_draws(n, lost, gained, lambda a, b: confirmed_loss(a, b, n))
    assert found <= max(lost - gained, 0.0) + 1e-12


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 13), st.floats(0, 0.5), st.floats(0, 0.5))
def test_it_counts_the_loss_times_the_chance_that_half_of_the_records_show_it(n, lost, gained):
    half = n // 2
    shown = over_all_draws(half, lost, gained, lambda a, b: float(a > b))
    found = over_all_draws(n, lost, gained, lambda a, b: confirmed_loss(a, b, n))
    assert found == pytest.approx((lost - gained) * shown, abs=1e-12)


@pytest.mark.parametrize("n", [2, 5, 24, 31])
@pytest.mark.parametrize("turned", [0.02, 0.2, 0.45])
def test_where_gains_balance_losses_it_is_nothing_however_few_the_records(n, turned):
    found = over_all_draws(n, turned, turned, lambda a, b: confirmed_loss(a, b, n))
    assert found == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [2, 7, 24])
def test_a_clear_loss_counts_in_full_and_a_clear_gain_not_at_all(evidence, questions, n):
    assert both(evidence, questions(n), *losing(n, n)).value == pytest.approx(1.0)
    after, before = losing(n, n)
    assert both(evidence, questions(n), before, after).value == 0.0


def test_the_order_of_records_does_not_matter(evidence, questions):
    rng = np.random.default_rng(2)
    before, after = rng.choice([0.1, 0.9], (2, 25))
    whole = both(evidence, questions(25), before, after)
    for _ in range(5):
        order = rng.permutation(25)
        found = both(evidence, questions(25), before[order], after[order])
        assert (found.value, found.spread) == (whole.value, whole.spread)


def test_few_large_losses_are_not_hidden_by_many_small_gains(evidence, questions):
    # Three of four gain 4 of 20, the fourth loses 12 of 20: their mean accuracy did not change.
    gain = both(evidence, questions(20), *reversed(losing(20, 4)))
    loss = both(evidence, questions(20), *losing(20, 12))
    assert gain.value == 0.0
    assert np.mean([gain.value] * 3 + [loss.value]) == pytest.approx(0.6 / 4, rel=0.01)


@pytest.mark.parametrize("n", [8, 24, 96])
@pytest.mark.parametrize(
    ("lost", "gained"),
    [(0.0, 0.0), (0.05, 0.05), (0.02, 0.1), (0.1, 0.02), (0.3, 0.1), (0.3, 0.3), (0.5, 0.0)],
)
def test_the_spread_covers_the_exact_sd_over_records(n, lost, gained):
    chance, (losses, spreads) = chances(n, lost, gained), losses_and_spreads(n)
    mean, square, claimed = (float(chance @ each) for each in (losses, losses**2, spreads**2))
    assert square - mean**2 <= claimed
    if lost - gained > 0.15 and n > 8:
        # Of a clear loss it is no more than a fifth too large.
        assert math.sqrt(claimed) <= 1.25 * math.sqrt(square - mean**2)


def test_no_change_at_all_still_has_a_spread(evidence, questions):
    found = both(evidence, questions(24), [0.9] * 24, [0.9] * 24)
    assert found.value == 0.0
    assert 0.005 < found.spread < 0.2


def test_the_standard_error_matches_simulation():
    rng = np.random.default_rng(4)
    n, truth, claims = 60, [], []
    for _ in range(3000):
        before = rng.uniform(size=n) < 0.8
        after = np.where(rng.uniform(size=n) < 0.2, ~before, before)
        truth.append(after.mean() - before.mean())
        claims.append(matched_error(np.sum(before & ~after), np.sum(after & ~before), n))
    assert np.sqrt(np.mean(np.square(claims))) == pytest.approx(np.std(truth), rel=0.08)


def tables(n):
    """(n + 1, n + 1) values and spreads by lost and gained; NaN where that is impossible."""
    value, spread = np.full((2, n + 1, n + 1), np.nan)
    for lost in range(n + 1):
        for gained in range(n + 1 - lost):
            value[lost, gained] = confirmed_loss(lost, gained, n)
            spread[lost, gained] = loss_spread(lost, gained, n)
    return value, spread


def test_a_record_that_is_left_out_moves_neither_number_further_than_declared():
    # All counts of all numbers of records that a plan can ask up to 24; replaced: test_sf3_reach.
    fewer = tables(4)
    for n in range(5, 25):
        found = tables(n)
        for position, (table, less) in enumerate(zip(found, fewer, strict=True)):
            reach = MODE.record_reach(n - 1)[position] * (1 + 1e-12)
            moves = table[:n, :n] - less, table[1:, :n] - less, table[:n, 1:] - less
            assert max(np.nanmax(np.abs(move)) for move in moves) <= reach
        assert np.nanmax(found[1]) <= MODE.largest_spread({"records": n})
        fewer = found


def test_the_expected_spread_is_that_of_a_client_whose_gains_and_losses_balance(
    evidence, questions
):
    # 4 of 40 answers turn, half each way: one in ten.
    before = [0.9] * 2 + [0.1] * 2 + [0.9] * 36
    after = [0.1] * 2 + [0.9] * 2 + [0.9] * 36
    found = both(evidence, questions(40), before, after)
    assert MODE.expected_spread(40) == pytest.approx(found.spread)
    assert MODE.expected_spread(200) < 0.02 < 0.04 < MODE.expected_spread(24)
