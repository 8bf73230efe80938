"""Noise from numbers alone, and the same from a plan that says them."""

from __future__ import annotations

import doctest
import math

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan
from unsilent.release import calibration, epsilon, noise, noise_multiplier
from unsilent.release.calibration import (
    SMALLEST_SHARE,
    cost_of_release,
    honest_cohort,
    sensitivity_of,
    sigma_of_sum,
    variance_of_share,
)


def test_the_example_holds():
    results = doctest.testmod(calibration)
    assert results.attempted == 3
    assert results.failed == 0


def test_the_noise_of_all_releases_costs_the_budget_and_no_more():
    sensitivity, cohort = sensitivity_of(1024.0, replaced=True), honest_cohort(30, 0.1, 0.1)
    sigma = sigma_of_sum(sensitivity, 3.0, 1e-5, 4)
    assert sigma == noise_multiplier(3.0, 1e-5, 4) * 2048
    variance = variance_of_share(sigma, cohort)
    costs = [cost_of_release(n, sensitivity, variance, cohort) for n in range(1, 5)]
    assert 2.999 < epsilon(costs, 1e-5) <= 3.0
    assert epsilon(costs[:2], 1e-5) < 2.2


@pytest.mark.parametrize("adjacency", ["zero-out", "replace-one"])
def test_a_plan_gives_the_same_as_its_numbers(adjacency):
    plan = parse_plan(
        {
            "federation": {"clients": 60, "rounds": 5},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 2.0, "dropout": 0.1, "collusion": 0.1, "adjacency": adjacency},
        }
    )
    sensitivity = sensitivity_of(1024.0, replaced=adjacency == "replace-one")
    sigma = sigma_of_sum(sensitivity, 2.0, plan.privacy.delta, len(plan.monitoring_rounds))
    cohort = honest_cohort(60, 0.1, 0.1)
    variance = variance_of_share(sigma, cohort)
    assert noise.sensitivity(plan) == sensitivity
    assert noise.sum_sigma(plan) == sigma
    assert noise.smallest_cohort(plan) == cohort
    assert noise.share_variance(plan) == variance
    assert noise.needed_releases(plan) == cohort + 6
    assert noise.planned_event(plan, 3) == cost_of_release(3, sensitivity, variance, cohort)


@pytest.mark.parametrize("sigma", [SMALLEST_SHARE * 0.9, 2.0**42])
def test_a_share_that_is_not_sampled_well_is_refused(sigma):
    with pytest.raises(PlanError, match="out of the range"):
        variance_of_share(sigma, 1)
    assert math.sqrt(variance_of_share(SMALLEST_SHARE, 1)) == SMALLEST_SHARE


def test_nobody_left():
    with pytest.raises(PlanError, match="no honest client"):
        honest_cohort(10, 0.5, 0.5)
