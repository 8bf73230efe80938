"""Mixed signs through the joint clip: what it adds to a mean and takes off it is paid for."""

import math
import tomllib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.inference import judge_rounds
from unsilent.inference.bands import bands, bands_with, decide, interval_of
from unsilent.inference.judge import VISIBILITY_ERROR, system_intervals, visibility_of
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series, series_of, system_series
from unsilent.inference.subgroups import gate_of
from unsilent.plan import parse_plan
from unsilent.release.coordinate import ACCURACY, LOSS, RAISED, SPREAD
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

RUNS = 40
NAMES = ("books", "films")


def shipped(name):
    return parse_plan(tomllib.loads(files("unsilent.plans").joinpath(name).read_text()))


def camps(plan, improving, camp, others, spread=0.02):
    """Clients' numbers: the first of them the camp's, the rest the others'."""
    layout, clients = Layout.from_plan(plan), plan.federation.clients
    blank = {name: spread if name.endswith(SPREAD) else 0.0 for name in layout.inputs}
    first = math.ceil(improving * clients)
    return [{**blank, **(camp if client < first else others)} for client in range(clients)]


def encoded(layout, people):
    """All clients' vectors."""
    numbers = {name: np.array([each[name] for each in people]) for name in layout.inputs}
    return layout.encode_all(numbers)


def rounds_of(plan, people, seed):
    """Sums of all planned rounds, by the product's own encoding and noise."""
    layout, rng = Layout.from_plan(plan), np.random.default_rng(seed)
    clean = encoded(layout, people).sum(axis=0)
    variance = float(share_variance(plan)) * len(people)
    return [
        Release(
            layout.digest,
            number,
            len(people),
            clean + np.rint(rng.normal(0, math.sqrt(variance), len(clean))).astype(np.int64),
            variance,
        )
        for number in plan.monitoring_rounds
    ]


def improves(plan):
    """Every mode better by its clip, SF-3 apart, which cannot be; loss and accuracy too."""
    layout = Layout.from_plan(plan)
    better = {
        code: -layout.coordinates[layout.index(code)].clip
        for code in plan.planned
        if code != "SF-3"
    }
    return {**better, LOSS: -0.8, ACCURACY: -0.3}


# The share that improves brings the mean of SF-1 just below the tolerance.
@pytest.mark.parametrize(
    ("name", "improving"),
    [
        ("fleet.toml", 0.376),
        pytest.param("lm.toml", 0.31, marks=pytest.mark.long),
        ("starter.toml", 0.3),
    ],
)
def test_a_camp_that_improves_makes_no_failure_of_the_others(name, improving):
    plan = shipped(name)
    layout = Layout.from_plan(plan)
    clip = layout.coordinates[layout.index("SF-1")].clip
    people = camps(plan, improving, improves(plan), {"SF-1": clip})
    truth = float(np.mean([each["SF-1"] for each in people]))
    tolerance = plan.mode("amplified_bias").tolerance
    assert truth <= tolerance
    # What the clip does here: without noise the mean of the released numbers is a failure.
    clean = encoded(layout, people).sum(axis=0)
    assert layout.decode(clean, len(people))["SF-1"] > tolerance
    false = missed = 0
    for seed in range(RUNS):
        finding = judge_rounds(plan, layout, rounds_of(plan, people, seed))[0]
        false += finding.verdict == "failure"
        missed += not finding.interval[0] <= truth <= finding.interval[1]
    # Alpha is over six modes: of 40 runs two are wrong by chance in fewer than one case in twenty.
    assert max(false, missed) <= 1


