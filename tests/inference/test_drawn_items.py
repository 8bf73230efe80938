"""Matrix sampling: each client answers its own items of a bank, in each round others."""

import math

import numpy as np
import pytest

from unsilent.inference import judge_rounds
from unsilent.inference.bands import bands
from unsilent.inference.power import power_table
from unsilent.inference.sampling import Sampling
from unsilent.inference.series import Series
from unsilent.inference.subgroups import gate_of
from unsilent.plan import parse_plan
from unsilent.plan.modes import SMALLEST_SUBGROUP
from unsilent.release.coordinate import SPREAD
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

ASKED = 16


def plan_of(clients, bank, items="like-these", rounds=1, mode="amplified_bias", **changes):
    """A plan of one mode whose clients answer 16 items each of a bank of this size."""
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": rounds},
            "monitor": {"rounds": "every", "min_cohort": 2, "items": items},
            "privacy": {"epsilon": 40.0, "aggregation": "plain"},
            "probes": {
                "items": ASKED,
                **dict.fromkeys(("bias", "harmful", "benign"), "own.jsonl"),
                "banks": dict.fromkeys(("bias", "harmful", "benign"), bank),
            },
            "modes": {mode: {"tolerance": 0.1, "clip": 1.0, **changes}},
        }
    )


def draws(rng, runs, clients, bank, alike=0.7, camps=True):
    """(runs,) means over clients, and (runs, clients) their spreads; the true mean is 0.1.

    Each run draws its bank, each client its items and what they do to it: of an item's variance the
    part ``alike`` is the same for all clients, and clients scatter unequally.
    """
    means, spreads = np.empty(runs), np.empty((runs, clients))
    scale = np.where(np.arange(clients) % 2, 0.15, 0.45) if camps else np.full(clients, 0.3)
    for run in range(runs):
        shared = rng.normal(0, alike**0.5, bank)
        items = np.argsort(rng.random((clients, bank)), axis=1)[:, :ASKED]
        own = rng.normal(0, (1 - alike) ** 0.5, (clients, ASKED))
        change = 0.1 + scale[:, None] * (shared[items] + own)
        means[run] = change.mean()
        spreads[run] = change.std(axis=1, ddof=1) / math.sqrt(ASKED)
    return means, spreads


@pytest.mark.parametrize("clients", [5, pytest.param(32, marks=pytest.mark.long), 128])
@pytest.mark.parametrize("bank", [16, 32, 320])
def test_the_sd_over_banks_and_draws_is_what_is_said(clients, bank):
    # All variance of an item the same for all clients, who scatter alike: nothing to spare.
    rng = np.random.default_rng([clients, bank])
    means, spreads = draws(rng, 1500, clients, bank, alike=1.0, camps=False)
    f = ASKED / bank
    square = f * spreads.mean(axis=1) ** 2 + (1 - f) * (spreads**2).mean(axis=1) / clients
    # 1,500 runs tell an sd to 2%.
    assert math.sqrt(square.mean()) == pytest.approx(means.std(), rel=0.07)
    bound = said(plan_of(clients, bank), spreads)
    assert math.sqrt(np.mean(bound**2)) >= 0.95 * means.std()
    # Squares are released wherever clients draw; what is said beyond them is a step of the release.
    assert math.sqrt(np.mean(bound**2)) <= 1.45 * means.std() + 0.01


def said(plan, spreads):
    """(runs,) the sd of the choice of items by what is released of (runs, clients) spreads."""
    layout = Layout.from_plan(plan)
    sampling = Sampling.of(plan, layout, "SF-1")
    released = np.minimum(spreads, layout_clip(sampling))
    released = released**2 if sampling.squared else released
    return sampling.shared_sd(released.mean(axis=1), 0.0, spreads.shape[1])


def layout_clip(sampling):
    return math.sqrt(sampling.spread_limit) if sampling.squared else sampling.spread_limit


@pytest.mark.parametrize("clients", [5, 128])
@pytest.mark.parametrize("bank", [16, 32, 320])
def test_clients_who_scatter_unequally_are_covered_too(clients, bank):
    rng = np.random.default_rng([7, clients, bank])
    means, spreads = draws(rng, 800, clients, bank)
    # Half of them are as unsure as an item is expected to be and half as much again.
    bound = said(plan_of(clients, bank), spreads)
    assert means.std() <= 1.05 * math.sqrt(np.mean(bound**2))


