"""As many clients as a plan names fit: finer steps where a client's share of noise needs them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.audit import claim
from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise
from unsilent.release.calibration import variance_of_share
from unsilent.release.layout import Layout
from unsilent.release.noise import share_scale, share_variance, smallest_cohort
from unsilent.release.scale import LARGEST_SUM, SCALE, has_room, scale_of, sigma_at
from unsilent.release.vector import privatize


def plan(clients: int, rounds: int = 1, **privacy: Any) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": rounds},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, "dropout": 0.05, **privacy},
        }
    )


def fits(of: MonitoringPlan, scale: int) -> bool:
    """Whether a client's share can be drawn at a scale, by the rule as it always was."""
    try:
        return variance_of_share(sigma_at(of, scale), smallest_cohort(of)) >= 16
    except PlanError:
        return False


@given(
    clients=st.integers(10, 300_000),
    rounds=st.integers(1, 300),
    epsilon=st.floats(0.1, 60),
    unit=st.sampled_from(["client", "record"]),
    adjacency=st.sampled_from(["zero-out", "replace-one"]),
    aggregation=st.sampled_from(["secure-sum", "plain"]),
)
@settings(max_examples=150, deadline=None)
def test_it_is_1024_wherever_that_will_do_and_else_the_smallest_power_of_two(
    clients: int, rounds: int, epsilon: float, unit: str, adjacency: str, aggregation: str
) -> None:
    of = plan(
        clients,
        rounds,
        epsilon=epsilon,
        unit=unit,
        adjacency=adjacency,
        aggregation=aggregation,
    )
    scale = scale_of(of)
    assert Layout.from_plan(of).scale == scale == claim.steps(of)
    if fits(of, SCALE):
        assert scale == SCALE
        return
    assert math.log2(scale).is_integer() and not fits(of, scale // 2)
    if fits(of, scale):
        sd, summed = share_scale(of), clients if aggregation == "secure-sum" else 1
        assert sd >= 4 and has_room(1.0, scale, sd, summed)
        return
    # There is no room for finer steps, and the plan is refused in one sentence.
    assert not has_room(1.0, 2 * scale, 2 * sigma_at(of, scale) / 1000, clients) or (
        2 * scale > LARGEST_SUM // clients - 100
    )
    with pytest.raises(PlanError, match=r"share of the noise.*let fewer clients take part"):
        share_variance(of)


def test_plans_of_before_have_the_layout_of_before() -> None:
    assert Layout.from_plan(plan(1000)) == Layout.from_plan(plan(1000), scale=1024)
    assert Layout.from_plan(plan(100_000)).scale == 2048
    assert Layout.from_plan(plan(100_000)).digest != Layout.from_plan(plan(1000)).digest


def test_a_sum_that_could_wrap_is_refused_beforehand() -> None:
    with pytest.raises(PlanError, match="with their noise could wrap"):
        share_variance(plan(1_000_000, 200, epsilon=0.02))
    assert share_variance(plan(1_000_000, 200, epsilon=0.02, aggregation="plain")) > 16


def test_a_hundred_thousand_clients_at_epsilon_8_are_added_up_right() -> None:
    """The law of the sum, exactly: every client's vector, and the noise of every one."""
    of = plan(100_000)
    layout, clients = Layout.from_plan(of), 100_000
    sd = share_scale(of)
    generator = np.random.default_rng(5)
    means = {name: 0.3 * layout.limits[name] for name in layout.inputs if name != "model.differing"}
    values = {
        name: generator.normal(means.get(name, 0.0), 0.1 * layout.limits[name], clients)
        for name in layout.inputs
    }
    values["model.unshown"] = np.zeros(clients)
    values["model.differing"] = np.zeros(clients)
    vectors = layout.encode_all(values)
    noise = SeededNoise(7)
    total = vectors.sum(axis=0)
    for at in range(vectors.shape[1]):
        drawn = noise.sample(sd, clients)
        assert np.abs(vectors[:, at] + drawn).max() <= LARGEST_SUM // clients
        total[at] += drawn.sum()
    # As the server has it: modulo 2^32, read as signed.
    wrapped = (total.astype(np.uint64) & np.uint64(2**32 - 1)).astype(np.int64)
    assert np.array_equal(np.where(wrapped >= 2**31, wrapped - 2**32, wrapped), total)
    decoded = layout.decode(total, clients)
    exact = layout.decode(vectors.sum(axis=0), clients)
    for name in layout.names:
        spread = layout.noise_sd(name, share_variance(of) * clients, clients)
        assert abs(decoded[name] - exact[name]) < 5 * spread
        assert spread < 0.02 * layout.coordinates[layout.index(name)].clip
    # Clipping and truncation aside, the mean is that of the clients' values.
    truth = float(values["SF-1"].mean())
    assert decoded["SF-1"] == pytest.approx(truth, abs=2 * layout.step("SF-1"))


def test_a_release_at_a_finer_scale_is_made_and_read_like_any_other() -> None:
    of = plan(100_000)
    layout = Layout.from_plan(of)
    values = dict.fromkeys(layout.inputs, 0.0) | {"SF-1": 0.05}
    made = [privatize(layout, values, share_variance(of), SeededNoise(n)) for n in range(400)]
    noised = np.stack(made) - layout.encode(values)
    assert noised.std() == pytest.approx(share_scale(of), rel=0.05)
    found = layout.decode(np.sum(made, axis=0), 400)["SF-1"]
    assert found == pytest.approx(0.05, abs=5 * layout.noise_sd("SF-1", 400 * 17.0, 400) + 1e-3)
