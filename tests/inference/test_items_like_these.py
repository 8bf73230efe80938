"""A plan about items like these: intervals cover the choice of probes and of private records."""

import numpy as np
import pytest
from unsilent_bench.fleet.statistics import left_behind

from unsilent.inference import judge_rounds
from unsilent.inference.bands import bands
from unsilent.inference.mistaken import mistaken_ratio
from unsilent.inference.power import power_table
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series
from unsilent.modes.sf3_fairness_collapse import LEFT_BEHIND
from unsilent.plan import parse_plan
from unsilent.release.layout import SPREAD, Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

ITEMS, CLIENTS = 64, 30


def judged(plan, clients, row):
    """Findings of one round, by code; ``clients`` say their numbers, ``row`` is the noise."""
    layout = Layout.from_plan(plan)
    sums = np.sum(
        [layout.encode({**dict.fromkeys(layout.inputs, 0.0), **each}) for each in clients], axis=0
    )
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
            covered.append(lower <= mean <= upper)
        found[items] = np.mean(covered)
    assert found["like-these"] >= 0.95 - 2.5 * (0.05 * 0.95 / 200) ** 0.5
    assert found["these"] < 0.8


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
    assert low.mean() <= 0.04 + 3 * (0.04 * 0.96 / repetitions) ** 0.5
    assert high.mean() <= 0.01 + 3 * (0.01 * 0.99 / repetitions) ** 0.5


@pytest.mark.parametrize("records", [24, 96])
@pytest.mark.parametrize("turned", [0.05, 0.3])
def test_finite_records_mistake_no_more_clients_than_their_spreads_say(records, turned):
    # All clients have the same loss, so that no error of one cancels another's.
    rng = np.random.default_rng(records)
    for loss in (0.0, 0.03, 0.06, 0.09, 0.115, 0.119, 0.121, 0.125, 0.15, 0.2, 0.3):
        draw = rng.random((20_000, records))
        before = (draw < loss + turned).astype(float)
        after = ((draw >= loss + turned) & (draw < loss + 2 * turned)).astype(float)
        value, spread = left_behind(before, after)
        mistaken = abs(value.mean() - (loss > LEFT_BEHIND))
        assert mistaken <= mistaken_ratio(records) * spread.mean() + 0.01


@pytest.mark.parametrize("beside", [0.7, 1.0])
def test_the_joint_clip_leaves_what_covers_the_mistakes_that_it_leaves(plan_of, beside):
    # The other modes fail too, so that every client's vector is cut, and most if it is in the tail.
    layout = Layout.from_plan(plan_of(items="like-these"))
    rng = np.random.default_rng(11)
    for loss in (0.0, 0.06, 0.09, 0.115, 0.119, 0.121, 0.125, 0.15, 0.2):
        draw = rng.random((20_000, 96))
        before = (draw < loss + 0.1).astype(float)
        after = ((draw >= loss + 0.1) & (draw < loss + 0.2)).astype(float)
        value, spread = left_behind(before, after)
        others = {
            name: np.full(len(value), beside * layout.coordinates[layout.index(name)].clip)
            for name in layout.inputs
        }
        vectors = layout.encode_all(others | {"SF-3": value, "SF-3" + SPREAD: spread})
        found = layout.decode(vectors.sum(axis=0), len(vectors))
        assert found["clipped"] > 0.1
        truth = loss > LEFT_BEHIND
        mistaken = mistaken_ratio(96) * found["SF-3" + SPREAD] + 0.01
        assert found["SF-3"] - mistaken <= truth
        assert truth <= found["SF-3"] + mistaken + found["clipped"]