def test_of_the_bank_itself_only_the_draws_are_unsure():
    rng, bank, clients = np.random.default_rng(3), 48, 10
    shared = rng.normal(0, 0.3, bank)
    means = []
    for _ in range(3000):
        items = np.argsort(rng.random((clients, bank)), axis=1)[:, :ASKED]
        means.append(shared[items].mean())
    plan = plan_of(clients, bank, items="these")
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-1")
    assert sampling.bank
    assert sampling.shared_part == 0.0
    spread = shared.std(ddof=1) / math.sqrt(ASKED)
    exact = math.sqrt((1 - ASKED / bank) * spread**2 / clients)
    assert np.std(means) == pytest.approx(exact, rel=0.05)
    # An error of each client's own adds up as squares do, so that squares are released.
    assert sampling.squared
    found = float(sampling.shared_sd(spread**2, 0.0, clients))
    assert exact <= found <= 1.6 * exact


def test_all_parts_are_one_where_all_answer_the_whole_bank():
    plan = plan_of(10, ASKED)
    sampling = Sampling.of(plan, Layout.from_plan(plan), "SF-1")
    assert (sampling.shared_part, sampling.own_part) == (1.0, 0.0)
    assert float(sampling.shared_sd(0.05, 0.0, 10)) == pytest.approx(0.05 + sampling.spread_step)
    assert float(sampling.redrawn_items_sd(0.05, 0.0, 10)) == 0.0
    assert sampling.distinct(10, 16, 16) == pytest.approx(16)
    assert sampling.distinct(10, 16, 320) == pytest.approx(1 / (1 / 320 + (1 - 0.05) / 160))


@pytest.mark.parametrize("bank", [16, pytest.param(64, marks=pytest.mark.long), 1600])
@pytest.mark.parametrize("clients", [5, 30])
@pytest.mark.parametrize("items", ["like-these", "these"])
def test_the_whole_path_covers_the_truth_whatever_is_drawn(bank, clients, items):
    # Encoded, noised, judged: bank and clients are drawn anew in each run. One mode, one look.
    plan, runs = plan_of(clients, bank, items), 200
    layout, rng = Layout.from_plan(plan), np.random.default_rng([bank, clients])
    variance = float(share_variance(plan)) * clients
    low = high = 0
    for _ in range(runs):
        shared = rng.normal(0, 0.25, bank)
        chosen = np.argsort(rng.random((clients, bank)), axis=1)[:, :ASKED]
        change = 0.1 + shared[chosen] + rng.normal(0, 0.15, (clients, ASKED))
        values = {name: np.zeros(clients) for name in layout.inputs}
        values["SF-1"] = change.mean(axis=1)
        values["SF-1" + SPREAD] = change.std(axis=1, ddof=1) / math.sqrt(ASKED)
        noise = np.rint(rng.normal(0, math.sqrt(variance), len(layout.names))).astype(np.int64)
        total = Release(
            layout.digest, 1, clients, layout.encode_all(values).sum(axis=0) + noise, variance
        )
        lower, upper = judge_rounds(plan, layout, [total])[0].interval
        truth = 0.1 + (0.0 if items == "like-these" else shared.mean())
        low, high = low + (lower > truth), high + (upper < truth)
    assert max(low, high) / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("bank", [20, 400])
