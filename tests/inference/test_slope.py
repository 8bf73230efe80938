"""How fast an effect grows, with an interval that holds at all rounds jointly."""

from dataclasses import replace

import numpy as np
import pytest

from unsilent.errors import FindingsError
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series, series_of
from unsilent.inference.slope import slope_of
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

ROUNDS = np.arange(1, 31)


def drifting(effects, sds, rounds=ROUNDS, clients=30, step=1e-9, cut=0.0, raised=0.0):
    m = len(effects)
    return Series(
        code="SF-6",
        rounds=np.asarray(rounds[:m]),
        clients=np.full(m, clients),
        asked=np.full(m, clients),
        noise_variance=(np.broadcast_to(sds, ROUNDS.shape)[:m] * clients / step) ** 2,
        effects=np.asarray(effects, dtype=float),
        spreads=np.zeros(m),
        squares=np.zeros(m),
        cut=np.full(m, cut),
        raised=np.full(m, raised),
        # The two reports are without noise here.
        sampling=Sampling("none", -0.3, 0.3, 0.3, step, 0.25, step, 0.0, 1.0, added_step=1e-30),
    )


def test_it_is_the_weighted_least_squares_slope():
    rng = np.random.default_rng(1)
    sds, effects = rng.uniform(0.01, 0.05, 30), rng.normal(0, 0.1, 30)
    expected = np.polyfit(ROUNDS, effects, 1, w=1 / sds)[0]
    assert slope_of(drifting(effects, sds), 0.05).per_round == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("planned", [None, tuple(range(1, 31))], ids=["open-ended", "horizon"])
def test_the_interval_holds_the_slope_of_the_truth_at_all_rounds_at_once(planned):
    rng, missed, repetitions = np.random.default_rng(2), 0, 100
    sds = np.linspace(0.02, 0.04, 30)
    truth = 0.15 * (1 - np.exp(-ROUNDS / 10))  # no line, and the same error in all rounds
    for _ in range(repetitions):
        effects = truth + rng.normal(0, 0.2) + rng.normal(0, sds)
        for m in (2, 3, 5, 8, 12, 16, 20, 25, 30):
            found = slope_of(drifting(effects[:m], sds), 0.1, planned)
            line = np.polyfit(ROUNDS[:m], truth[:m], 1, w=1 / sds[:m])[0]
            if not found.interval[0] <= line <= found.interval[1]:
                missed += 1
                break
    assert missed / repetitions <= 0.1 + 2.5 * (0.1 * 0.9 / repetitions) ** 0.5
    assert missed > 0


def test_a_declared_horizon_ends_near_the_fixed_interval():
    fixed = 1.645 * 0.02 / np.sqrt(((ROUNDS - 15.5) ** 2).sum())
    low, high = slope_of(drifting(np.zeros(30), 0.02), 0.1, tuple(ROUNDS)).interval
    assert fixed < (high - low) / 2 < 1.15 * fixed
    low, high = slope_of(drifting(np.zeros(30), 0.02), 0.1).interval
    assert (high - low) / 2 < 2.2 * fixed


def test_clipping_and_truncation_widen_it_by_what_they_can_tilt():
    plain = slope_of(drifting(np.zeros(30), 0.02), 0.05).interval
    cut = slope_of(drifting(np.zeros(30), 0.02, cut=0.1), 0.05).interval
    pull = (ROUNDS - 15.5) / ((ROUNDS - 15.5) ** 2).sum()
    assert cut[1] - plain[1] == pytest.approx(0.03 * pull[pull > 0].sum())
    assert plain[0] - cut[0] == pytest.approx(0.03 * pull[pull > 0].sum())
    raised = slope_of(drifting(np.zeros(30), 0.02, raised=0.1), 0.05).interval
    assert raised == pytest.approx(cut)
    coarse = slope_of(drifting(np.zeros(30), 0.02, step=1e-3), 0.05).interval
    assert coarse[1] - plain[1] == pytest.approx(1e-3 * np.abs(pull).sum(), rel=1e-3)


def test_early_looks_at_a_long_plan_have_finite_intervals():
    for m in range(2, 8):
        found = slope_of(drifting(np.zeros(m), 0.02), 0.01, tuple(range(1, 31)))
        assert np.isfinite(found.interval).all()


def test_one_round_has_no_slope():
    assert slope_of(drifting([0.1], 0.02), 0.05) is None


def test_only_planned_rounds_count():
    with pytest.raises(FindingsError, match="planned"):
        slope_of(drifting([0.1, 0.2, 0.3], 0.02), 0.05, (1, 3))


def test_clients_who_are_missing_widen_it_by_what_they_can_tilt():
    # A third is missing from round 16 on: the mean of those asked may be .1 off to either side.
    series = drifting(np.zeros(30), 0.02)
    later = replace(series, asked=np.where(ROUNDS > 15, 45, 30))
    plain, missing = (slope_of(each, 0.05).interval for each in (series, later))
    pull = (ROUNDS - 15.5) / ((ROUNDS - 15.5) ** 2).sum()
    tilt = 0.1 * pull[ROUNDS > 15].sum()
    assert missing[1] - plain[1] == pytest.approx(tilt)
    assert plain[0] - missing[0] == pytest.approx(tilt)


@pytest.mark.parametrize("participation", [0.25, 0.05])
def test_clients_who_are_drawn_anew_in_each_round_are_counted(plan_of, participation):
    # Half of the enrolled are well above the others, and nothing changes.
    rounds, missed, runs, clients = range(1, 11), 0, 60, 400
    data = plan_of(
        clients=clients, rounds=rounds, modes=("amplified_bias",), epsilon=50.0
    ).to_json()
    data["federation"]["participation"] = participation
    plan = parse_plan(data)
    layout, rng = Layout.from_plan(plan), np.random.default_rng(3)
    numbers, asked = np.where(np.arange(clients) % 2, 0.25, -0.25), plan.taking_part
    variance = float(share_variance(plan)) * asked
    for _ in range(runs):
        totals = []
        for number in rounds:
            given = {name: np.zeros(asked) for name in layout.inputs}
            given["SF-1"] = rng.permutation(numbers)[:asked]
            total = layout.encode_all(given).sum(axis=0)
            total += np.rint(rng.normal(0, variance**0.5, len(total))).astype(np.int64)
            totals.append(Release(layout.digest, number, asked, total, variance))
        low, high = slope_of(series_of(plan, layout, totals, "SF-1"), 0.05, tuple(rounds)).interval
        missed += not low <= 0 <= high
    assert missed <= 8


def test_clients_who_stay_cancel(plan_of):
    plan = plan_of(clients=40, rounds=(1, 2), modes=("amplified_bias",), population="like-these")
    layout = Layout.from_plan(plan)
    totals = [
        Release(layout.digest, n, 40, np.zeros(len(layout.names), np.int64), 1.0) for n in (1, 2)
    ]
    assert not series_of(plan, layout, totals, "SF-1").redrawn_sd.any()
