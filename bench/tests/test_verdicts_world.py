"""The simulated world: clipped, truncated, noised and centred as the product does it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from unsilent_bench.verdicts.people import clipped_mean
from unsilent_bench.verdicts.scenarios import SCENARIOS, World
from unsilent_bench.verdicts.world import simulate

from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
def test_vectors_are_those_of_the_layout(population: str) -> None:
    layout = Layout.from_plan(World(30, 10, 2.0, population).plan())  # type: ignore[arg-type]
    generator = np.random.default_rng(0)
    # Wide enough that box and joint clip both bite, often and rarely.
    sd = generator.choice([0.05, 0.4], 300)
    values = {name: sd * generator.standard_normal(300) for name in layout.inputs}
    found = layout.encode_all(values)
    for client in range(300):
        mine = layout.encode({name: values[name][client] for name in layout.inputs})
        assert (found[client] == mine).all()
    assert 0.05 < (found[:, -1] > 0).mean() < 0.95


def test_noise_has_the_planned_variance() -> None:
    world = World(30, 50, 2.0, scenario=SCENARIOS["null"])
    quiet = World(30, 50, None, scenario=SCENARIOS["null"])
    (noisy,) = simulate(world, 200, np.random.default_rng(1))
    (clean,) = simulate(quiet, 200, np.random.default_rng(1))
    noise = (noisy.totals - clean.totals).ravel()
    planned = 30.0 * share_variance(world.plan())
    assert noisy.noise_variance.tolist() == [planned] * 50
    # Chi-squared with n degrees of freedom: relative sd sqrt(2 / n). Rounding adds 1/12.
    assert noise.var() == pytest.approx(planned, rel=5 * math.sqrt(2 / len(noise)))


def test_enrolled_clients_are_exactly_at_the_tolerance() -> None:
    for name in ("repeated", "skewed", "noisy-baseline"):
        (found,) = simulate(
            World(30, 2, None, scenario=SCENARIOS[name]), 50, np.random.default_rng(2)
        )
        tolerance = np.array([0.05, 0.04, 0.05, 0.05, 0.05, 0.05])
        assert np.abs(found.truth - tolerance).max() < 1e-9


def test_clients_like_these_scatter_around_the_population() -> None:
    world = World(100, 2, None, "like-these")
    (found,) = simulate(world, 400, np.random.default_rng(3))
    error = found.clean[:, 0] - found.truth[:, 0]
    sd = np.array([0.1, 0.03, math.hypot(0.05, 0.06), 0.05, 0.05, 0.05]) / 10
    assert np.abs(error.mean(axis=0)).max() < 4 * sd.max() / 20
    assert error.std(axis=0) == pytest.approx(sd, rel=0.2)


def test_what_the_bank_itself_has_is_shared_and_the_rest_each_clients_own() -> None:
    world = World(20, 2, None, "enrolled", SCENARIOS["null"], items="like-these")
    (found,) = simulate(world, 2000, np.random.default_rng(7))
    assert found.plan.monitor.items == "like-these"
    error = (found.clean - found.truth)[:, 0, found.plan.planned.index("SF-6")]
    part = found.plan.probes.size("harmful") / found.plan.bank("harmful")
    assert error.std() == pytest.approx(0.03 * math.sqrt(part + (1 - part) / 20), rel=0.06)


def test_the_same_clients_come_back() -> None:
    (found,) = simulate(World(30, 5, None, "like-these"), 20, np.random.default_rng(4))
    assert (found.totals == found.totals[:, :1]).all()


def test_late_joiners_and_drop_outs_are_missing_from_the_sums() -> None:
    late = next(
        simulate(
            World(100, 50, 8.0, scenario=SCENARIOS["late-joiners"]), 20, np.random.default_rng(5)
        )
    )
    assert late.clients[0] == 70
    assert late.clients[-1] == 100
    gone = np.concatenate(
        [
            block.clients
            for block in simulate(
                World(100, 50, 8.0, scenario=SCENARIOS["drop-outs"]), 100, np.random.default_rng(6)
            )
        ]
    )
    assert gone.mean() == pytest.approx(90, abs=0.5)


@pytest.mark.parametrize("mean, sd, clip", [(0.05, 0.1, 0.4), (0.12, 0.05, 0.15), (-0.3, 0.2, 0.2)])
def test_clipped_mean(mean: float, sd: float, clip: float) -> None:
    inner = quad(lambda x: x * norm.pdf(x, mean, sd), -clip, clip, epsabs=1e-12)[0]
    tails = clip * (norm.sf(clip, mean, sd) - norm.cdf(-clip, mean, sd))
    assert clipped_mean(mean, sd, clip) == pytest.approx(inner + tails, abs=1e-9)