def test_all_rounds_hold_together_where_each_draws_anew(bank):
    # The bank stays over the rounds, the draws from it do not.
    clients, looks, runs = 10, 6, 1500
    plan = plan_of(clients, bank, rounds=looks)
    layout, rng = Layout.from_plan(plan), np.random.default_rng(bank)
    sampling, f = Sampling.of(plan, layout, "SF-1"), ASKED / bank
    variance, spread = float(share_variance(plan)) * clients, 0.3 / math.sqrt(ASKED)
    released = spread**2 if sampling.squared else spread
    noise = rng.standard_normal((4, runs, looks)) * math.sqrt(variance) / clients
    stays = rng.normal(0, math.sqrt(f) * spread, (runs, 1))
    drawn = rng.normal(0, math.sqrt((1 - f) / clients) * spread, (runs, looks))
    series = Series(
        code="SF-1",
        rounds=np.arange(1, looks + 1),
        clients=np.full(looks, clients),
        asked=np.full(looks, clients),
        noise_variance=np.full(looks, variance),
        effects=0.1 + stays + drawn + noise[0] * sampling.step,
        spreads=released + noise[1] * sampling.spread_step,
        squares=np.zeros((runs, looks)),
        cut=noise[2] / layout.unit("clipped"),
        raised=noise[3] / layout.unit("raised"),
        sampling=sampling,
    )
    low, high = np.zeros(runs, bool), np.zeros(runs, bool)
    for last in range(1, looks + 1):
        for band in bands(plan, series.until(last)):
            low, high = low | (band.lower > 0.1), high | (band.upper < 0.1)
    level = 0.05 * 0.7
    assert max(low.mean(), high.mean()) <= level + 3 * math.sqrt(level * (1 - level) / runs)


def test_a_larger_bank_and_more_clients_make_a_mode_sharper():
    def mde(clients, bank):
        (row,) = power_table(plan_of(clients, bank))
        return row.minimal_detectable_effect

    assert mde(128, 1600) < 0.5 * mde(128, 16)
    assert mde(128, 1600) < 0.6 * mde(16, 1600)


@pytest.mark.parametrize("share", [0.02, 0.05])
def test_no_health_is_read_off_a_bank_without_the_few_that_carry_the_effect(share):
    # Share q of the items moves by 1: the truth q lies at the tolerance or just beyond.
    bank, clients, runs = 64, 100, 400
    plan = plan_of(clients, bank, tolerance=share * 0.95)
    layout, rng = Layout.from_plan(plan), np.random.default_rng(5)
    variance, healthy = float(share_variance(plan)) * clients, 0
    for _ in range(runs):
        shared = (rng.random(bank) < share) * 1.0
        chosen = np.argsort(rng.random((clients, bank)), axis=1)[:, :ASKED]
        change = shared[chosen]
        values = {name: np.zeros(clients) for name in layout.inputs}
        values["SF-1"] = change.mean(axis=1)
        values["SF-1" + SPREAD] = change.std(axis=1, ddof=1) / math.sqrt(ASKED)
        noise = np.rint(rng.normal(0, math.sqrt(variance), len(layout.names))).astype(np.int64)
        total = Release(
            layout.digest, 1, clients, layout.encode_all(values).sum(axis=0) + noise, variance
        )
        healthy += judge_rounds(plan, layout, [total])[0].verdict == "healthy"
    assert healthy / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_domain_that_is_an_eighth_of_the_items_is_covered():
    # What clients say of one domain of eight rests on two of their sixteen items.
    clients, bank, runs = 30, 160, 200
    plan = plan_of(clients, bank, subgroups=["books"])
    layout, rng = Layout.from_plan(plan), np.random.default_rng(9)
    assert SMALLEST_SUBGROUP == 1 / 8
    variance = float(share_variance(plan)) * clients
    missed = np.zeros(2)
    for _ in range(runs):
        domain, rest = rng.normal(0.1, 0.2, bank // 8), rng.normal(0.1, 0.2, bank - bank // 8)
        inside = np.stack([rng.permutation(domain)[:2] for _ in range(clients)])
        outside = np.stack([rng.permutation(rest)[:14] for _ in range(clients)])
        change = np.concatenate([inside, outside], axis=1)
        values = {name: np.zeros(clients) for name in layout.inputs}
        values["SF-1"], values["SF-1/books"] = change.mean(axis=1), inside.mean(axis=1)
        values["SF-1" + SPREAD] = change.std(axis=1, ddof=1) / math.sqrt(ASKED)
        noise = np.rint(rng.normal(0, math.sqrt(variance), len(layout.names))).astype(np.int64)
        total = Release(
            layout.digest, 1, clients, layout.encode_all(values).sum(axis=0) + noise, variance
        )
        (group,) = gate_of(plan, layout, [total], "SF-1").subgroups
        missed += [group.interval[0] > 0.1, group.interval[1] < 0.1]
    # A quarter of alpha is for the intervals of subgroups; there is one.
    level = 0.05 / 4
    assert missed.max() / runs <= level + 3 * math.sqrt(level * (1 - level) / runs)
