import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import binomtest

from unsilent.errors import FindingsError, PlanError
from unsilent.inference.estimate import (
    released_range,
)
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import estimate_mode, series_of, system_series
from unsilent.modes import FIRST, MODES
from unsilent.release.layout import Layout
from unsilent.release.release import Release

Z = NormalDist().inv_cdf(0.95)


def test_without_noise_the_effect_is_the_mean_up_to_truncation(plan_of, summed):
    plan = plan_of()
    values = np.linspace(-0.1, 0.2, 30)
    total = summed(plan, [{"SF-1": v, "SF-6": -v} for v in values], None)
    layout = Layout.from_plan(plan)
    found = estimate_mode(plan, layout, total, "SF-1")
    assert found.truncation == pytest.approx(0.3 / 512)
    assert abs(found.effect - values.mean()) <= found.truncation
    assert found.privacy_sd == 0.0
    assert estimate_mode(plan, layout, total, "SF-6").effect == pytest.approx(
        -values.mean(), abs=found.truncation
    )


def test_privacy_sd_is_that_of_the_decoded_mean(plan_of, summed):
    plan, layout = plan_of(), Layout.from_plan(plan_of())
    found = [
        estimate_mode(plan, layout, summed(plan, [{"SF-1": 0.1}] * 30, seed), "SF-1")
        for seed in range(300)
    ]
    assert np.std([f.effect for f in found]) == pytest.approx(found[0].privacy_sd, rel=0.15)
    assert np.mean([f.effect for f in found]) == pytest.approx(0.1, abs=0.005)


def test_privacy_sd_counts_the_noise_present_not_the_planned(plan_of, summed):
    plan = plan_of()
    total = summed(plan, [{}] * 30, 1)
    twice = Release(total.layout, 3, 30, total.vector, 4 * total.noise_variance)
    layout = Layout.from_plan(plan)
    once, more = (estimate_mode(plan, layout, t, "SF-2").privacy_sd for t in (total, twice))
    assert more == pytest.approx(2 * once)


def test_public_probes_on_enrolled_clients_have_no_sampling_part(plan_of, summed):
    plan = plan_of()
    total = summed(plan, [{"SF-1.spread": 0.04}] * 30, None)
    found = estimate_mode(plan, Layout.from_plan(plan), total, "SF-1")
    assert found.sampling_sd == 0.0
    pooled = series_of(plan, Layout.from_plan(plan), [total], "SF-1").pooled(3, 3)
    assert math.isinf(pooled.below.degrees_of_freedom)
    assert math.isinf(pooled.above.degrees_of_freedom)
    assert found.item_sd == pytest.approx(0.04, abs=0.25 / 204)


def test_a_negative_noisy_spread_is_reported_as_zero(plan_of, summed):
    plan, layout = plan_of(epsilon=1.0), Layout.from_plan(plan_of(epsilon=1.0))
    found = [
        estimate_mode(plan, layout, summed(plan, [{}] * 10, seed), "SF-1").item_sd
        for seed in range(20)
    ]
    assert min(found) == 0.0 < max(found)


def test_private_records_add_a_sampling_part_that_covers_theirs(plan_of, summed):
    plan, layout = plan_of(), Layout.from_plan(plan_of())
    spreads = [0.0] * 15 + [0.2] * 15
    clients = [{"SF-3": 0.0, "SF-3.spread": s} for s in spreads]
    true_sd = math.sqrt(np.mean(np.square(spreads)) / 30)
    found = [
        estimate_mode(plan, layout, summed(plan, clients, seed), "SF-3").sampling_sd
        for seed in range(100)
    ]
    assert np.mean([sd >= true_sd for sd in found]) >= 0.95


@pytest.mark.parametrize("spread", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("items", ["these", "like-these"])
def test_of_private_records_the_mean_variance_is_released_and_used_as_it_is(
    plan_of, summed, spread, items
):
    plan = plan_of(modes=("fairness_collapse",), items=items)
    layout = Layout.from_plan(plan)
    # Half of the clients twice as unsure: a mean of spreads would bound their variances only.
    spreads = [spread / 2] * 15 + [spread] * 15
    clients = [{"SF-3": 0.0, "SF-3.spread": each} for each in spreads]
    found = estimate_mode(plan, layout, summed(plan, clients, None), "SF-3")
    step = layout.coordinates[layout.index("SF-3.variance")].clip / layout.unit("SF-3.variance")
    own = np.mean(np.square(spreads))
    assert own <= found.sampling_sd**2 * 30 <= own + step
    # They are records of single clients; no choice of items is shared by all.
    assert found.item_sd == found.shared_sd == 0.0


def test_a_share_is_never_certain_because_its_noisy_mean_is_negative(plan_of, summed):
    plan, layout = plan_of(), Layout.from_plan(plan_of())
    found = [
        estimate_mode(plan, layout, summed(plan, [{"SF-3.spread": 0.05}] * 30, seed), "SF-3")
        for seed in range(40)
    ]
    below = [f for f in found if f.effect < 0]
    assert below
    assert all(f.sampling_sd > 0 for f in below)


def test_dispersion_over_clients_is_debiased_then_bounded(plan_of, summed):
    plan = plan_of(population="like-these")
    layout = Layout.from_plan(plan)
    values = np.random.default_rng(5).normal(0.05, 0.06, 30).clip(-0.3, 0.3)
    total = summed(plan, [{"SF-1": v} for v in values], None)
    quiet = estimate_mode(plan, layout, total, "SF-1")
    pooled = series_of(plan, layout, [total], "SF-1").pooled(3, 3)
    assert pooled.below.degrees_of_freedom == pooled.above.degrees_of_freedom == 29
    assert quiet.sampling_sd == pytest.approx(values.std(ddof=1) / math.sqrt(30), rel=0.06)
    noisy = [
        estimate_mode(
            plan, layout, summed(plan, [{"SF-1": v} for v in values], seed), "SF-1"
        ).sampling_sd
        for seed in range(200)
    ]
    assert np.mean([sd >= 0.99 * quiet.sampling_sd for sd in noisy]) >= 0.92


def test_no_variance_passes_what_the_clip_allows(plan_of, summed):
    plan = plan_of(population="like-these", epsilon=0.5)
    layout = Layout.from_plan(plan)
    for seed in range(20):
        found = estimate_mode(plan, layout, summed(plan, [{}] * 10, seed), "SF-1")
        assert found.sampling_sd <= 0.3 / math.sqrt(10) + 1e-12


def test_the_variance_of_a_share_is_bounded_at_its_wilson_limit(plan_of, summed):
    plan = plan_of(population="like-these")
    clients = [{"SF-3": 1.0}] * 3 + [{}] * 27
    found = estimate_mode(plan, Layout.from_plan(plan), summed(plan, clients, None), "SF-3")
    p, n = 0.1, 30
    moment = p * (1 - p) * n / (n - 1)
    wilson = (p + Z**2 / (2 * n) + Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))) / (
        1 + Z**2 / n
    )
    assert moment < wilson * (1 - wilson)
    assert found.sampling_sd == pytest.approx(math.sqrt(moment / n), rel=0.03)