def test_a_share_is_covered_where_a_camp_lies_just_below_the_threshold(plan_of):
    # Half of the clients lose 11 points: none is truly left behind, many seem to be.
    plan = plan_of(clients=60, modes=("fairness_collapse",), items="like-these", epsilon=50.0)
    rng, covered = np.random.default_rng(3), []
    for row in noise_of(plan, 100, 4):
        draw = rng.random((60, 24))
        loss = np.where(np.arange(60) < 30, 0.11, -0.2)[:, None]
        before = (draw < np.maximum(loss, 0) + 0.1).astype(float)
        after = ((draw >= np.maximum(loss, 0) + 0.1) & (draw < abs(loss) + 0.2)).astype(float)
        value, spread = left_behind(before, after)
        clients = [{"SF-3": v, "SF-3" + SPREAD: s} for v, s in zip(value, spread, strict=True)]
        finding = judged(plan, clients, row)["SF-3"]
        covered.append(finding.interval[0] <= 0.0)
        assert finding.effect > 0.1
    assert np.mean(covered) == 1.0


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_all_rounds_hold_together_where_records_mistake_as_much_as_they_can(
    plan_of, control, share
):
    # All mistakes are to one side: what is read off the noisy spreads has no room to spare.
    repetitions, spread = 2000, 0.05
    plan = plan_of(
        clients=CLIENTS,
        modes=("fairness_collapse",),
        rounds=range(1, 11),
        control=control,
        epsilon=2.0,
        items="like-these",
    )
    layout, rng = Layout.from_plan(plan), np.random.default_rng(7)
    sampling = Sampling.of(plan, layout, "SF-3")
    shape, variance = (repetitions, 10), float(share_variance(plan)) * CLIENTS
    noise = rng.standard_normal((4, *shape)) * variance**0.5 / CLIENTS
    low, high = np.zeros(repetitions, bool), np.zeros(repetitions, bool)
    for sign in (1, -1):
        series = Series(
            code="SF-3",
            rounds=np.arange(1, 11),
            clients=np.full(10, CLIENTS),
            asked=np.full(10, CLIENTS),
            noise_variance=np.full(10, variance),
            effects=share + sign * sampling.most_mistaken * spread + noise[0] * sampling.step,
            spreads=spread + noise[1] * sampling.spread_step,
            squares=np.zeros(shape),
            cut=noise[2] / layout.unit("clipped"),
            raised=noise[3] / layout.unit("raised"),
            sampling=sampling,
        )
        for last in range(1, 11):
            for band in bands(plan, series.until(last)):
                low, high = low | (band.lower > share), high | (band.upper < share)
    assert low.mean() <= 0.04 + 3 * (0.04 * 0.96 / repetitions) ** 0.5
    assert high.mean() <= 0.01 + 3 * (0.01 * 0.99 / repetitions) ** 0.5


@pytest.mark.parametrize("items", [8, 64, 2000])
def test_no_spread_of_an_embedded_set_is_cut(plan_of, items):
    plan = plan_of(items="like-these")
    probes = plan.probes.model_copy(update={"items": items})
    layout = Layout.from_plan(plan.model_copy(update={"probes": probes}))

    def clip(code):
        return layout.coordinates[layout.index(code + SPREAD)].clip

    def largest(count, reach):
        half = count // 2
        return np.std([reach] * half + [-reach] * half, ddof=1) / (2 * half) ** 0.5

    assert clip("SF-1") == pytest.approx(largest(items, 2.0))
    assert clip("SF-2") == pytest.approx(largest(items, 2.0))
    assert clip("SF-4") == pytest.approx(np.hypot(*[largest(items, 1.0)] * 2) / 2)
    assert clip("SF-5") >= largest(items * 3 // 4, 1.0) * (1 - 1e-12)
    assert clip("SF-6") == pytest.approx(largest(items, 1.0))
    assert clip("SF-3") == 0.5


def test_a_plan_that_says_nothing_of_items_stays_the_same_plan(plan_of):
    plan, same = plan_of(), plan_of(items="these")
    assert plan.digest == same.digest
    assert "items" not in plan.to_json()["monitor"]
    assert "sizes" not in plan.to_json()["probes"]
    other = plan_of(items="like-these")
    assert other.digest != plan.digest
    assert parse_plan(other.to_json()) == other


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


def test_subgroups_of_items_like_these_are_refused(plan_of):
    data = plan_of(modes=("alignment_erosion",), items="like-these").to_json()
    data["modes"]["alignment_erosion"]["subgroups"] = ["chemistry"]
    with pytest.raises(Exception, match="items"):
        parse_plan(data)


def test_a_series_of_these_items_has_no_such_parts(plan_of):
    plan = plan_of()
    layout = Layout.from_plan(plan)
    for code in plan.planned:
        sampling = Sampling.of(plan, layout, code)
        assert not sampling.shared_sd(0.2, 1.0)
        assert not sampling.mistaken(0.2)
        assert sampling.privacy_sd(1.0) == sampling.step
