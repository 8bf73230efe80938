"""Each test of the noise has its level on good noise, and sees what it is there for."""

import numpy as np
import pytest

from unsilent.audit.noise_tests import (
    VarianceRange,
    coordinates_p,
    directions_p,
    lattice_p,
    lengths_p,
    magnitudes_p,
    pairs_p,
    shape_p,
    values_p,
    variance_p,
)
from unsilent.release.noise import SeededNoise

SCALE = 60.0
SPREAD = VarianceRange(SCALE**2, SCALE**2)
ROWS, COLUMNS = 800, 9


def draws(seed, scale=SCALE, rows=ROWS):
    return SeededNoise([seed, 77]).sample(scale, rows * COLUMNS).reshape(rows, COLUMNS)


def clean(seed):
    return np.random.default_rng(seed).integers(-900, 900, (ROWS, COLUMNS))


TESTS = {
    "variance": lambda noise: variance_p(noise, SPREAD),
    "coordinates": lambda noise: coordinates_p(noise, SPREAD),
    "directions": lambda noise: directions_p(noise, SPREAD),
    "correlations": pairs_p,
    "magnitudes": lambda noise: magnitudes_p(noise, SPREAD),
    "lengths": lambda noise: lengths_p(noise, SPREAD),
    "distribution": lambda noise: shape_p(noise, SPREAD),
    "last digits": lambda noise: lattice_p(noise, SPREAD),
    "values": lambda noise: values_p(noise, clean(1), SPREAD),
}


@pytest.mark.parametrize("name", TESTS)
def test_good_noise_is_called_bad_as_rarely_as_the_level_says(name):
    found = np.array([TESTS[name](draws(seed)) for seed in range(200)])
    # 200 trials at 5% each: 22 or more come up once in 500; at 1%, 9 or more once in 4000.
    assert np.sum(found < 0.05) < 22
    assert np.sum(found < 0.01) < 9


@pytest.mark.parametrize("scale", [4.0, 7.5, 300.0])
def test_good_noise_of_every_size_passes(scale):
    spread = VarianceRange(scale**2, scale**2)
    noise = draws(3, scale, 4000)
    for test in (coordinates_p, directions_p, magnitudes_p, lengths_p, shape_p, lattice_p):
        assert test(noise, spread) > 1e-4, test.__name__


def copied(noise):
    """One column is another one's, with the other sign."""
    noise[:, 4] = -noise[:, 2]
    return noise


def hidden(noise):
    """Three columns add up to a fourth, none of which is any other's."""
    noise[:, 3] = np.rint((noise[:, 0] + noise[:, 1] + noise[:, 2]) / np.sqrt(3))
    return noise


def permuted(noise):
    """The right half is the left one in a new order each time."""
    random = np.random.default_rng(5)
    for row in noise:
        row[4:8] = random.permutation(row[:4])
    return noise


def signs_of_its_own(noise):
    """A copy whose sign is drawn anew each time: nothing is correlated."""
    noise[:, 5] = noise[:, 1] * np.random.default_rng(6).choice([-1, 1], len(noise))
    return noise


def coarse(noise):
    """A lattice of step 5."""
    return 5 * np.rint(noise / 5).astype(np.int64)


def odd_step(noise):
    """A lattice of step 2, moved by one."""
    return 2 * (noise // 2) + 1


def too_coarse(noise):
    """A lattice wider than the residues that are looked at."""
    return (131 * np.rint(noise / 131)).astype(np.int64)


def unequal(noise):
    """The variance is right on average: one column is low, another high."""
    noise[:, 0] = np.rint(noise[:, 0] * 0.7)
    noise[:, 1] = np.rint(noise[:, 1] * np.sqrt(2 - 0.49))
    return noise


def now_and_then(noise):
    """The variance is right on average: none in every second vector."""
    noise[::2] = 0
    noise[1::2] = np.rint(noise[1::2] * np.sqrt(2))
    return noise


def uniform(noise):
    """The variance is right, and the noise is bounded."""
    end = SCALE * np.sqrt(3)
    return np.rint(np.random.default_rng(8).uniform(-end, end, noise.shape)).astype(np.int64)


def with_the_sign(noise):
    """Pushed the way of the value."""
    return noise + np.rint(np.sign(clean(1)) * 0.3 * SCALE).astype(np.int64)


def smaller_for_large(noise):
    """Less noise on large values."""
    return np.rint(noise * np.where(np.abs(clean(1)) > 450, 0.8, 1.2)).astype(np.int64)


def off_centre(noise):
    """A mean that is not 0."""
    noise[:, 6] += 15
    return noise


SEES = [
    ("directions", copied),
    ("correlations", copied),
    ("directions", hidden),
    ("directions", permuted),
    ("magnitudes", signs_of_its_own),
    ("last digits", coarse),
    ("last digits", odd_step),
    ("distribution", too_coarse),
    ("coordinates", unequal),
    ("directions", unequal),
    ("lengths", now_and_then),
    ("distribution", uniform),
    ("values", with_the_sign),
    ("values", smaller_for_large),
    ("coordinates", off_centre),
]


@pytest.mark.parametrize(("name", "broken"), SEES)
def test_what_a_test_is_there_for_is_seen(name, broken):
    assert TESTS[name](broken(draws(11))) < 1e-9


def test_variances_within_a_range_pass_and_beyond_either_end_fail():
    noise = draws(5)
    assert variance_p(noise, VarianceRange(0.9 * SCALE**2, 1.1 * SCALE**2)) > 0.5
    for low, high in ((0.8, 0.85), (1.15, 1.2)):
        spread = VarianceRange(low * SCALE**2, high * SCALE**2)
        assert variance_p(noise, spread) < 1e-9
        assert coordinates_p(noise, spread) < 1e-3