def test_system_metrics_are_decoded_with_their_noise(plan_of, summed):
    plan, layout = plan_of(), Layout.from_plan(plan_of())
    total = summed(plan, [{"system.loss": -0.2, "system.accuracy": 0.06}] * 30, 7)
    for name, value in (("system.loss", -0.2), ("system.accuracy", 0.06)):
        found = system_series(layout, [total], name).window(3, 3)
        assert found.effect == pytest.approx(value, abs=5 * found.privacy_sd)
        assert found.privacy_sd == pytest.approx(
            layout.noise_sd(name, total.noise_variance, 30), rel=1e-12
        )


def test_nothing_is_hidden_when_nobody_is_clipped(plan_of, summed):
    plan, layout = plan_of(), Layout.from_plan(plan_of())
    total = summed(plan, [{"SF-1": 0.1}] * 30, None)
    pooled = series_of(plan, layout, [total], "SF-1").pooled(3, 3)
    assert pooled.below.centre == pooled.above.centre == pooled.effect


@pytest.mark.parametrize("failing", [1, 12, 30])
def test_what_the_joint_clip_hid_is_bounded_also_where_few_clients_fail(plan_of, summed, failing):
    plan, layout = plan_of(weight=0.9), Layout.from_plan(plan_of(weight=0.9))
    loud = {code: 0.3 for code in FIRST if code != "SF-3"}
    total = summed(plan, [loud] * failing + [{"SF-1": 0.05}] * (30 - failing), None)
    seen = series_of(plan, layout, [total], "SF-1").pooled(3, 3)
    truth = (0.3 * failing + 0.05 * (30 - failing)) / 30
    assert seen.effect < truth
    bound = seen.above.centre + seen.above.slack
    assert truth <= bound <= truth + 0.002
    # Nobody was raised, so that the lower end pays nothing.
    assert seen.below.centre == seen.effect


def test_a_clip_that_cuts_a_share_short_is_refused(plan_of, monkeypatch):
    # None of ours is a share of clients; a mode that is added on public probes may be.
    monkeypatch.setattr(type(MODES["SF-6"]), "range", (0.0, 1.0))
    with pytest.raises(PlanError, match="Set it to 1"):
        released_range(plan_of(modes=("alignment_erosion",)), "SF-6")


def test_what_can_be_released_is_the_range_within_the_clip(plan_of):
    plan = plan_of(modes=("amplified_bias", "fairness_collapse"))
    assert released_range(plan, "SF-1") == (-0.3, 0.3)
    assert released_range(plan, "SF-3") == (-1.0, 1.0)
    assert released_range(plan, "SF-6") == (-1.0, 1.0)


def test_another_layout_and_an_empty_sum_are_refused(plan_of, summed):
    plan = plan_of()
    other = plan_of(tolerance=0.05, clip=0.2)
    with pytest.raises(FindingsError, match="another layout"):
        estimate_mode(plan, Layout.from_plan(plan), summed(other, [{}] * 30, None), "SF-1")
    layout = Layout.from_plan(plan)
    with pytest.raises(FindingsError, match="no client"):
        estimate_mode(plan, layout, Release.zero(layout, 3), "SF-1")


@pytest.mark.parametrize("clients", [10, 300])
@pytest.mark.parametrize("seen", [0, 2])
def test_what_few_clients_carry_is_bounded_as_clopper_and_pearson_do(plan_of, clients, seen):
    plan = plan_of(population="like-these")
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-6")  # within 0.3
    mean = 0.3 * seen / clients
    span = 0.3 - mean
    reach = float(sampling.rare(mean, span**2 * seen / clients, 0.0, 0.002, clients))
    exact = binomtest(seen, clients).proportion_ci(0.996, "exact").high
    assert reach == pytest.approx(span * (exact - seen / clients), rel=1e-8)


def test_with_many_clients_a_skewed_sample_reaches_as_a_normal_one(plan_of):
    plan = plan_of(population="like-these")
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-6")
    reach = float(sampling.rare(0.0, 0.05**2, 0.0, 0.002, 1e6))
    assert reach == pytest.approx(NormalDist().inv_cdf(0.998) * 0.05 / 1e3, rel=0.02)
