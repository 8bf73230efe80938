"""Items like these, the same for all: intervals cover the choice of probes and of records."""

import numpy as np
import pytest

from unsilent.inference import judge_rounds
from unsilent.inference.bands import bands
from unsilent.inference.power import power_table
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread
from unsilent.release.coordinate import SPREAD
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

ITEMS, CLIENTS = 64, 30
SIDE = {"horizon": 0.7, "open-ended": 0.5}
"""What either end has of the error over several rounds."""


def limit(level, runs):
    return level + 3 * (level * (1 - level) / runs) ** 0.5


def judged(plan, clients, row):
    """Findings of one round, by code; ``clients`` say their numbers, ``row`` is the noise."""
    layout = Layout.from_plan(plan)
    values = {name: np.array([c.get(name, 0.0) for c in clients]) for name in layout.inputs}
    sums = layout.encode_all(values).sum(axis=0)
    variance = float(share_variance(plan)) * len(clients)
    total = Release(layout.digest, 3, len(clients), sums + row, variance)
    return {finding.code: finding for finding in judge_rounds(plan, layout, [total])}


def noise_of(plan, repetitions, seed):
    """(repetitions, coordinates) noise of the sums."""
    names, variance = Layout.from_plan(plan).names, float(share_variance(plan))
    sd = (variance * plan.federation.clients) ** 0.5
    return SeededNoise(seed).sample(sd, repetitions * len(names)).reshape(repetitions, -1)


@pytest.mark.parametrize("alike", [1.0, 0.5])
def test_intervals_cover_the_mean_over_all_items(plan_of, alike):
    mean, found = 0.1, {}
    for items in ("these", "like-these"):
        plan = plan_of(clients=CLIENTS, weight=0.4, modes=("amplified_bias",), items=items)
        rng, covered = np.random.default_rng(7), []
        for row in noise_of(plan, 200, 8):
            # What an item does to all clients, and what it does to each.
            shared = rng.normal(0, 0.3 * alike**0.5, ITEMS)
            own = rng.normal(0, 0.3 * (1 - alike) ** 0.5, (CLIENTS, ITEMS))
            changes = mean + shared + own
            clients = [
                {"SF-1": each.mean(), "SF-1" + SPREAD: each.std(ddof=1) / ITEMS**0.5}
                for each in changes
            ]
            lower, upper = judged(plan, clients, row)["SF-1"].interval
            covered.append((lower <= mean, mean <= upper))
        found[items] = np.mean(covered, axis=0)
    # Of one look either end has all of alpha.
    assert min(found["like-these"]) >= 1 - limit(0.05, 200)
    assert sum(found["these"]) - 1 < 0.8


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("items", [20, 2000])
def test_all_rounds_hold_together_where_the_same_items_come_back(plan_of, control, items):
    repetitions, mean, sd = 2000, 0.1, 0.3 / items**0.5
    plan = plan_of(
        modes=("alignment_erosion",),
        rounds=range(1, 11),
        control=control,
        epsilon=2.0,
        items="like-these",
    )
    layout, rng = Layout.from_plan(plan), np.random.default_rng(items)
    sampling = Sampling.of(plan, layout, "SF-6")
    shape, variance = (repetitions, 10), float(share_variance(plan)) * CLIENTS
    noise = rng.standard_normal((4, *shape)) * variance**0.5 / CLIENTS
    series = Series(
        code="SF-6",
        rounds=np.arange(1, 11),
        clients=np.full(10, CLIENTS),
        asked=np.full(10, CLIENTS),
        noise_variance=np.full(10, variance),
        effects=mean + rng.normal(0, sd, (repetitions, 1)) + noise[0] * sampling.step,
        spreads=sd + noise[1] * sampling.spread_step,
        squares=np.zeros(shape),
        cut=noise[2] / layout.unit("clipped"),
        raised=noise[3] / layout.unit("raised"),
        sampling=sampling,
    )
    low, high = np.zeros(repetitions, bool), np.zeros(repetitions, bool)
    for last in range(1, 11):
        for band in bands(plan, series.until(last)):
            low, high = low | (band.lower > mean), high | (band.upper < mean)
    assert max(low.mean(), high.mean()) <= limit(0.05 * SIDE[control], repetitions)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("turned", [0.05, 0.2])