@pytest.mark.parametrize(
    "improving",
    [pytest.param(0.1, marks=pytest.mark.long), 0.3, pytest.param(0.5, marks=pytest.mark.long)],
)
def test_no_metric_is_called_loud_for_those_that_the_clip_raised(improving):
    # A share gains much in all modes and in loss and accuracy; the rest lose a little of both.
    plan = shipped("fleet.toml")
    layout = Layout.from_plan(plan)
    loss, accuracy = (0.8 * improving / (1 - improving) - 0.003, 0.3 * improving / (1 - improving))
    others = {LOSS: min(loss, 1.0), ACCURACY: min(accuracy, 0.5) - 0.003}
    people = camps(plan, improving, improves(plan), others)
    truths = [float(np.mean([each[metric] for each in people])) for metric in (LOSS, ACCURACY)]
    assert max(truths) < plan.monitor.margin
    loud = missed = 0
    for seed in range(RUNS):
        found = system_intervals(plan, layout, rounds_of(plan, people, seed))
        loud += any(visibility_of(each, plan.monitor.margin) == "loud" for each in found.values())
        missed += any(
            not low <= truth <= high
            for each in found.values()
            for truth, (low, high) in zip(truths, each, strict=True)
        )
    # Each bound is at 1% over all windows and rounds, of two metrics and two sides: 4%.
    assert loud <= 1
    assert missed <= 4


def two_domains(clients=60, **mode):
    planned = {"tolerance": 0.1, "clip": 0.3, "weight": 0.9, "subgroups": list(NAMES), **mode}
    others = {"tolerance": 0.1, "clip": 0.3, "weight": 0.9}
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 2},
            "monitor": {"rounds": "every", "min_cohort": 2, "items": "these"},
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": 20.0, "aggregation": "plain"},
            "modes": {
                "amplified_bias": planned,
                "adaptation_misalignment": others,
                "alignment_erosion": others,
            },
        }
    )


def test_a_domain_is_not_said_to_fail_for_clients_whom_the_clip_raised():
    plan = two_domains()
    layout = Layout.from_plan(plan)
    # A third improve in all modes and in both domains, the others get worse within one.
    better = {"SF-1": -0.3, "SF-4": -0.3, "SF-6": -0.3, "SF-1/books": -0.3, "SF-1/films": -0.3}
    people = camps(plan, 0.34, better, {"SF-1/books": 0.29}, spread=0.0)
    truth = {name: float(np.mean([each[f"SF-1/{name}"] for each in people])) for name in NAMES}
    assert 0.05 < truth["books"] <= 0.1
    clean = encoded(layout, people).sum(axis=0)
    assert layout.decode(clean, len(people))["SF-1/books"] > 0.1
    false = missed = 0
    for seed in range(RUNS):
        found = gate_of(plan, layout, rounds_of(plan, people, seed), "SF-1").subgroups
        false += found[0].verdict == "failure"
        missed += any(not g.interval[0] <= truth[g.group] <= g.interval[1] for g in found)
    assert max(false, missed) <= 1


def cut_alike(looks):
    """A plan, and noisy rounds of it in which clipping moved the mean by all that is reported."""
    modes = {
        name: {"tolerance": 0.1, "clip": 0.3, "weight": 0.9}
        for name in ("amplified_bias", "alignment_erosion")
    }
    plan = parse_plan(
        {
            "federation": {"clients": 100, "rounds": looks},
            "monitor": {"rounds": "every", "min_cohort": 2, "items": "these"},
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": 8.0, "aggregation": "plain"},
            "modes": modes,
        }
    )
    layout, rng, shape = Layout.from_plan(plan), np.random.default_rng(6), (20_000, looks)
    variance = float(share_variance(plan)) * 100
    sampling = Sampling.of(plan, layout, "SF-6")

    def rounds(effect, cut, raised):
        noise = rng.standard_normal((3, *shape)) * math.sqrt(variance) / 100
        return Series(
            code="SF-6",
            rounds=np.arange(1, looks + 1),
            clients=np.full(looks, 100),
            asked=np.full(looks, 100),
            noise_variance=np.full(looks, variance),
            effects=effect + noise[0] * sampling.step,
            spreads=np.zeros(shape),
            squares=np.zeros(shape),
            cut=cut + noise[1] / layout.unit("clipped"),
            raised=raised + noise[2] / layout.unit("raised"),
            sampling=sampling,
        )

    return plan, rounds


