"""Clients who were asked and are not in the sums: whoever they are, no verdict is wrong for it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.inference import judge_rounds, series_of
from unsilent.inference.bands import bands, decide
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

ASKED = 20
CODES = ("SF-1", "SF-3", "SF-6")


def enrolled(clients=ASKED, participation=1.0, rounds=1, epsilon=8.0, modes=None):
    planned = modes or {
        "amplified_bias": {"tolerance": 0.1, "clip": 0.3},
        "fairness_collapse": {"tolerance": 0.2, "clip": 1.0},
        "alignment_erosion": {"tolerance": 0.1, "clip": 0.3},
    }
    return parse_plan(
        {
            "federation": {
                "clients": clients,
                "rounds": rounds,
                "participation": participation,
            },
            "monitor": {"rounds": "every", "min_cohort": 2, "items": "these"},
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": epsilon, "aggregation": "plain"},
            "modes": planned,
        }
    )


def quiet(layout, number, values):
    """A sum without noise; ``values`` are those of the clients in it."""
    zeros = dict.fromkeys(layout.inputs, 0.0)
    vector = np.sum([layout.encode({**zeros, **each}) for each in values], axis=0)
    return Release(layout.digest, number, len(values), vector, 0.0)


NUMBERS = st.fixed_dictionaries(
    {
        "SF-1": st.floats(-0.3, 0.3),
        "SF-3": st.floats(-1, 1),
        "SF-6": st.floats(-0.3, 0.3),
    }
)


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=ASKED, max_size=ASKED), st.integers(2, ASKED))
def test_without_noise_the_mean_of_all_who_were_asked_is_inside_whoever_is_missing(all_, here):
    # Hypothesis chooses who is here and what the others would have said: no model of dropping out.
    plan = enrolled()
    layout = Layout.from_plan(plan)
    for finding in judge_rounds(plan, layout, [quiet(layout, 1, all_[:here])]):
        if finding.code not in CODES:
            continue
        truth = float(np.mean([each[finding.code] for each in all_]))
        lower, upper = finding.interval
        assert lower - 1e-9 <= truth <= upper + 1e-9
        assert not (finding.verdict == "failure" and truth <= finding.tolerance)
        assert not (finding.verdict == "healthy" and truth >= finding.tolerance)


@pytest.mark.parametrize(("seen", "unseen"), [(0.3, -0.3), (-0.3, 0.3)])
def test_the_ends_are_reached_by_some_who_are_missing(seen, unseen):
    # Five of twenty: a quarter of the mean. Neither end is wider than it has to be.
    plan = enrolled(modes={"amplified_bias": {"tolerance": 0.1, "clip": 0.3}})
    layout = Layout.from_plan(plan)
    pooled = series_of(plan, layout, [quiet(layout, 1, [{"SF-1": seen}] * 15)], "SF-1").pooled(1, 1)
    end = pooled.below if unseen < 0 else pooled.above
    assert pooled.share == 0.75
    assert float(end.centre) == pytest.approx(0.75 * seen + 0.25 * unseen, abs=1e-12)


def test_rounds_are_missed_by_clients_not_by_the_cohorts_mean():
    # 20 asked in each of two rounds, 10 and 20 came: three quarters of what was asked for is there.
    plan = enrolled(rounds=2, modes={"amplified_bias": {"tolerance": 0.1, "clip": 0.3}})
    layout = Layout.from_plan(plan)
    totals = [
        quiet(layout, 1, [{"SF-1": 0.3}] * 10),
        quiet(layout, 2, [{"SF-1": 0.15}] * 20),
    ]
    series = series_of(plan, layout, totals, "SF-1")
    pooled = series.pooled(1, 2)
    assert pooled.share == 0.75
    found = float(series.effects @ [10, 20]) / 40
    assert float(pooled.below.centre) == pytest.approx(found - 0.3 / 4)
    assert float(pooled.above.centre) == pytest.approx(found + 0.3 / 4)


def test_nobody_missing_costs_nothing():
    plan = enrolled()
    layout = Layout.from_plan(plan)
    series = series_of(plan, layout, [quiet(layout, 1, [{"SF-1": 0.05}] * ASKED)], "SF-1")
    noisy = replace(series, noise_variance=np.array([1000.0]))
    for each in (series, noisy):
        pooled = each.pooled(1, 1)
        assert pooled.share == 1.0
        for end in (pooled.below, pooled.above):
            assert end.centre == pooled.effect
            assert end.slack == pooled.slack
            assert end.sampling_sd == 0.0


def test_with_noise_drop_outs_that_differ_make_no_verdict_false_more_often_than_alpha():
    # The worst that dropping out can do to either verdict: those who are missing lie at the far
    # end of the range, and the mean of all lies exactly at the tolerance.
    plan = enrolled(clients=100, modes={"alignment_erosion": {"tolerance": 0.1, "clip": 0.3}})
    layout = Layout.from_plan(plan)
    variance, repetitions = float(share_variance(plan)) * 80, 20_000
    rng, sampling = np.random.default_rng(5), Sampling.of(plan, layout, "SF-6")
    false = {}
    for unseen in (-0.3, 0.3):
        seen = (0.1 - 0.2 * unseen) / 0.8
        noise = rng.standard_normal((3, repetitions, 1)) * math.sqrt(variance) / 80
        series = Series(
            code="SF-6",
            rounds=np.array([1]),
            clients=np.array([80]),
            asked=np.array([100]),
            noise_variance=np.array([variance]),
            effects=seen + noise[0] * sampling.step,
            spreads=np.zeros((repetitions, 1)),
            squares=np.zeros((repetitions, 1)),
            cut=noise[1] / layout.unit("clipped"),
            raised=noise[2] / layout.unit("raised"),
            sampling=sampling,
        )
        sign, _ = decide(bands(plan, series), 0.1)
        false[unseen] = np.mean(sign == (1 if unseen < 0 else -1))
    # At the one look each end has all of alpha: the two cannot err together. It is nearly reached.
    for each in false.values():
        assert 0.5 * 0.05 < each <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)


@pytest.mark.parametrize(("clients", "participation"), [(400, 0.25), (40_000, 0.01)])
@pytest.mark.parametrize("law", ["normal", "one in ten"])
def test_a_sample_of_the_enrolled_covers_the_mean_of_them_all(clients, participation, law):
    # The same cohort in each round: the worst that drawing clients can do to many rounds.
    plan = enrolled(
        clients,
        participation,
        rounds=4,
        modes={"alignment_erosion": {"tolerance": 0.1, "clip": 0.3, "weight": 0.5}},
    )
    layout, cohort = Layout.from_plan(plan), plan.taking_part
    assert "SF-6.square" in layout.names
    rng = np.random.default_rng(clients)
    sampling = Sampling.of(plan, layout, "SF-6")
    people = rng.normal(0.1, 0.1, clients).clip(-0.3, 0.3)
    if law == "one in ten":
        people = np.where(rng.random(clients) < 0.1, 0.3, 0.0)
    truth, repetitions = people.mean(), 1000
    drawn = people[np.stack([rng.permutation(clients)[:cohort] for _ in range(repetitions)])]
    variance = np.full(4, float(share_variance(plan)) * cohort)

    def released(mean, step):
        noise = rng.standard_normal((repetitions, 4)) * np.sqrt(variance)
        return mean + noise * step / cohort

    zero = np.zeros((repetitions, 1))
    series = Series(
        code="SF-6",
        rounds=np.arange(1, 5),
        clients=np.full(4, cohort),
        asked=np.full(4, cohort),
        noise_variance=variance,
        effects=released(drawn.mean(axis=1, keepdims=True), sampling.step),
        spreads=released(zero, sampling.spread_step),
        squares=released((drawn**2).mean(axis=1, keepdims=True) / 0.09, sampling.square_step),
        cut=released(zero, 1 / layout.unit("clipped")),
        raised=released(zero, 1 / layout.unit("raised")),
        sampling=sampling,
    )
    low, high = np.zeros(repetitions, bool), np.zeros(repetitions, bool)
    for last in range(1, 5):
        for band in bands(plan, series.until(last)):
            low, high = low | (band.lower > truth), high | (band.upper < truth)
    for missed in (low.mean(), high.mean()):
        assert missed <= 0.035 + 3 * math.sqrt(0.035 * 0.965 / repetitions)


@pytest.mark.parametrize("cohort", [10, 100, 399])
def test_the_variance_is_that_of_a_finite_population(cohort):
    # Cochran 1977, eq. 2.8: (1 - n / N) s^2 / n, against all that n of N clients' means can be.
    plan = enrolled(400, cohort / 400, modes={"alignment_erosion": {"tolerance": 0.1, "clip": 0.3}})
    assert plan.taking_part == cohort
    layout = Layout.from_plan(plan)
    rng = np.random.default_rng(cohort)
    people = rng.normal(0.05, 0.1, 400).clip(-0.3, 0.3)
    closed = (1 - cohort / 400) * people.var(ddof=1) / cohort
    means = [rng.permutation(people)[:cohort].mean() for _ in range(20_000)]
    assert np.var(means) == pytest.approx(closed, rel=0.05)
    sampling = Sampling.of(plan, layout, "SF-6")
    chosen = rng.permutation(people)[:cohort]
    found = sampling.variance(chosen.mean(), 0.0, (chosen**2).mean() / 0.09, 0.0, cohort)
    # Without noise it is the sample's own variance, and a step of the squares' truncation.
    own = (1 - cohort / 400) * chosen.var(ddof=1)
    step = 0.09 * sampling.square_step * (1 - cohort / 400) * cohort / (cohort - 1)
    assert float(found) == pytest.approx(own + step, rel=1e-9)


def test_all_of_the_enrolled_are_no_sample():
    plan = enrolled(400)
    layout = Layout.from_plan(plan)
    assert "SF-6.square" not in layout.names
    assert Sampling.of(plan, layout, "SF-6").source == "none"


@pytest.mark.parametrize("absent", [0.02, 0.1, 0.3, 0.45])
@pytest.mark.parametrize("unseen", [-0.9, 0.9])
@pytest.mark.parametrize("participation", [None, 0.1])
def test_who_takes_part_is_sampled_too(absent, unseen, participation):
    # Of a sample of clients the share that never answers is drawn with them. All who answer say the
    # same and those who never do lie at the end of the range: the mean of all, at the tolerance,
    # would be known exactly but for how many of either kind are in the sample.
    asked, repetitions = 100, 20_000
    federation = {"clients": asked, "rounds": 1}
    monitor = {"rounds": "every", "min_cohort": 2, "items": "these", "population": "like-these"}
    if participation:
        federation = {"clients": 1000, "rounds": 1, "participation": participation}
        del monitor["population"]
    plan = parse_plan(
        {
            "federation": federation,
            "monitor": monitor,
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": 40.0, "aggregation": "plain"},
            "modes": {"alignment_erosion": {"tolerance": 0.1, "clip": 0.9}},
        }
    )
    assert plan.taking_part == asked
    layout, share = Layout.from_plan(plan), float(share_variance(plan))
    sampling = Sampling.of(plan, layout, "SF-6")
    seen, rng = (0.1 - absent * unseen) / (1 - absent), np.random.default_rng(3)
    assert abs(seen) < 1
    gone = rng.binomial(asked, absent, repetitions)
    if participation:
        gone = rng.hypergeometric(
            round(1000 * absent), 1000 - round(1000 * absent), asked, gone.shape
        )
    false = 0
    for here, times in zip(*np.unique(asked - gone, return_counts=True), strict=True):
        noise = rng.standard_normal((5, times, 1)) * math.sqrt(share * here) / here
        series = Series(
            code="SF-6",
            rounds=np.array([1]),
            clients=np.array([here]),
            asked=np.array([asked]),
            noise_variance=np.array([share * here]),
            effects=seen + noise[0] * sampling.step,
            spreads=noise[1] * sampling.spread_step,
            squares=(seen / 0.9) ** 2 + noise[2] * sampling.square_step,
            cut=noise[3] / layout.unit("clipped"),
            raised=noise[4] / layout.unit("raised"),
            sampling=sampling,
        )
        sign, _ = decide(bands(plan, series), 0.1)
        false += int((sign == (1 if unseen < 0 else -1)).sum())
    level = 0.05
    assert false / repetitions <= level + 3 * math.sqrt(level * (1 - level) / repetitions)
