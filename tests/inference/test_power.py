import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import beta

from tests.inference.planned import planned_value
from unsilent.errors import PlanError
from unsilent.inference import bands, judge_rounds, power_table, series_of
from unsilent.inference.bands import decide
from unsilent.inference.boundary import VERDICT_SHARES, horizon_values
from unsilent.inference.power import Outlook, mde
from unsilent.plan import parse_plan
from unsilent.release.accountant import largest_mu, noise_multiplier
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

TEN = tuple(range(1, 11))
CLIENTS, BUDGETS = (10, 30, 100, 1000), (1.0, 2.0, 8.0, None)
FACTOR = 1.03
"""Of the critical value of all rounds after ten looks, to that of a single one."""
# In points: clip 15 for the whole joint clip, client sd 5, six modes, alpha .05, delta 1e-5.
TABLE = [
    ["19", "11", "5.9", "5.1"],
    ["6.7", "4.4", "3.1", "3.0"],
    ["2.4", "1.9", "1.6", "1.6"],
    [".5", ".5", ".5", ".5"],
]


def row(plan, code="SF-6", **arguments):
    return {r.code: r for r in power_table(plan, **arguments)}[code]


def reference(critical, clients, budget):
    noise = 0.0 if budget is None else 0.15 / (largest_mu(budget, 1e-5) * clients)
    return 100 * mde(critical, math.hypot(0.05 / math.sqrt(clients), noise))


def test_the_reference_table_to_its_printed_digits():
    # Its boundary factor is 1: with 1.05 each entry is 4% larger.
    critical = NormalDist().inv_cdf(1 - 0.05 / 6)
    for clients, printed in zip(CLIENTS, TABLE, strict=True):
        for budget, text in zip(BUDGETS, printed, strict=True):
            last_digit = 0.1 if "." in text else 1.0
            found = reference(critical, clients, budget)
            assert abs(found - float(text)) <= 0.5 * last_digit + 0.01


def test_over_ten_rounds_the_real_boundary_costs_no_more_than_the_reference_says():
    # All of alpha / 6 is for either end, at each of ten looks and in all windows; .3 of it for the
    # window of all rounds. Where the formula with that and a boundary factor of 1.03 says 0.8,
    # 20,000 simulated runs (error .003) find as much.
    rng, looks, repetitions = np.random.default_rng(1), len(TEN), 20_000
    distance = FACTOR * NormalDist().inv_cdf(1 - 0.3 * 0.05 / 6) + 0.84
    walk = np.cumsum(rng.standard_normal((repetitions, looks)) + distance / looks**0.5, axis=1)
    walk = np.concatenate([np.zeros((repetitions, 1)), walk], axis=1)
    found = np.zeros(repetitions, dtype=bool)
    for look in TEN:
        values = horizon_values(TEN[:look], [1.0] * look, TEN, 0.05 / 6, VERDICT_SHARES)
        for length, value in values.items():
            found |= walk[:, look] - walk[:, look - length] > value * length**0.5
    assert found.mean() > 0.785


@pytest.mark.parametrize("clients", [10, 30, 100, 1000])
@pytest.mark.parametrize("budget", [2.0, 8.0])
def test_enrolled_clients_are_judged_as_the_formula_says_without_their_sampling(
    plan_of, clients, budget
):
    # The same clip; nothing is sampled. The noise is that of two numbers: the effect, and beside it
    # what clipping may have raised it by, which has .68 of the joint clip.
    plan = plan_of(clients=clients, clip=0.15, weight=1.0, rounds=TEN, epsilon=budget)
    noise = 0.15 * math.hypot(1, 1 / 0.68) / (largest_mu(budget, 1e-5) * clients)
    stated = mde(FACTOR * NormalDist().inv_cdf(1 - 0.3 * 0.05 / 6), noise) + 0.15 / 1024
    assert row(plan).minimal_detectable_effect == pytest.approx(stated, rel=0.03)


def test_closed_form_of_the_detectable_effect(plan_of):
    plan = plan_of(clients=30, clip=0.3, weight=0.5, rounds=(1, 2, 3), epsilon=2.0)
    sigma = noise_multiplier(2.0, 1e-5, 3)  # sensitivity C = 1
    # The mean of three rounds, of the effect less what clipping may have raised it by.
    sd = 0.3 * math.hypot(1 / 0.5, 1 / 0.68) * sigma / 30 / math.sqrt(3)
    critical = planned_value(plan, "SF-6")
    found = row(plan)
    assert found.privacy_sd == pytest.approx(sd, rel=1e-3)
    assert found.lower_half_width == pytest.approx(critical * sd, rel=0.03)
    assert found.minimal_detectable_effect == pytest.approx(mde(critical, sd), rel=0.03)


