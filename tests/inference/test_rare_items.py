"""Items like these, of which few carry the whole effect: what was not drawn is allowed for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from unsilent.inference import judge_rounds
from unsilent.inference.sampling import Sampling
from unsilent.inference.tails import unseen
from unsilent.modes import MODES
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

RUNS = 200


def plan_of(clients, items, tolerance, clip=0.5, mode="amplified_bias", sampling="same"):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 1},
            "monitor": {"rounds": "every", "min_cohort": 2, "items": "like-these"},
            "privacy": {"epsilon": 8.0, "aggregation": "plain"},
            "probes": {"items": items, "sampling": sampling},
            "modes": {mode: {"tolerance": tolerance, "clip": clip}},
        }
    )


def verdicts(plan, draw, seed=0, runs=RUNS):
    """The verdict on SF-1 in each run; ``draw`` gives the items' change, of all clients alike."""
    layout, rng = Layout.from_plan(plan), np.random.default_rng(seed)
    clients = plan.federation.clients
    variance, found = float(share_variance(plan)) * clients, []
    for _ in range(runs):
        change = draw(rng)
        spread = change.std(ddof=1) / math.sqrt(len(change))
        values = {**dict.fromkeys(layout.inputs, 0.0), "SF-1": change.mean(), "SF-1.spread": spread}
        one = layout.encode(values)
        noise = np.rint(rng.normal(0, math.sqrt(variance), len(one))).astype(np.int64)
        total = Release(layout.digest, 1, clients, one * clients + noise, variance)
        finding = judge_rounds(plan, layout, [total])[0]
        found.append(finding.verdict)
    return found


CELLS = [
    (128, 40, 0.03, 0.05),
    (128, 128, 0.02, 0.035),
    (128, 128, 0.01, 0.018),
    (64, 40, 0.05, 0.08),
]
"""Share q of the pairs moves by 2, their whole range; the truth 2 q is just over the tolerance."""


@pytest.mark.parametrize(
    ("clients", "items", "share", "tolerance"),
    [CELLS[0], *(pytest.param(*cell, marks=pytest.mark.long) for cell in CELLS[1:3]), CELLS[3]],
)
def test_no_health_is_read_off_items_without_the_few_that_carry_the_effect(
    clients, items, share, tolerance
):
    plan = plan_of(clients, items, tolerance)
    found = verdicts(plan, lambda rng: (rng.random(items) < share) * 2.0)
    # One mode, one look: all of alpha is this end's, with three standard errors of the runs.
    assert found.count("healthy") / RUNS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.parametrize(
    ("clients", "items", "share", "tolerance"),
    [CELLS[0], *(pytest.param(*cell, marks=pytest.mark.long) for cell in CELLS[1:])],
)
def test_nor_where_the_bank_of_which_each_client_answers_its_own_has_too_few_of_them(
    clients, items, share, tolerance
):
    plan = plan_of(clients, items, tolerance, sampling="matrix")
    layout, rng, runs = Layout.from_plan(plan), np.random.default_rng(1), 200
    variance, healthy = float(share_variance(plan)) * clients, 0
    for _ in range(runs):
        bank = (rng.random(plan.bank("bias")) < share) * 2.0
        own = rng.permuted(np.tile(bank, (clients, 1)), axis=1)[:, :items]
        values = {name: np.zeros(clients) for name in layout.inputs} | {
            "SF-1": own.mean(axis=1),
            "SF-1.spread": own.std(axis=1, ddof=1) / math.sqrt(items),
        }
        noise = np.rint(rng.normal(0, math.sqrt(variance), len(layout.names))).astype(np.int64)
        sums = layout.encode_all(values).sum(axis=0) + noise
        total = Release(layout.digest, 1, clients, sums, variance)
        healthy += judge_rounds(plan, layout, [total])[0].verdict == "healthy"
    assert healthy / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize(
    "share",
    [pytest.param(0.02, marks=pytest.mark.long), 0.05, pytest.param(0.2, marks=pytest.mark.long)],
)
def test_no_failure_is_read_off_items_without_the_few_that_improve(share):
    # The mirror: share q of the items improves by the clip, the others get worse by as much as
    # brings the mean to the tolerance.
    clip, tolerance = 0.5, 0.1
    plan = plan_of(128, 64, tolerance, clip)
    worse = (tolerance + share * clip) / (1 - share)
    found = verdicts(plan, lambda rng: np.where(rng.random(64) < share, -clip, worse))
    assert found.count("failure") / RUNS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_rare_harm_is_not_health_and_common_harm_is_still_failure():
    # What an interval pays for what was not drawn does not make it blind.
    plan = plan_of(128, 256, 0.1)
    harmed = verdicts(plan, lambda rng: np.full(256, 0.4), runs=60)
    quiet = verdicts(plan, lambda rng: np.zeros(256), runs=60)
    assert harmed.count("failure") == 60
    assert quiet.count("healthy") == 60


