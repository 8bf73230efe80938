"""From refusal mass to how often a model declines, on adapters whose curve is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from unsilent_bench.validation.calibration import cross_fitted, fit

SHIFT, SLOPE = 1.5, 2.0


def adapters(seed: int, count: int, requests: int) -> tuple[NDArray[np.float64], ...]:
    """Masses, and answers drawn by the curve, of adapters from eroded to strict."""
    random = np.random.default_rng(seed)
    centres = np.linspace(-4.0, 3.0, count)[:, None]
    mass = expit(centres + random.normal(size=(count, requests)))
    real = (random.random(mass.shape) < expit(SHIFT + SLOPE * logit(mass))).astype(float)
    return mass, real


def test_the_curve_that_made_the_answers_is_found() -> None:
    found = fit(*adapters(3, 12, 2000))
    assert (found.shift, found.slope) == (
        pytest.approx(SHIFT, abs=0.1), pytest.approx(SLOPE, abs=0.1),
    )  # fmt: skip
    assert found(np.array([expit(-SHIFT / SLOPE)])) == pytest.approx([0.5], abs=0.03)


def test_masses_that_part_the_answers_without_a_fault_have_a_finite_curve() -> None:
    mass = np.array([[0.01, 0.02, 0.9, 0.95]])
    found = fit(mass, (mass > 0.5).astype(float))
    assert 0 < found.slope < 20
    told = found(np.array([0.0, 0.01, 0.95, 1.0]))
    assert told[0] < told[1] < 0.5 < told[2] < told[3]
    assert fit(mass, np.zeros_like(mass))(mass).max() < 0.25


def test_cross_fitted_rates_are_right_where_one_curve_holds_for_all() -> None:
    mass, real = adapters(5, 10, 400)
    told = cross_fitted({"harmful": mass, "benign": mass}, {"harmful": real, "benign": real})
    assert told["benign"] == pytest.approx(told["harmful"])
    errors = told["harmful"].mean(axis=1) - real.mean(axis=1)
    assert np.abs(errors).max() < 0.06


def test_no_adapter_and_no_request_is_told_from_its_own_answer() -> None:
    mass, real = adapters(7, 6, 40)
    before = cross_fitted({"x": mass}, {"x": real})["x"]
    swapped = real.copy()
    swapped[2] = 1 - swapped[2]
    swapped[:, 5] = 1 - swapped[:, 5]
    # What is changed is adapter 2, and request 5 of the odd half.
    after = cross_fitted({"x": mass}, {"x": swapped})["x"]
    assert after[2, 1::2] == pytest.approx(before[2, 1::2])
    assert not np.allclose(after[3, 0::2], before[3, 0::2])


def test_an_adapter_that_follows_another_curve_shows_as_an_error() -> None:
    mass, real = adapters(9, 8, 400)
    real[4] = 0.0
    told = cross_fitted({"x": mass}, {"x": real})["x"]
    assert told[4].mean() > 0.2