def test_after_the_first_round_less_is_seen_than_at_the_end(plan_of):
    found = row(plan_of(clients=100, rounds=(2, 4, 6, 8)))
    assert found.first.round == 2
    assert found.first.minimal_detectable_effect > 2 * found.minimal_detectable_effect
    assert found.first.half_width > 1.5 * found.half_width
    only = row(plan_of(clients=100))
    assert only.first.minimal_detectable_effect == only.minimal_detectable_effect
    assert only.first.round == 3


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
def test_the_row_is_what_the_judge_does_with_sums_as_expected(plan_of, control):
    plan = plan_of(clients=50, rounds=(1, 2, 3, 4), control=control, modes=("amplified_bias",))
    layout, found = Layout.from_plan(plan), row(plan, "SF-1")
    variance = float(share_variance(plan)) * 50

    def judged(effect, looks):
        vector = np.zeros(len(layout.names), dtype=np.int64)
        vector[0] = round(50 * effect / 0.3 * layout.unit("SF-1"))
        totals = [Release(layout.digest, r, 50, vector, variance) for r in TEN[:looks]]
        return judge_rounds(plan, layout, totals)[0]

    lower = judged(0.1, 4).windows
    assert found.lower_half_width == pytest.approx(
        0.1 - max(w.interval[0] for w in lower), abs=2e-4
    )
    last, first = judged(0.1 + found.lower_half_width, 4), judged(0.1, 1)
    assert last.minimal_detectable_effect == pytest.approx(
        found.minimal_detectable_effect, rel=0.01
    )
    assert first.minimal_detectable_effect == pytest.approx(
        found.first.minimal_detectable_effect, rel=0.01
    )


def test_like_these_approaches_the_reference_table_where_noise_is_small(plan_of):
    # 5 points of client sd: 1.6 points at N=100 and 0.5 at N=1000, if that sd were known and the
    # clients' law normal. The judge pays for an upper bound on the first, and for
    # the few who improve by the whole clip and may not be among the clients.
    costs = []
    for clients, known in ((100, 0.016), (1000, 0.005)):
        plan = plan_of(clients=clients, weight=1.0, population="like-these", epsilon=40.0)
        found = row(plan)
        tail = 0.05 / 6  # all of it at one look
        span = 0.1 + 0.3
        share = found.sampling_sd**2 * clients / span**2
        count = share * clients
        unseen = span * (beta.isf(tail, count + 1, clients - count) - share)
        half = math.hypot(NormalDist().inv_cdf(1 - tail) * found.privacy_sd, unseen)
        assert found.lower_half_width == pytest.approx(half + 0.3 / 1024, rel=1e-3)
        costs.append(found.minimal_detectable_effect / known)
    assert costs[0] > costs[1] > 1
    assert costs[1] < 1.5


def test_more_clients_and_more_budget_find_smaller_effects(plan_of):
    table = [
        [
            row(plan_of(clients=n, epsilon=e, population="like-these")).minimal_detectable_effect
            for e in (1.0, 2.0, 8.0)
        ]
        for n in (10, 30, 100, 1000)
    ]
    found = np.array(table)
    assert (np.diff(found, axis=0) < 0).all()
    assert (np.diff(found, axis=1) < 0).all()


def test_reachable_verdicts_follow_from_the_half_widths(plan_of):
    hopeless = row(plan_of(clients=10, epsilon=0.5))
    assert hopeless.lower_half_width > 0.2  # tolerance .1, clip .3
    assert hopeless.half_width > 0.1
    assert not hopeless.failure_reachable
    assert not hopeless.healthy_reachable
    assert hopeless.only_undetermined
    fine = row(plan_of(clients=100, epsilon=8.0))
    assert fine.half_width < 0.1
    assert fine.failure_reachable
    assert fine.healthy_reachable


