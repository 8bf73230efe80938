"""Calibration error from private sums, against scikit-learn's curve on the pooled records."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.calibration import calibration_curve

from tests.inference.performance.simulated import pool
from unsilent.inference.boundary import quantile
from unsilent.inference.performance.calibration import calibration
from unsilent.inference.performance.pool import Pool, Reach
from unsilent.performance.family import SQUARE, SUPPORT, Family

REPEATS = 200


def family(bins):
    return Family("gaps", "held-out", of="c", bins=bins)


def drawn(random, size, bins, slope):
    """Scores whose outcome follows ``slope`` of their logit."""
    logit = random.normal(0, 2, size)
    scores = 1 / (1 + np.exp(-logit))
    outcome = random.random(size) < 1 / (1 + np.exp(-slope * logit))
    gap = scores - outcome
    places = np.minimum((scores * bins).astype(int), bins - 1)
    of = family(bins)
    seen = {
        (of, f"gap.{at}"): float(each)
        for at, each in enumerate(np.bincount(places, weights=gap, minlength=bins))
    }
    seen |= {(of, SUPPORT): float(size), (of, SQUARE): float((gap**2).sum())}
    return seen, scores, outcome


def by_scikit_learn(scores, outcome, bins):
    shown, predicted = calibration_curve(outcome, scores, n_bins=bins)
    counts = np.histogram(scores, bins=np.linspace(0, 1, bins + 1))[0]
    return float((np.abs(shown - predicted) * counts[counts > 0]).sum() / len(scores))


@pytest.mark.parametrize("bins", [1, 10])
def test_without_noise_it_is_that_of_scikit_learn(bins):
    random = np.random.default_rng(1)
    seen, scores, outcome = drawn(random, 400, bins, 0.4)
    ends = calibration(pool(random, seen, 0.0), (family(bins),), Reach(2.0, 2.0), "none")
    assert ends.value == pytest.approx(by_scikit_learn(scores, outcome, bins))
    assert ends.lower == pytest.approx(ends.value)
    assert ends.upper == pytest.approx(ends.value)


@pytest.mark.parametrize("slope", [1.0, 0.4])
@pytest.mark.parametrize("bins", [1, 10])
def test_with_noise_it_holds_that_as_often_as_promised(bins, slope):
    random, reach = np.random.default_rng(2), Reach(quantile(0.025), quantile(0.025))
    out = 0
    for _ in range(REPEATS):
        seen, scores, outcome = drawn(random, 600, bins, slope)
        exact = by_scikit_learn(scores, outcome, bins)
        ends = calibration(pool(random, seen, 5.0), (family(bins),), reach, "none")
        out += not ends.lower <= exact <= ends.upper
    assert out <= 0.05 * REPEATS + 3 * np.sqrt(0.05 * REPEATS)


@pytest.mark.parametrize("slope", [1.0, 0.4])
@pytest.mark.parametrize("bins", [1, 10])
def test_of_records_like_these_it_holds_the_true_one(bins, slope):
    random, reach = np.random.default_rng(3), Reach(quantile(0.025), quantile(0.025))
    _, scores, outcome = drawn(np.random.default_rng(9), 400_000, bins, slope)
    truth, out = by_scikit_learn(scores, outcome, bins), 0
    for _ in range(REPEATS):
        seen, _, _ = drawn(random, 300, bins, slope)
        ends = calibration(pool(random, seen, 2.0), (family(bins),), reach, "again")
        out += not ends.lower - 1e-3 <= truth <= ends.upper + 1e-3
    assert out <= 0.05 * REPEATS + 3 * np.sqrt(0.05 * REPEATS)


def test_a_calibrated_model_is_not_called_miscalibrated_by_the_noise_in_its_bins():
    """The plain sum of absolute noisy gaps is far above 0; the lower end is not."""
    random, reach = np.random.default_rng(4), Reach(quantile(0.01), quantile(0.01))
    seen, _, _ = drawn(random, 2000, 10, 1.0)
    ends = calibration(pool(random, seen, 20.0), (family(10),), reach, "again")
    assert ends.value > 0.04
    assert ends.lower == 0


@pytest.mark.parametrize("bins", [1, 10])
@pytest.mark.parametrize(("size", "share"), [(40, 0.1), (60, 0.05), (200, 0.03)])
@pytest.mark.parametrize("level", [0.025, 0.004])
def test_few_records_with_a_large_gap_are_allowed_for(bins, size, share, level):
    """All scores are 0, and a few are wrong; it is added up over how many were drawn."""
    of, reach = family(bins), Reach(quantile(level), quantile(level))
    missed = 0.0
    for wrong, probability in enumerate(binom.pmf(np.arange(size + 1), size, share)):
        counts = dict.fromkeys(of.names, 0.0)
        counts |= {of.name(SUPPORT): size, of.name(SQUARE): wrong, of.name("gap.0"): -wrong}
        ends = calibration(Pool(1, 1, 1, 9, 0, counts, 0.0, 0.0, 9), (of,), reach, "again")
        missed += probability * (ends.upper < share - 1e-9)
    assert missed <= level
