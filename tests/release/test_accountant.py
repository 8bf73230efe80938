"""Epsilon follows from the events, agrees with two independent computations, and only grows."""

import math
import time

import dp_accounting
import pytest
from dp_accounting.pld import privacy_loss_distribution
from dp_accounting.pld.pld_privacy_accountant import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from unsilent.errors import PlanError, ReleaseError
from unsilent.release.accountant import (
    PrivacyEvent,
    epsilon,
    gaussian_delta,
    noise_multiplier,
    total_mu,
)


def event(sigma=5.0, sensitivity=1.0, round_number=1):
    return PrivacyEvent("discrete_gaussian", round_number, sensitivity, sigma)


events = st.lists(
    st.builds(event, st.floats(0.2, 1e5), st.floats(0.01, 1e3), st.integers(1, 99)), max_size=20
)


@pytest.mark.parametrize(
    ("releases", "budget", "sigma"),
    [
        (10, 1.0, 11.8),
        (10, 2.0, 6.30),
        (10, 8.0, 1.90),
        (50, 1.0, 26.4),
        (50, 2.0, 14.1),
        (50, 8.0, 4.24),
    ],
)
def test_noise_of_the_published_table(releases, budget, sigma):
    assert noise_multiplier(budget, 1e-5, releases) == pytest.approx(sigma, rel=2.5e-3)


@pytest.mark.parametrize("releases", [1, 10, 50])
@pytest.mark.parametrize("budget", [0.5, 2.0, 8.0])
def test_the_multiplier_spends_the_budget_as_privacy_loss_distributions_count(releases, budget):
    multiplier = noise_multiplier(budget, 1e-5, releases)
    accountant = PLDAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(multiplier), releases)
    assert accountant.get_epsilon(1e-5) == pytest.approx(budget, rel=1e-5)
    assert epsilon([event(multiplier)] * releases, 1e-5) == pytest.approx(budget, rel=1e-7)
    assert epsilon([event(multiplier)] * releases, 1e-5) <= budget


def test_unequal_releases_as_privacy_loss_distributions_count():
    made = [event(3.0), event(8.0, 2.0), event(5.0, 0.5)]
    accountant = PLDAccountant()
    for one in made:
        accountant.compose(dp_accounting.GaussianDpEvent(one.sigma / one.sensitivity))
    assert epsilon(made, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-5)


@pytest.mark.parametrize("mu", [0.05, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5, 1e-3])
def test_delta_is_balle_and_wangs_closed_form(mu, delta):
    found = epsilon([event(1.0, mu)], delta)
    closed = norm.cdf(mu / 2 - found / mu) - math.exp(found) * norm.cdf(-mu / 2 - found / mu)
    if found > 0:
        assert closed == pytest.approx(delta, rel=1e-4)
    else:
        assert closed <= delta
    assert gaussian_delta(found, mu) == pytest.approx(closed, rel=1e-4)


def test_a_discrete_gaussian_costs_what_a_continuous_one_does():
    sigma, shift = 120.0, 60
    exact = privacy_loss_distribution.from_discrete_gaussian_mechanism(
        sigma, shift, value_discretization_interval=1e-4
    )
    assert exact.get_epsilon_for_delta(1e-5) == pytest.approx(
        epsilon([event(sigma, shift)], 1e-5), rel=1e-3
    )


def test_the_multiplier_is_fast():
    noise_multiplier(1.0, 1e-5, 3)
    start = time.process_time()
    for releases in range(1, 11):
        noise_multiplier(1.7, 1e-5, releases)
    assert (time.process_time() - start) / 10 < 0.1


@settings(deadline=None, max_examples=40)
@given(events, st.builds(event, st.floats(0.2, 1e5), st.floats(0.01, 1e3)))
def test_epsilon_only_grows(made, another):
    assert epsilon([*made, another], 1e-5) >= epsilon(made, 1e-5) * (1 - 1e-9)


@settings(deadline=None, max_examples=40)
@given(events, st.randoms())
def test_order_does_not_matter(made, random):
    shuffled = list(made)
    random.shuffle(shuffled)
    assert epsilon(shuffled, 1e-5) == pytest.approx(epsilon(made, 1e-5), rel=1e-9)


@given(events)
def test_composition_adds_squares(made):
    squares = sum((one.sensitivity / one.sigma) ** 2 for one in made)
    assert total_mu(made) == pytest.approx(math.sqrt(squares), rel=1e-9)


def test_nothing_released_costs_nothing():
    assert epsilon([], 1e-5) == 0.0
    assert epsilon([event(1e12)], 1e-5) == 0.0


@given(st.builds(event, st.floats(1e-3, 1e9), st.floats(1e-3, 1e9), st.integers(1, 10**6)))
def test_an_event_survives_json(one):
    assert PrivacyEvent.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    "change",
    [
        {"sigma": 0},
        {"sigma": -1.0},
        {"sigma": "5"},
        {"sensitivity": math.inf},
        {"round": 0},
        {"round": 1.5},
        {"round": True},
        {"kind": "laplace"},
        {"more": 1},
    ],
)
def test_json_that_is_no_event(change):
    with pytest.raises(ReleaseError, match="privacy event"):
        PrivacyEvent.from_json(event().to_json() | change)


def test_budgets_that_cannot_be():
    for budget, delta, releases in ((0.0, 1e-5, 1), (1.0, 0.0, 1), (1.0, 1e-5, 0)):
        with pytest.raises(PlanError):
            noise_multiplier(budget, delta, releases)
    with pytest.raises(PlanError, match=r"privacy\.delta"):
        epsilon([event()], 1.0)
