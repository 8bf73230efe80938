"""Intervals and areas of the replay, against closed forms and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score
from unsilent_bench.replay.intervals import area, mean, share, wins


@pytest.mark.parametrize("found, count", [(0, 5), (5, 5), (3, 8), (19, 20)])
def test_whole_shares_have_the_exact_binomial_interval(found: int, count: int) -> None:
    value, interval = share(np.array([1.0] * found + [0.0] * (count - found)))
    theirs = binomtest(found, count).proportion_ci(0.95, method="exact")
    assert value == found / count
    assert interval == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_interval_of_rates_between_covers_the_mean() -> None:
    generator = np.random.default_rng(5)
    missed = 0
    for _ in range(400):
        low, high = share(generator.beta(9, 1, size=6))[1]
        missed += not low <= 0.9 <= high
    assert missed <= 20


def test_the_area_is_that_of_another_library() -> None:
    generator = np.random.default_rng(1)
    dosed, healthy = (
        generator.normal(1, 1, (4, 30)).round(1),
        generator.normal(0, 1, (3, 20)).round(1),
    )
    scores = np.concatenate([dosed.ravel(), healthy.ravel()])
    labels = np.repeat([1, 0], [dosed.size, healthy.size])
    value, interval = area(dosed, healthy)
    assert value == pytest.approx(roc_auc_score(labels, scores))
    assert interval is not None
    assert interval[0] <= value <= interval[1]


def test_ties_count_half() -> None:
    assert wins(np.array([[1.0, 1.0]]), np.array([[1.0, 0.0, 2.0]])) == pytest.approx(
        np.array([[0.5]])
    )


def test_one_federation_gives_a_mean_and_no_interval() -> None:
    assert mean(np.array([0.3])) == (0.3, None)
    assert area(np.array([[1.0]]), np.array([[0.0], [0.5]])) == (1.0, None)


def test_the_mean_s_bootstrap_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(2).normal(0, 1, 400)
    value, interval = mean(values)
    assert interval is not None
    assert np.subtract(interval, value) == pytest.approx([-1.96 / 20, 1.96 / 20], rel=0.15)
