"""Boundaries for a declared horizon: published tables, independent integrals, simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.special import betaln, log_ndtr
from scipy.stats import norm, t

from unsilent.inference.boundary import (
    VERDICT_SHARES,
    ErrorShares,
    as_student,
    horizon_values,
    obrien_fleming,
    spending_boundary,
    suffixes,
    windows_until,
)


def spent(times, level):
    return np.diff([obrien_fleming(time, level) for time in (0.0, *times)]).tolist()


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        # gsDesign 3.6, sfLDOF, one-sided 0.025, equal increments.
        (3, [3.7103, 2.5114, 1.9930]),
        (5, [4.8769, 3.3570, 2.6803, 2.2898, 2.0310]),
    ],
)
def test_boundaries_are_the_published_ones(looks, published):
    times = [look / looks for look in range(1, looks + 1)]
    assert spending_boundary(times, spent(times, 0.025)) == pytest.approx(published, abs=6e-5)


@pytest.mark.parametrize("information", [(0.3, 0.7, 1.0), (0.1, 0.15, 1.9)])
def test_three_looks_agree_with_plain_integration(information):
    errors = spent((0.4, 0.8, 1.0), 0.05)
    one, two, three = information
    ends = np.array(spending_boundary(information, errors)) * np.sqrt(information)
    assert norm.sf(ends[0], scale=math.sqrt(one)) == pytest.approx(errors[0], abs=1e-8)

    def at(x, y, variance):
        return norm.pdf(y - x, scale=math.sqrt(variance))

    second, _ = quad(
        lambda y: at(0, y, one) * norm.sf((ends[1] - y) / math.sqrt(two - one)),
        -8 * math.sqrt(one),
        ends[0],
        epsabs=1e-12,
    )
    assert second == pytest.approx(errors[1], abs=1e-8)
    # Simpson's rule on a fine grid, where nested adaptive integration would take minutes.
    x = np.linspace(-7 * math.sqrt(one), ends[0], 1201)
    y = np.linspace(-7 * math.sqrt(two), ends[1], 1201)
    joint = at(0, x, one)[:, None] * at(x[:, None], y[None, :], two - one)
    beyond = norm.sf((ends[2] - y) / math.sqrt(three - two))
    third = simpson(simpson(joint, x=x, axis=0) * beyond, x=y)
    assert third == pytest.approx(errors[2], abs=1e-8)


def test_spending_begins_at_none_and_ends_at_all():
    assert obrien_fleming(0.0, 0.01) == 0.0
    assert obrien_fleming(1.0, 0.01) == pytest.approx(0.01, abs=1e-12)
    assert obrien_fleming(0.5, 0.05) == pytest.approx(2 * norm.sf(norm.isf(0.025) / 0.5**0.5))
    # Far in the tail, where 1 - cdf would be 0.
    assert obrien_fleming(1 / 200, 0.001) == pytest.approx(
        2 * norm.sf(norm.isf(0.0005) * 200**0.5), rel=1e-9
    )


def test_a_look_that_spends_or_adds_nothing_is_passed_over():
    whole = spending_boundary((0.5, 1.0), (0.01, 0.02))
    assert spending_boundary((0.5, 0.75, 1.0), (0.01, 0.0, 0.02)) == pytest.approx(
        (whole[0], math.inf, whole[1])
    )
    assert math.isinf(spending_boundary((0.5, 0.50001), (0.01, 0.02))[1])


def test_windows_are_the_powers_of_two_below_the_look():
    assert suffixes(1) == ()
    assert suffixes(2) == (1,)
    assert suffixes(9) == (8, 4, 2, 1)
    assert windows_until(3) == 1 + 2 + 3
    assert all(2 * suffixes(look)[0] >= look for look in range(2, 200))


def test_a_single_round_has_all_of_the_error():
    assert horizon_values([7], [3.0], [7], 0.01, VERDICT_SHARES) == {
        1: pytest.approx(norm.isf(0.01))
    }


def test_a_missed_rounds_error_goes_to_the_next_look():
    full = horizon_values([1, 2], [1.0, 1.0], [1, 2], 0.01, ErrorShares(1.0, 0.0, 0.0))
    missed = horizon_values([2], [1.0], [1, 2], 0.01, ErrorShares(1.0, 0.0, 0.0))
    assert missed[1] == pytest.approx(norm.isf(0.01))
    assert missed[1] < full[2]


def crossing(values_of, noise, lasting, looks, repetitions, seed):
    """How often any window at any look passes its value; noise and lasting error given."""
    rng = np.random.default_rng(seed)
    clients = np.asarray(noise) / noise[0]
    steps = rng.standard_normal((repetitions, looks)) * np.sqrt(noise)
    stays = rng.standard_normal(repetitions) * math.sqrt(lasting)
    total = np.concatenate([np.zeros((repetitions, 1)), np.cumsum(steps, axis=1)], axis=1)
    count = np.concatenate([[0.0], np.cumsum(clients)])
    variance = np.concatenate([[0.0], np.cumsum(noise)])
    hit = np.zeros(repetitions, dtype=bool)
    for look in range(1, looks + 1):
        for length, value in values_of(look).items():
            n = count[look] - count[look - length]
            error = (total[:, look] - total[:, look - length]) / n + stays
            sd = math.sqrt((variance[look] - variance[look - length]) / n**2 + lasting)
            hit |= error >= value * sd
    return hit.mean()


def test_the_ends_have_together_what_a_truth_that_changes_sides_can_cost():
    # The windows of all rounds so far share one error over the looks: each end has its own there.
    # Of every other window only one end can be wrong.
    shares = VERDICT_SHARES
    assert 2 * shares.cumulative + shares.recent + shares.rest == pytest.approx(1.0)


@pytest.mark.parametrize("lasting", [0.0, 0.1, 1.0, 100.0])
def test_all_windows_at_all_looks_hold_together_and_lasting_error_only_helps(lasting):
    # Slepian 1962: one error in all looks raises their correlations.
    noise, level = [1.0, 1.0, 0.3, 1.7, 1.0, 1.0, 0.5, 1.0], 0.1
    rounds = [1, 2, 3, 5, 6, 7, 8, 10]  # two of ten were missed

    def values_of(look):
        return horizon_values(rounds[:look], noise[:look], range(1, 11), level, shares)

    shares = VERDICT_SHARES
    side = level * (shares.cumulative + shares.recent + shares.rest)
    rate = crossing(values_of, noise, lasting, len(rounds), 20000, 1)
    assert rate <= side + 3 * math.sqrt(side * (1 - side) / 20000)
    if not lasting:
        assert rate >= 0.6 * side  # and nothing is given away


def test_the_level_is_spent_in_full_on_the_window_of_all_rounds():
    level, noise = 0.1, [1.0] * 12
    shares = ErrorShares(1.0, 0.0, 1e-12)

    def values_of(look):
        values = horizon_values(range(1, look + 1), noise[:look], range(1, 13), level, shares)
        return {look: values[look]}

    rate = crossing(values_of, noise, 0.0, 12, 40000, 2)
    assert rate == pytest.approx(level, abs=3 * math.sqrt(0.09 / 40000))


@pytest.mark.parametrize("degrees", [1.0, 8.5, 29.0, 1e6])
@pytest.mark.parametrize("value", [1.5, 4.0, 7.5])
def test_student_has_the_same_tail(value, degrees):
    assert float(as_student(value, degrees)) == pytest.approx(
        t.isf(norm.sf(value), degrees), rel=1e-8
    )
    assert float(as_student(value, math.inf)) == value


@pytest.mark.parametrize("degrees", [1.0, 8.5, 29.0, 1e6])
@pytest.mark.parametrize("value", [30.0, 37.0, 37.5, 60.0, 180.0, 1e9, math.inf])
def test_a_tail_beyond_all_floats_has_a_finite_quantile_that_reaches_far_enough(value, degrees):
    found = float(as_student(value, degrees))
    assert math.isfinite(found)
    assert found * 0.0 == 0.0
    assert found >= float(as_student(min(value, 28.0), degrees))
    assert found >= min(value, 1e299)
    if value > 100:
        return
    # The tail of t beyond a large t: I_x(nu / 2, 1 / 2) / 2 at x = nu / (nu + t^2), to first order
    # x^(nu / 2) / (nu B(nu / 2, 1 / 2)), which is less than it is.
    log_x = -float(np.logaddexp(0.0, 2 * math.log(found) - math.log(degrees)))
    log_tail = degrees / 2 * log_x - math.log(degrees) - betaln(degrees / 2, 0.5)
    if degrees < 100:
        assert log_tail <= log_ndtr(-value) + 1e-6 or found >= 1e299