@pytest.mark.parametrize("looks", [1, 4])
@pytest.mark.parametrize("moved", [0.05, 0.3, 0.8])
def test_where_clipping_moves_a_mean_by_all_that_is_reported_each_end_errs_as_it_says(moved, looks):
    # The truth is at the tolerance, the released mean lies off it by all of the report. At one look
    # either verdict has all of the mode's error, as the other cannot be false with it.
    plan, rounds = cut_alike(looks)
    error = 0.05 / 2 * (1.0 if looks == 1 else 0.7)
    for sign in (-1, 1):
        cut, raised = (moved, 0.0) if sign < 0 else (0.0, moved)
        series = rounds(0.1 + sign * 0.3 * moved, cut, raised)
        wrong = np.zeros(20_000, dtype=bool)
        for look in range(1, looks + 1):
            found, _ = decide(bands(plan, series.until(look)), 0.1)
            wrong |= found == sign
        assert wrong.mean() <= error + 3 * math.sqrt(error / 20_000)
        # At one look all of the error is spent, but for truncation: no end pays for more than it
        # was told.
        assert looks > 1 or wrong.mean() > 0.6 * error


NUMBERS = st.fixed_dictionaries(
    {
        **{code: st.floats(-2, 2) for code in ("SF-1", "SF-2", "SF-4", "SF-5", "SF-6")},
        "SF-3": st.sampled_from([0.0, 1.0]),
        LOSS: st.floats(-3, 1),
        ACCURACY: st.floats(-1, 0.5),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, min_size=4, max_size=12), st.sampled_from(["lm.toml", "starter.toml"]))
def test_without_noise_no_clients_whatever_bring_a_mean_out_of_its_interval(people, name):
    plan = shipped(name)
    layout = Layout.from_plan(plan)
    blank = dict.fromkeys(layout.inputs, 0.0)
    vector = encoded(layout, [{**blank, **each} for each in people]).sum(axis=0)
    number = plan.monitoring_rounds[0]
    total = Release(layout.digest, number, len(people), vector, 0.0)
    for code in plan.planned:
        series = series_of(plan, layout, [total], code)
        low, high = series.lower, series.upper
        truth = np.mean([np.clip(each.get(code, 0.0), low, high) for each in people])
        # Of those in the sum: what the missing may do is another test's.
        pooled = series.pooled(number, number)
        raised = float(series.raised[0]) if low < 0 else 0.0
        least = pooled.effect - series.sampling.clip * raised
        most = pooled.effect + series.sampling.clip * pooled.clipped
        assert least - pooled.slack - 1e-9 <= truth <= most + pooled.slack + 1e-9
    for metric in (LOSS, ACCURACY):
        series = system_series(layout, [total], metric)
        truth = np.mean([np.clip(each[metric], series.lower, series.upper) for each in people])
        (band,) = bands_with(plan, series, VISIBILITY_ERROR, VISIBILITY_ERROR)
        lower, upper = interval_of(band)
        assert lower - 1e-9 <= truth <= upper + 1e-9


def test_who_is_not_clipped_reports_nothing_and_loses_nothing():
    plan = shipped("starter.toml")
    layout = Layout.from_plan(plan)
    values = {**dict.fromkeys(layout.inputs, 0.0), "SF-1": -0.05, "SF-6": 0.05}
    vector = layout.encode(values)
    found = layout.decode(vector, 1)
    assert found[RAISED] == found["clipped"] == 0
    for code in ("SF-1", "SF-6"):
        step = layout.coordinates[layout.index(code)].clip / layout.unit(code)
        assert found[code] == pytest.approx(values[code], abs=step)


def test_where_the_unit_is_a_record_nothing_is_raised_and_no_end_pays_for_it():
    data = shipped("starter.toml").to_json()
    data["privacy"]["unit"] = "record"
    data["federation"]["clients"] = 6
    data["monitor"]["min_cohort"] = 2
    plan = parse_plan(data)
    layout = Layout.from_plan(plan)
    assert RAISED not in layout.names
    people = camps(plan, 0.5, improves(plan), {"SF-1": 0.1})
    series = series_of(plan, layout, rounds_of(plan, people, 1)[:1], "SF-1")
    assert series.sampling.added_step == 0.0
    pooled = series.pooled(*[int(series.rounds[0])] * 2)
    assert pooled.share == 1.0
    assert float(pooled.below.centre) == float(pooled.effect)
    assert float(pooled.below.privacy_sd) == float(pooled.privacy_sd)
