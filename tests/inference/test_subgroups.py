"""In which domains a mode fails: the gate, the drill-down and the intervals, by simulation."""

import numpy as np
import pytest
from scipy.stats import binom

from unsilent.findings import Finding
from unsilent.inference import judge_rounds
from unsilent.inference.bands import errors_of
from unsilent.inference.subgroups import e_bh, gate_of
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

NAMES = ("books", "films", "news", "tweets")


def plan_with(rounds=6, names=NAMES, **monitor):
    mode = {"tolerance": 0.1, "clip": 0.3, "weight": 0.5, "subgroups": list(names)}
    return parse_plan(
        {
            "federation": {"clients": 100, "rounds": rounds},
            "monitor": {"min_cohort": 10, "items": "these", **monitor},
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": 8.0},
            "modes": {"amplified_bias": mode, "alignment_erosion": {"tolerance": 0.1, "clip": 0.3}},
        }
    )


def sums(plan, effects, noise):
    """One sum a round in which all clients show these effects in the subgroups."""
    layout, clients = Layout.from_plan(plan), plan.federation.clients
    values = {f"SF-1/{name}": effect for name, effect in effects.items()}
    one = layout.encode({**dict.fromkeys(layout.inputs, 0.0), **values})
    variance = float(share_variance(plan)) * clients
    return [
        Release(
            layout.digest,
            number,
            clients,
            clients * one + noise.sample(variance**0.5, len(one)),
            variance,
        )
        for number in plan.monitoring_rounds
    ]


def gate(plan, totals):
    return gate_of(plan, Layout.from_plan(plan), totals, "SF-1")


def test_a_failure_in_one_domain_is_found_there():
    plan = plan_with()
    found = gate(plan, sums(plan, {"news": 0.22, "films": 0.0}, SeededNoise(2)))
    verdicts = {group.group: group.verdict for group in found.subgroups}
    assert tuple(verdicts) == NAMES
    assert verdicts["news"] == "failure"
    assert verdicts["films"] == "healthy"
    assert found.fires
    assert found.reason == "beyond the tolerance within news"
    assert found.subgroups[2].effect == pytest.approx(0.22, abs=0.05)


def test_its_interval_holds_the_effect_as_often_as_is_promised():
    plan, drawn = plan_with(), 40
    found = [
        gate(plan, sums(plan, {"news": 0.22, "films": 0.0}, SeededNoise(seed))).subgroups[2]
        for seed in range(drawn)
    ]
    held = sum(news.interval[0] < 0.22 < news.interval[1] for news in found)
    assert binom.cdf(held, drawn, 1 - plan.monitor.alpha) > 0.01
    assert all(news.verdict == "failure" for news in found)


def test_a_mode_that_is_healthy_over_all_domains_says_where_it_is_not():
    plan = plan_with()
    totals = sums(plan, {"news": 0.25}, SeededNoise(8))
    finding = judge_rounds(plan, Layout.from_plan(plan), totals)[0]
    assert (finding.verdict, finding.reason) == ("healthy", "beyond the tolerance within news")
    assert [group.verdict for group in finding.subgroups].count("failure") == 1
    written = finding.to_json()
    assert Finding.from_json(written).to_json() == written


def test_the_gate_seldom_fires_while_all_domains_are_at_the_tolerance():
    plan, fired, wrong, missed, repetitions = plan_with(), 0, 0, 0, 40
    assert plan.monitor.alpha == 0.05
    for seed in range(repetitions):
        totals = sums(plan, dict.fromkeys(NAMES, 0.1), SeededNoise([2, seed]))
        for m in (1, 3, 6):
            found = gate(plan, totals[:m])
            fired += found.fires
            wrong += any(group.verdict != "undetermined" for group in found.subgroups)
            missed += any(not g.interval[0] <= 0.1 <= g.interval[1] for g in found.subgroups)
    assert fired + wrong + missed <= 2


def test_a_loss_in_all_domains_fires_the_gate():
    plan = plan_with()
    found = gate(plan, sums(plan, dict.fromkeys(NAMES, 0.2), SeededNoise(3)))
    assert found.fires
    assert found.log_evidence > -np.log(found.level)


def test_the_subgroups_error_is_taken_from_the_modes():
    plan, without = plan_with(), plan_with(names=())
    mine, whole = errors_of(plan, "SF-1"), errors_of(without, "SF-1")
    assert sum(e.level for e in mine) == pytest.approx(sum(e.level for e in whole) / 2)
    assert errors_of(plan, "SF-6") == errors_of(without, "SF-6")
    totals = sums(plan, {}, SeededNoise(4))
    # Half of the mode's half is the gate's.
    assert gate(plan, totals).level == pytest.approx(0.05 / 2 / 2 / 2)


def test_a_mode_without_subgroups_has_none():
    plan = plan_with(names=())
    totals = sums(plan, {}, SeededNoise(5))
    assert gate(plan, totals) is None


def test_clients_like_these_make_the_intervals_wider():
    widths = []
    for population in ("enrolled", "like-these"):
        plan = plan_with(population=population)
        totals = sums(plan, {}, SeededNoise(6))
        group = gate(plan, totals).subgroups[0]
        widths.append(group.interval[1] - group.interval[0])
    assert widths[1] > 1.2 * widths[0]


def test_e_bh_follows_its_definition():
    assert e_bh(np.log([81.0, 39.0, 1.0, 1.0]), 0.05) == (True, False, False, False)
    assert e_bh(np.log([41.0, 41.0, 1.0, 1.0]), 0.05) == (True, True, False, False)
    assert e_bh(np.log([41.0, 39.0, 1.0, 1.0]), 0.05) == (False,) * 4
    assert e_bh(np.log([21.0, 20.5, 20.1, 900.0]), 0.05) == (True,) * 4


def test_where_e_bh_finds_one_the_mean_fires():
    rng = np.random.default_rng(7)
    for _ in range(2000):
        logs = rng.normal(2, 2, rng.integers(1, 9))
        if any(e_bh(logs, 0.05)):
            assert np.exp(logs).mean() >= 20 * (1 - 1e-12)