def test_the_noise_of_the_clipped_share_is_reckoned_with(plan_of):
    plan = plan_of(clients=30)
    found, layout = row(plan), Layout.from_plan(plan)
    variance = float(share_variance(plan)) * 30
    # An upper end rests on the effect and on what clipping may have taken off it.
    sd = math.hypot(
        layout.noise_sd("SF-6", variance, 30), 0.3 * layout.noise_sd("clipped", variance, 30)
    )
    expected = planned_value(plan, "SF-6", side=1) * sd + 0.3 / 512
    assert found.half_width == pytest.approx(expected, rel=1e-3)


def test_other_numbers_of_clients_can_be_asked_for(plan_of):
    plan = plan_of(clients=30)
    assert row(plan, clients=60).privacy_sd == pytest.approx(row(plan).privacy_sd / 2, rel=1e-3)
    with pytest.raises(PlanError, match="min_cohort"):
        power_table(plan, clients=4)


def test_a_share_is_planned_by_its_records_but_never_beyond_its_largest_variance(plan_of):
    plan = plan_of(clients=100, epsilon=40.0)
    few = row(plan, "SF-3")
    assert few.sampling_sd <= math.sqrt(0.25 / 100)
    federation = plan.federation.model_copy(update={"held_out": 400})
    many = row(plan.model_copy(update={"federation": federation}), "SF-3")
    assert many.sampling_sd < few.sampling_sd / 2
    assert row(plan, "SF-1").sampling_sd == 0.0


def test_the_probes_part_is_named_where_their_number_is_known(plan_of):
    plan = plan_of()  # 64 probes, 30 points of sd each
    assert row(plan, "SF-1").item_sd == pytest.approx(0.3 / 8)
    assert row(plan, "SF-4").item_sd == pytest.approx(0.3 / 8 / math.sqrt(2))  # two sets
    assert row(plan, "SF-3").item_sd == 0.0
    own = parse_plan({**plan.to_json(), "probes": {"bias": "mine.jsonl"}})
    assert row(own, "SF-1").item_sd is None


def test_a_mode_with_more_of_alpha_finds_smaller_effects(plan_of):
    data = plan_of().to_json()
    data["modes"]["alignment_erosion"]["alpha_weight"] = 20.0
    favoured, others = row(parse_plan(data)), row(parse_plan(data), "SF-1")
    even = row(plan_of())
    assert favoured.minimal_detectable_effect < even.minimal_detectable_effect
    assert others.minimal_detectable_effect > even.minimal_detectable_effect


def test_a_clip_of_spreads_below_what_is_expected_sees_smaller_effects(plan_of):
    data = plan_of().to_json()
    data["monitor"]["items"] = "like-these"
    usual = row(parse_plan(data), "SF-1")
    data["modes"]["amplified_bias"]["spread_clip"] = 0.01
    small = row(parse_plan(data), "SF-1")
    assert "spread 0.01 of each" in small.assumption
    assert small.item_sd < usual.item_sd / 3
    assert small.minimal_detectable_effect < usual.minimal_detectable_effect
    assert small.half_width < usual.half_width
    # Of a fixed bank that all answer no spread is clipped, whatever is said of it.
    data["monitor"]["items"] = "these"
    assert row(parse_plan(data), "SF-1").item_sd == row(plan_of(), "SF-1").item_sd


def test_the_detectable_effect_is_found_four_times_in_five(plan_of):
    plan = plan_of(clients=40, modes=("alignment_erosion",), clip=0.5, rounds=(1, 2, 3))
    layout = Layout.from_plan(plan)
    effect = 0.1 + row(plan).minimal_detectable_effect
    client = layout.encode({**dict.fromkeys(layout.inputs, 0.0), "SF-6": effect})
    variance, repetitions = float(share_variance(plan)) * 40, 200
    size = repetitions * 3 * len(client)
    noise = SeededNoise(5).sample(variance**0.5, size).reshape(repetitions, 3, -1)
    found = 0
    for rounds in noise:
        totals = [
            Release(layout.digest, number, 40, 40 * client + drawn, variance)
            for number, drawn in enumerate(rounds, start=1)
        ]
        looks = (series_of(plan, layout, totals[:look], "SF-6") for look in (1, 2, 3))
        found += any(decide(bands(plan, series), 0.1)[0] == 1 for series in looks)
    assert found / repetitions == pytest.approx(0.8, abs=0.085)


def test_an_unplanned_mode_has_no_outlook(plan_of):
    with pytest.raises(PlanError, match="not planned"):
        Outlook(plan_of(modes=("amplified_bias",)), "SF-6")
