"""Both noise sources draw the discrete Gaussian, and each client adds its planned share."""

import math
import sys

import numpy as np
import pytest
from scipy import stats

from unsilent.errors import PlanError, ReleaseError
from unsilent.plan import parse_plan
from unsilent.release import ExactNoise, SeededNoise, noise_multiplier
from unsilent.release.layout import Layout
from unsilent.release.noise import (
    needed_releases,
    planned_event,
    sensitivity,
    share_scale,
    share_variance,
    smallest_cohort,
    sum_sigma,
)

SOURCES = {"exact": (ExactNoise, 8000), "seeded": (lambda: SeededNoise(7), 200000)}


def pmf(scale, reach):
    """N_Z(0, scale^2) by its series, on -reach..reach."""
    support = np.arange(-reach, reach + 1)
    mass = np.exp(-(support**2) / (2 * scale**2))
    return support, mass / mass.sum()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.7, 40.0])
def test_the_draws_have_the_exact_distribution(source, scale):
    make, size = SOURCES[source]
    draws = make().sample(scale, size)
    assert draws.dtype == np.int64
    assert len(draws) == size
    support, mass = pmf(scale, math.ceil(12 * scale))
    edges = np.searchsorted(np.cumsum(mass), np.linspace(0.04, 0.96, 24))
    bins = np.concatenate([[0], np.unique(edges) + 1, [len(support)]])
    expected = np.add.reduceat(mass, bins[:-1]) * size
    seen = np.histogram(draws, np.append(support[bins[:-1]], support[-1] + 1) - 0.5)[0]
    assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-6


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("scale", [0.7, 266.1])
def test_variance_is_that_of_the_series(source, scale):
    make, size = SOURCES[source]
    support, mass = pmf(scale, math.ceil(12 * scale))
    variance = float((support**2 * mass).sum())
    kurtosis = float((support**4 * mass).sum()) / variance**2
    error = math.sqrt((kurtosis - 1) / size)
    assert make().sample(scale, size).var() / variance == pytest.approx(1, abs=4.5 * error)


def test_from_the_smallest_share_on_the_variance_is_the_scale_squared():
    support, mass = pmf(4.0, 80)
    assert float((support**2 * mass).sum()) == pytest.approx(16.0, rel=1e-12)


def test_seeded_noise_repeats_and_streams_differ():
    first = SeededNoise((1, 2, 3)).sample(50.0, 20)
    assert first.tolist() == SeededNoise((1, 2, 3)).sample(50.0, 20).tolist()
    assert first.tolist() != SeededNoise((1, 2, 4)).sample(50.0, 20).tolist()


def test_exact_noise_does_not_repeat():
    assert ExactNoise().sample(1e6, 8).tolist() != ExactNoise().sample(1e6, 8).tolist()


@pytest.mark.parametrize("source", SOURCES)
def test_impossible_scales(source):
    for scale in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ReleaseError, match="cannot be drawn"):
            SOURCES[source][0]().sample(scale, 3)
    assert len(SOURCES[source][0]().sample(2.0, 0)) == 0


def test_a_missing_opendp_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(ReleaseError, match="pip install opendp"):
        ExactNoise()


def plan(**privacy):
    return parse_plan(
        {
            "federation": {"clients": 100, "rounds": 10},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": privacy,
        }
    )


@pytest.mark.parametrize(
    ("dropout", "collusion", "cohort", "needed"),
    [(0.0, 0.0, 100, 100), (0.1, 0.1, 80, 90), (0.055, 0.0, 94, 94), (0.0, 0.011, 98, 100)],
)
def test_the_smallest_cohort_leaves_out_the_lost_and_the_colluding(
    dropout, collusion, cohort, needed
):
    of = plan(dropout=dropout, collusion=collusion)
    assert smallest_cohort(of) == cohort
    assert needed_releases(of) == needed


def test_nobody_left_to_add_noise():
    with pytest.raises(PlanError, match="no honest client"):
        smallest_cohort(plan(dropout=0.6, collusion=0.4))


def test_shares_of_the_smallest_cohort_make_the_noise_of_the_sum():
    of = plan(epsilon=2.0, dropout=0.1, collusion=0.1)
    needed = noise_multiplier(2.0, 1e-5, 10) * 1024
    assert sum_sigma(of) == pytest.approx(6.305 * 1024, rel=1e-4)
    assert sum_sigma(of) == needed
    assert 80 * share_variance(of) >= needed**2
    assert 80 * share_variance(of) == pytest.approx(needed**2, rel=1e-3)
    assert share_scale(of) == math.sqrt(share_variance(of))
    sums = sum(SeededNoise((5, i)).sample(share_scale(of), 4000) for i in range(80))
    assert sums.std() == pytest.approx(needed, rel=0.05)
    assert planned_event(of, 3).sigma >= needed


def test_replacing_a_client_costs_twice_the_noise_of_leaving_it_out():
    out, swapped = plan(epsilon=2.0), plan(epsilon=2.0, adjacency="replace-one")
    assert sensitivity(out) == 1024
    assert sensitivity(swapped) == 2048
    assert sum_sigma(swapped) == 2 * sum_sigma(out)


def test_a_share_too_small_to_be_sampled_well_has_finer_steps():
    fine = plan(epsilon=40.0, clip=0.05)
    assert Layout.from_plan(fine).scale > 1024
    assert 4 <= share_scale(fine) < 8.1
