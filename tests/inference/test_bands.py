"""Bands: what the intervals of all windows and rounds promise together, by seeded simulation."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.inference.planned import planned_value
from unsilent.errors import FindingsError, PlanError
from unsilent.inference.ahead import Later
from unsilent.inference.bands import (
    bands,
    decide,
    errors_of,
    windows,
)
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance

SIDE = {"horizon": 0.7, "open-ended": 0.5}
"""What either end has of a mode's error over several rounds; of a truth that changes sides both may
be wrong, which is why it is less than all."""


def limit(level, runs=2000):
    return level + 3 * math.sqrt(level * (1 - level) / runs)


def series_of(plan, code, people, cohorts, rng):
    """Noisy sums of clients with given values, (repetitions, clients), in each round's cohort.

    ``cohorts`` is (rounds, clients) of true and false, or None for all clients in all rounds.
    """
    repetitions, count = people.shape
    rounds = plan.monitoring_rounds
    member = np.ones((len(rounds), count), bool) if cohorts is None else cohorts
    layout = Layout.from_plan(plan)
    sampling = Sampling.of(plan, layout, code)
    clients = member.sum(axis=1)
    variance = float(share_variance(plan)) * clients

    def released(values, step):
        noise = rng.standard_normal((repetitions, len(rounds))) * np.sqrt(variance)
        return (values @ member.T + noise * step) / clients

    nothing = np.zeros_like(people)
    return Series(
        code=code,
        rounds=np.array(rounds),
        clients=clients,
        # Whoever is not in a cohort was not asked: what the missing cost is another test's.
        asked=clients,
        noise_variance=variance,
        effects=released(people, sampling.step),
        spreads=released(nothing, sampling.spread_step),
        squares=released((people / sampling.clip) ** 2, sampling.square_step),
        # Nobody is clipped, and both reports carry noise of their own.
        cut=released(nothing, layout.noise_sd("clipped", 1.0, 1)),
        raised=released(nothing, layout.noise_sd("raised", 1.0, 1)),
        sampling=sampling,
    )


def single(series, repetition):
    """One repetition of a simulated series."""
    names = ("effects", "spreads", "squares", "cut", "raised")
    return replace(series, **{name: getattr(series, name)[repetition] for name in names})


def misses(plan, series, truth):
    """How often any interval of any window at any round misses, below and above."""
    low, high = False, False
    for last in series.rounds:
        for band in bands(plan, series.until(int(last))):
            low, high = low | (band.lower > truth), high | (band.upper < truth)
    return np.mean(low), np.mean(high)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
def test_enrolled_clients_are_covered_at_all_rounds_jointly(plan_of, control):
    plan = plan_of(modes=("alignment_erosion",), rounds=range(1, 21), control=control, epsilon=2.0)
    people = np.full((2000, 30), 0.1)
    low, high = misses(plan, series_of(plan, "SF-6", people, None, np.random.default_rng(1)), 0.1)
    assert max(low, high) <= limit(0.05 * SIDE[control])


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("clients", [10, 100])
def test_clients_like_these_are_covered_too(plan_of, control, clients):
    plan = plan_of(
        clients=clients,
        modes=("alignment_erosion",),
        rounds=range(1, 11),
        control=control,
        population="like-these",
    )
    rng = np.random.default_rng(clients)
    people = rng.normal(0.1, 0.06, (2000, clients)).clip(-0.3, 0.3)
    low, high = misses(plan, series_of(plan, "SF-6", people, None, rng), 0.1)
    assert max(low, high) <= limit(0.05 * SIDE[control])


def test_drop_outs_and_late_joiners_do_not_break_the_promise(plan_of):
    plan = plan_of(
        clients=40,
        modes=("alignment_erosion",),
        rounds=range(1, 11),
        population="like-these",
    )
    rng = np.random.default_rng(4)
    cohorts = rng.random((10, 40)) < 0.8
    cohorts[:5, 25:] = False  # fifteen come in the sixth round
    people = rng.normal(0.1, 0.06, (2000, 40)).clip(-0.3, 0.3)
    low, high = misses(plan, series_of(plan, "SF-6", people, cohorts, rng), 0.1)
    assert max(low, high) <= limit(0.05 * SIDE["horizon"])


@pytest.mark.parametrize("code", ["SF-3", "SF-6"])
@pytest.mark.parametrize("clients", [10, 30, 100])
def test_no_health_is_read_from_a_sample_without_the_few_who_carry_the_effect(
    plan_of, code, clients
):
    # Little noise, and an eighth of the clients as bad as can be: a quarter of the samples of
    # ten hold none of them.
    plan = plan_of(clients=clients, rounds=(1, 2, 3), population="like-these", epsilon=50.0)
    rng = np.random.default_rng(clients)
    most = 0.3 if code == "SF-6" else 1.0
    people = (rng.random((4000, clients)) < 0.125) * most
    low, high = misses(plan, series_of(plan, code, people, None, rng), 0.125 * most)
    assert max(low, high) <= limit(0.05 / 6 * SIDE["horizon"], 4000)


def test_a_simulation_and_a_single_run_get_the_same_bands(plan_of):
    plan = plan_of(rounds=range(1, 6), population="like-these")
    rng = np.random.default_rng(6)
    many = series_of(plan, "SF-1", rng.normal(0.1, 0.05, (7, 30)), None, rng)
    for repetition in range(7):
        alone = single(many, repetition)
        for one, all_ in zip(bands(plan, alone), bands(plan, many), strict=True):
            assert float(one.lower) == pytest.approx(all_.lower[repetition], abs=1e-12)
            assert float(one.upper) == pytest.approx(all_.upper[repetition], abs=1e-12)


def test_alpha_is_shared_by_weight_and_all_of_it(plan_of):
    plan = plan_of(rounds=(1, 2))
    modes = plan.modes.model_copy(
        update={"amplified_bias": plan.modes.amplified_bias.model_copy(update={"alpha_weight": 3})}
    )
    plan = plan.model_copy(update={"modes": modes})
    levels = {code: [e.level for e in errors_of(plan, code)] for code in plan.planned}
    # A window's lower end and its upper one cannot both say something false: each has all of it.
    assert levels["SF-1"] == pytest.approx([0.05 * 3 / 8] * 2)
    assert np.sum(list(levels.values()), axis=0) == pytest.approx([0.05, 0.05])
    assert planned_value(plan, "SF-1") < planned_value(plan, "SF-2")
    with pytest.raises(PlanError, match="not planned"):
        errors_of(plan_of(modes=("amplified_bias",)), "SF-6")


def test_windows_count_judged_rounds_not_planned_ones():
    assert windows(np.array([2, 3, 7, 9, 10])) == ((2, 10), (3, 10), (9, 10), (10, 10))


class Shown:
    """A band as far as a verdict needs it."""

    def __init__(self, lower, upper):
        self.lower, self.upper = np.asarray(lower), np.asarray(upper)


@pytest.mark.parametrize(
    ("ends", "verdict", "shown"),
    [
        ([(0.11, 0.2), (0.0, 0.3), (0.12, 0.5)], 1, 2),  # any window, the highest lower end
        ([(-0.1, 0.05), (-0.2, 0.09), (-0.5, 0.4)], -1, 1),  # guards only
        ([(-0.1, 0.05), (-0.2, 0.11), (-0.5, 0.4)], 0, 1),  # the recent guard is open
        ([(-0.1, 0.15), (-0.2, 0.11), (-0.5, 0.4)], 0, 0),
        ([(0.1, 0.2), (-0.2, 0.1)], 0, 0),  # an end at the tolerance decides nothing
        ([(-0.1, 0.09)], -1, 0),
    ],
)
def test_the_verdict_and_the_window_that_shows_it(ends, verdict, shown):
    found = decide(tuple(Shown(*pair) for pair in ends), 0.1)
    assert (int(found[0]), int(found[1])) == (verdict, shown)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_verdict_comes_from_what_is_no_number(bad):
    with pytest.raises(FindingsError, match="finite"):
        decide((Shown(0.0, bad),), 0.1)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("guard", [0, 1])
@pytest.mark.parametrize("side", [0, 1])
def test_what_later_rounds_will_reach_is_what_they_reach(plan_of, control, guard, side):
    plan = plan_of(rounds=range(1, 13), control=control)
    people = np.full((1, 30), 0.05)
    whole = single(series_of(plan, "SF-6", people, None, np.random.default_rng(7)), 0)
    promised = Later(plan, whole.until(5), guard, side)
    assert len(promised) == 7
    length = 5 if guard == 0 else 4

    def end(looks):
        band = bands(plan, whole.until(looks))[guard]
        return band, (band.pooled.below, band.pooled.above)[side].privacy_sd

    now = end(5)[1]
    for more, value in enumerate(promised, start=1):
        band, sd = end(5 + more)
        expected = float(band.reach[side] * sd)
        assert value * now * math.sqrt(length / (length + more)) == pytest.approx(expected)


def test_a_round_that_was_not_planned_is_refused(plan_of):
    plan, other = plan_of(rounds=(1, 2)), plan_of(rounds=(1, 2, 3))
    series = series_of(other, "SF-6", np.zeros((1, 30)), None, np.random.default_rng(0))
    with pytest.raises(FindingsError, match="round 3 is not a monitoring round"):
        bands(plan, series)