@pytest.mark.parametrize("tail", [0.05, 0.002])
@pytest.mark.parametrize("count", [1, 7, 64, 1000])
def test_of_whom_none_was_seen_it_is_the_rule_of_three(count, tail):
    # P(none of n) = (1 - q)^n = tail at q = 1 - tail^(1/n): 3 / n at 5%.
    expected = 1.5 * (1 - tail ** (1 / count))
    assert float(unseen(1.5, 0.0, tail, count)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("seen", "count"), [(1, 10), (2, 40), (20, 64), (9, 1000)])
def test_of_whom_some_were_seen_it_is_clopper_and_pearsons_bound(seen, count):
    exact = binomtest(seen, count).proportion_ci(0.996, "exact").high
    variance = 1.5**2 * seen / count
    found = float(unseen(1.5, variance, 0.002, count))
    assert found == pytest.approx(1.5 * (exact - seen / count), rel=1e-8)


def test_of_many_it_is_the_normal_reach():
    found = float(unseen(1.0, 0.05**2, 0.002, 1e7))
    assert found == pytest.approx(norm.isf(0.002) * 0.05 / math.sqrt(1e7), rel=0.02)


TAILS, COUNTS = st.floats(1e-6, 0.4), st.integers(1, 5000)


@settings(deadline=None)
@given(st.floats(0.01, 2.0), st.floats(0.0, 0.2), TAILS, COUNTS)
def test_it_falls_with_the_count_and_the_tail_and_stays_within_the_span(span, share, tail, count):
    def reach(tail=tail, count=count, span=span):
        return float(unseen(span, share * span**2, tail, count))

    assert 0 <= reach() <= span
    assert reach(count=count + 1) <= reach() * (1 + 1e-9)
    assert reach(tail=tail / 2) >= reach() * (1 - 1e-9)
    assert reach(span=2 * span) == pytest.approx(2 * reach(), rel=1e-9)


def test_no_sum_of_items_of_two_sets_is_seen_better_than_each():
    # SF-4 is the mean of two sets' drops: each counts half and has its own items that may be rare.
    plan = plan_of(128, 64, 0.05, mode="adaptation_misalignment")
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-4")
    assert sampling.probes == ((0.5, 64, 64), (0.5, 64, 64))
    tail = 0.01
    # Nothing seen, mean 0: an item may lose 1 and gain the clip.
    each = 0.5 * (1 - tail ** (1 / 64))
    above = float(sampling.rare_items(0.0, 0.0, tail, 128))
    assert above == pytest.approx(math.hypot(each, each), rel=1e-9)
    below = float(sampling.rare_items(0.0, 0.0, tail, 128, above=False))
    assert below == pytest.approx(0.5 * math.hypot(each, each), rel=1e-9)
    # All the variance is given to one set, where it reaches furthest: sd 0.5 s_1 = 0.5 / 8 * own.
    sd = 0.05
    own = 0.5 * float(unseen(1.0, (sd / 0.5) ** 2 * 64, tail, 64))
    assert float(sampling.rare_items(0.0, sd, tail, 128)) == pytest.approx(math.hypot(own, each))


def test_sets_of_two_sizes_are_as_uncertain_as_the_smaller_allows():
    data = plan_of(128, 64, 0.05, mode="adaptation_misalignment").to_json()
    data["probes"]["sizes"] = {"harmful": 16}
    plan = parse_plan(data)
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-4")
    assert sorted(sampling.probes) == [(0.5, 16, 16), (0.5, 64, 64)]
    few, many = (0.5 * (1 - 0.01 ** (1 / n)) for n in (16, 64))
    assert float(sampling.rare_items(0.0, 0.0, 0.01, 128)) == pytest.approx(math.hypot(few, many))


def test_two_sets_of_which_either_hides_the_effect_are_covered_together():
    # The normal reach alone misses 2 to 8% of these; it is what commoner items are left to.
    rng, tail, items = np.random.default_rng(2), 0.01, 64
    plan = plan_of(128, items, 0.05, mode="adaptation_misalignment")
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-4")
    for shares in ((0.0, 0.07), (0.02, 0.02), (0.05, 0.05), (0.02, 0.1), (0.1, 0.1)):
        hits = rng.binomial(items, shares, (20_000, 2))
        mean = hits.mean(axis=1) / items
        q = hits / items
        sd = np.sqrt((q * (1 - q) / (items - 1)).sum(axis=1)) / 2
        reach = np.maximum(sampling.rare_items(mean, sd, tail, 128), norm.isf(tail) * sd)
        missed = np.mean(mean + reach < np.mean(shares))
        assert missed <= tail
        assert np.mean(mean + norm.isf(tail) * sd < np.mean(shares)) > 2 * tail


def test_only_probes_that_stand_for_others_can_be_missed():
    for items in ("these", "like-these"):
        data = plan_of(128, 64, 0.05).to_json()
        data["monitor"]["items"] = items
        plan = parse_plan(data)
        sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-1")
        assert (float(sampling.rare_items(0.0, 0.0, 0.01, 128)) > 0) == (items == "like-these")


def test_a_mode_of_other_domains_counts_the_items_that_are_away():
    sizes = {"task": 64}
    assert MODES["SF-5"].independent_items(sizes, embedded=True) == ((1.0, 44),)  # seven in ten
    assert MODES["SF-5"].independent_items(sizes, embedded=False) == ((1.0, 16),)
