"""How far clients differ, with the noise out."""

import numpy as np
import pytest

from unsilent.errors import FindingsError
from unsilent.inference.dispersion import dispersion, dispersion_of
from unsilent.release.layout import Layout
from unsilent.release.release import Release


def test_the_dispersion_is_unbiased_under_noise_and_negative_where_clients_are_alike():
    rng, clients = np.random.default_rng(11), 12
    for sd in (0.0, 0.1):
        values = rng.normal(0.05, sd, (4000, clients))
        means = values.mean(axis=1) + rng.normal(0, 0.06, 4000)
        squares = (values**2).mean(axis=1) + rng.normal(0, 0.02, 4000)
        found = [
            dispersion(m, q, clients, mean_noise_sd=0.06, square_noise_sd=0.02)
            for m, q in zip(means, squares, strict=True)
        ]
        variances = np.array([d.variance for d in found])
        error = variances.std() / 4000**0.5
        assert variances.mean() == pytest.approx(sd**2, abs=3.5 * error)
    # Noise alone is left in the last pass's twin without spread: its sd is the stated one.
    alike = [
        dispersion(m, q, clients, mean_noise_sd=0.06, square_noise_sd=0.02)
        for m, q in zip(rng.normal(0.05, 0.06, 4000), rng.normal(0.0025, 0.02, 4000), strict=True)
    ]
    assert np.std([d.variance for d in alike]) == pytest.approx(
        dispersion(0.05, 0, clients, mean_noise_sd=0.06, square_noise_sd=0.02).noise_sd, rel=0.05
    )
    assert min(d.variance for d in alike) < 0


def test_the_dispersion_of_a_release_is_that_of_its_clients(plan_of, summed):
    plan = plan_of(
        clients=20, modes=("amplified_bias", "fairness_collapse"), population="like-these"
    )
    values = np.linspace(-0.1, 0.2, 20)
    total = summed(plan, [{"SF-1": v} for v in values], None)
    found = dispersion_of(Layout.from_plan(plan), total, "SF-1")
    assert found.variance == pytest.approx(values.var(ddof=1), abs=5e-4)
    assert found.noise_sd == 0.0
    few = Release(total.layout, 3, 1, total.vector, 0.0)
    with pytest.raises(FindingsError, match="two"):
        dispersion_of(Layout.from_plan(plan), few, "SF-1")


def test_private_records_lose_their_sampling_within(plan_of, summed):
    plan = plan_of(clients=20, modes=("fairness_collapse",), population="like-these")
    clients = [{"SF-3": float(k < 5), "SF-3.spread": 0.2} for k in range(20)]
    found = dispersion_of(Layout.from_plan(plan), summed(plan, clients, None), "SF-3")
    assert found.variance == pytest.approx(0.25 * 0.75 * 20 / 19 - 0.04, abs=2e-3)
