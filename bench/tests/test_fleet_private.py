"""Private ways to train: what the sum, the noise and the accountant come to."""

import math

import numpy as np
import pytest
from unsilent_bench.fleet.private import (
    STEPS,
    Training,
    dp_mean,
    fedavg_epsilon,
    masked_mean,
    median_norm,
    sgd_epsilon,
    sgd_noise,
)

from unsilent.errors import InputError


def updates() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.3, (50, 40)).astype(np.float32)


def test_a_masked_sum_is_the_mean_within_one_integer_step() -> None:
    found = masked_mean(updates())
    np.testing.assert_allclose(found, updates().mean(axis=0), atol=0.5 / STEPS + 1e-7)


def test_without_noise_and_with_a_wide_clip_dp_fedavg_is_fedavg() -> None:
    found = dp_mean(updates(), 1e6, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(found, updates().mean(axis=0), atol=1e-6)


def test_one_client_moves_the_sum_by_at_most_the_clip() -> None:
    given = updates()
    given[0] *= 1000
    with_one = dp_mean(given, 0.5, 0.0, np.random.default_rng(0)) * 50
    without = dp_mean(given[1:], 0.5, 0.0, np.random.default_rng(0)) * 49
    assert np.linalg.norm(with_one - without) == pytest.approx(0.5, rel=1e-4)


def test_the_noise_of_dp_fedavg_has_the_sd_it_says() -> None:
    none = np.zeros((20, 40_000), np.float32)
    found = dp_mean(none, 2.0, 1.5, np.random.default_rng(3))
    assert found.std() == pytest.approx(2.0 * 1.5 / 20, rel=0.02)


def test_the_median_norm_is_of_whole_updates() -> None:
    assert median_norm(np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]], np.float32)) == 5.0


def test_epsilon_of_dp_fedavg_is_that_of_one_gaussian_with_less_noise() -> None:
    # Ten Gaussians with noise z are one with z / sqrt(10) (Dong, Roth and Su 2022, corollary 3.3).
    assert fedavg_epsilon(2.0, 10) == pytest.approx(
        fedavg_epsilon(2.0 / math.sqrt(10), 1), rel=1e-6
    )
    assert fedavg_epsilon(0.0, 10) == math.inf


def test_the_noise_of_dp_sgd_is_the_least_that_keeps_the_budget() -> None:
    noise = sgd_noise(8.0, 0.5, 40)
    assert sgd_epsilon(noise, 0.5, 40) <= 8.0 < sgd_epsilon(noise / 1.02, 0.5, 40)


@pytest.mark.parametrize(
    ("name", "noise", "epsilon"),
    [
        ("plain", None, None),
        ("secure-sum", None, None),
        ("dp-fedavg:0.5", 0.5, None),
        ("dp-sgd:2", None, 2.0),
    ],
)
def test_ways_are_read_as_traces_spell_them(
    name: str, noise: float | None, epsilon: float | None
) -> None:
    assert Training.parse(name) == Training(name, noise, epsilon)


@pytest.mark.parametrize("name", ["", "dp-sgd", "dp-fedavg:x", "plain:1"])
def test_another_spelling_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        Training.parse(name)