def test_all_rounds_hold_together_where_the_same_records_come_back(plan_of, control, turned):
    # No client lost anything; what their 24 records say stays in all ten rounds.
    repetitions, records, clients = 2000, 24, 30
    plan = plan_of(
        modes=("fairness_collapse",),
        rounds=range(1, 11),
        control=control,
        epsilon=8.0,
        items="like-these",
    )
    layout, rng = Layout.from_plan(plan), np.random.default_rng(7)
    sampling = Sampling.of(plan, layout, "SF-3")
    variance = float(share_variance(plan)) * clients
    noise = rng.standard_normal((4, repetitions, 10)) * variance**0.5 / clients
    counts = rng.multinomial(records, [turned, turned, 1 - 2 * turned], (repetitions, clients))
    value = np.array(
        [[confirmed_loss(a, b, records) for b in range(records + 1 - a)] + [0.0] * a
         for a in range(records + 1)]
    )  # fmt: skip
    lost, gained = counts[..., 0], counts[..., 1]
    effects = value[lost, gained].mean(axis=1, keepdims=True)
    variances = (loss_spread(lost, gained, records) ** 2).mean(axis=1, keepdims=True)
    series = Series(
        code="SF-3",
        rounds=np.arange(1, 11),
        clients=np.full(10, clients),
        asked=np.full(10, clients),
        noise_variance=np.full(10, variance),
        effects=effects + noise[0] * sampling.step,
        spreads=variances + noise[1] * sampling.spread_step,
        squares=np.zeros((repetitions, 10)),
        cut=noise[2] / layout.unit("clipped"),
        raised=noise[3] / layout.unit("raised"),
        sampling=sampling,
    )
    low, high = np.zeros(repetitions, bool), np.zeros(repetitions, bool)
    for last in range(1, 11):
        for band in bands(plan, series.until(last)):
            low, high = low | (band.lower > 0.0), high | (band.upper < 0.0)
    assert max(low.mean(), high.mean()) <= limit(0.05 * SIDE[control], repetitions)


def test_the_part_of_the_probes_does_not_shrink_with_clients_or_rounds(plan_of):
    def sampling_sd(**changes):
        (row,) = power_table(plan_of(modes=("alignment_erosion",), items="like-these", **changes))
        return row.sampling_sd, row.item_sd

    few = sampling_sd(clients=30, epsilon=50.0)
    many = sampling_sd(clients=3000, epsilon=50.0, rounds=tuple(range(1, 11)))
    assert few[0] >= few[1] > 0
    assert many[0] == pytest.approx(many[1], rel=0.02)


def test_more_probes_of_one_role_make_its_mode_sharper(plan_of):
    def mde(size):
        plan = plan_of(modes=("alignment_erosion",), items="like-these")
        sizes = plan.probes.sizes.model_copy(update={"harmful": size})
        probes = plan.probes.model_copy(update={"sizes": sizes})
        (row,) = power_table(plan.model_copy(update={"probes": probes}))
        return row.minimal_detectable_effect

    assert mde(1000) < 0.6 * mde(64)


def test_what_would_settle_names_probes(plan_of):
    plan = plan_of(clients=300, modes=("alignment_erosion",), items="like-these")
    row = noise_of(plan, 1, 5)[0]
    clients = [{"SF-6": 0.15, "SF-6" + SPREAD: 0.03}] * 300
    finding = judged(plan, clients, row)["SF-6"]
    assert finding.verdict == "undetermined"
    assert "times as many probes" in (finding.reason or "")
    assert "clients" not in (finding.reason or "")


def test_a_series_of_these_items_has_no_such_parts(plan_of):
    plan = plan_of()
    layout = Layout.from_plan(plan)
    for code in plan.planned:
        sampling = Sampling.of(plan, layout, code)
        assert not sampling.shared_sd(0.2, 1.0, 30)
        assert not sampling.redrawn_items_sd(0.2, 1.0, 30)
        assert sampling.privacy_sd(1.0) == sampling.step
