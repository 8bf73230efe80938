"""The baselines keep their own promise where their assumptions hold."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.verdicts.baselines import (
    ALLOWANCE,
    Readings,
    cusum_increments,
    cusum_levels,
    dp_cusum,
    page,
    per_round,
    threshold,
)
from unsilent_bench.verdicts.rows import delays, share
from unsilent_bench.verdicts.scenarios import SCENARIOS, World
from unsilent_bench.verdicts.world import Simulation, simulate


def independent(repetitions: int, rounds: int = 50, modes: int = 6, drift: float = 0.0) -> Readings:
    noise = np.random.default_rng(21).standard_normal((repetitions, rounds, modes))
    rise = drift * np.arange(1, rounds + 1)[:, None]
    return Readings(0.02 * noise + rise, np.full(noise.shape, 0.02), np.zeros(modes))


def test_page_by_hand() -> None:
    scores = np.array([[1.0, -2.0, 0.5, np.nan, 1.0]])
    assert page(scores).tolist() == [[1.0, 0.0, 0.5, 0.5, 1.5]]


def test_a_test_each_round_alarms_in_nearly_every_long_run() -> None:
    found = per_round(independent(2000, modes=1)).failure.any(axis=(1, 2)).mean()
    assert found == pytest.approx(1 - 0.95**50, abs=0.02)


def test_cusum_of_levels_keeps_alpha_on_independent_rounds() -> None:
    found, error = share(cusum_levels(independent(3000), 0.05).failure.any(axis=(1, 2)))
    assert abs(found - 0.05) < 4 * error


def test_threshold_is_a_quantile_of_the_largest_cusum() -> None:
    draws = np.random.default_rng(22).standard_normal((4000, 20)) - ALLOWANCE
    beyond, error = share(page(draws).max(axis=1) > threshold(20, 1, 0.05))
    assert abs(beyond - 0.05) < 4 * error


def test_increments_lose_a_slow_drift_that_levels_find() -> None:
    drifting = independent(200, modes=1, drift=0.005)
    assert cusum_levels(drifting, 0.05).failure[:, -1].all()
    assert cusum_increments(drifting, 0.05).failure.any(axis=1).mean() < 0.2


def _with_clean(found: Simulation, spread: float) -> Simulation:
    tolerance = found.truth[0, 0]
    found.clean[:] = tolerance + spread * np.random.default_rng(23).standard_normal(
        found.clean.shape
    )
    return found


@pytest.mark.parametrize("epsilon", [8.0, None])
def test_dp_cusum_keeps_alpha_on_independent_samples(epsilon: float | None) -> None:
    (found,) = simulate(
        World(100, 20, 8.0, scenario=SCENARIOS["repeated"]), 2000, np.random.default_rng(24)
    )
    found = _with_clean(found, 0.02)
    ones = np.ones(6)
    judged = dp_cusum(found, epsilon, 0.02 * ones, 0.02 * ones, 0.05, np.random.default_rng(25))
    rate, error = share(judged.failure.any(axis=(1, 2)))
    assert abs(rate - 0.05) < 5 * error


def test_dp_cusum_needs_more_for_more_privacy() -> None:
    (found,) = simulate(World(1000, 20, 8.0, effect={"SF-6": 0.05}), 50, np.random.default_rng(26))
    ones = np.ones(6)
    rates = [
        dp_cusum(found, epsilon, 0.03 * ones, 0.003 * ones, 0.05, np.random.default_rng(27))
        .failure[..., 5]
        .mean()
        for epsilon in (0.05, 8.0, None)
    ]
    assert rates[0] < rates[1] <= rates[2]


def test_delay_counts_from_the_first_changed_round() -> None:
    alarms = np.zeros((3, 6), dtype=np.bool_)
    alarms[0, 3:] = True
    alarms[1, 1] = True  # Before the change: a false alarm, not a discovery.
    found, after = delays(alarms, 2)
    assert found.tolist() == [True, False, False]
    assert after.tolist() == [1.0]
