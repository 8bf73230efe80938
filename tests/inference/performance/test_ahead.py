"""What a statistic can show is said beforehand, and comes about."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.performance.records import STATISTICS, plan
from unsilent.inference.performance import judge_performance
from unsilent.inference.performance.ahead import ahead
from unsilent.inference.performance.expected import expected_counts
from unsilent.performance import questions_of
from unsilent.performance.family import GAINED, LOST, RIGHT, SUPPORT
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release

SENS = {"statistic": "sensitivity", "of": "positive", "tolerance": 0.1}
OF = plan(statistics={"sens": SENS}, clients=60, count=40, rounds=3, drift=[])
(QUESTION,) = questions_of(OF.performance)
(FAMILY,) = QUESTION.families(None)
LAYOUT = Layout.from_plan(OF)
SHARE = float(share_variance(OF))


def total(number, counts, random):
    """A round's sum of these counts, with its noise."""
    vector = np.zeros(len(LAYOUT.names), dtype=np.int64)
    for name, count in counts.items():
        at = LAYOUT.index(name)
        vector[at] = round(count * LAYOUT.unit(name) / LAYOUT.coordinates[at].clip)
    variance = SHARE * 60
    if random is not None:
        noise = random.normal(0, math.sqrt(variance), len(LAYOUT.noised))
        vector[LAYOUT.noised] += np.rint(noise).astype(np.int64)
    return Release(LAYOUT.digest, number, 60, vector, variance)


def verdict(effect, random):
    """Of records that are drawn once, and come back in each round."""
    each = expected_counts(OF, QUESTION, effect)
    whole = round(each[FAMILY.name(SUPPORT)])
    lost, gained = (random.binomial(whole, each[FAMILY.name(p)] / whole) for p in (LOST, GAINED))
    counts = {SUPPORT: whole, RIGHT: 0.8 * whole - lost + gained, LOST: lost, GAINED: gained}
    named = {FAMILY.name(part): count for part, count in counts.items()}
    totals = [total(number, named, random) for number in OF.monitoring_rounds]
    return judge_performance(OF, LAYOUT, totals)[0].verdict


def test_the_effect_that_it_says_is_found_four_times_in_five():
    (row,) = ahead(OF)
    random = np.random.default_rng(5)
    effect = row.tolerance + row.minimal_detectable_effect
    found = sum(verdict(effect, random) == "failure" for _ in range(150)) / 150
    # Four sd of 150 draws at .8, and what counts of few records are surer of than said.
    assert 0.67 <= found <= 0.97
    weaker = row.tolerance + row.minimal_detectable_effect / 2
    assert sum(verdict(weaker, random) == "failure" for _ in range(60)) / 60 < 0.5


def test_the_records_that_would_do_do():
    (row,) = ahead(OF)
    assert row.support == pytest.approx(1200)
    assert row.healthy_needs is not None
    # As many as it says would do, and the judge says HEALTHY; of a tenth fewer it does not.
    for factor, healthy in ((1.02, True), (0.9, False)):
        scale = factor * row.healthy_needs / row.support
        each = {k: scale * v for k, v in expected_counts(OF, QUESTION, 0.0).items()}
        totals = [total(number, each, None) for number in OF.monitoring_rounds]
        assert (judge_performance(OF, LAYOUT, totals)[0].verdict == "healthy") == healthy


@pytest.mark.parametrize("effect", [0.0, 0.05, 0.3, 0.8])
def test_reach_is_what_the_judge_says_of_expected_sums(effect):
    (row,) = ahead(OF)
    each = expected_counts(OF, QUESTION, effect)
    totals = [total(number, each, None) for number in OF.monitoring_rounds]
    found = judge_performance(OF, LAYOUT, totals)[0]
    assert found.effect == pytest.approx(effect, abs=2e-3)
    assert found.support == pytest.approx(row.support, rel=1e-2)
    if effect == 0.0:
        assert found.interval[1] == pytest.approx(row.half_width, abs=2e-3)
        assert (found.verdict == "healthy") == row.healthy_reachable
    if effect == 0.8:
        assert (found.verdict == "failure") == row.failure_reachable


@pytest.mark.parametrize("unit", ["record", "client", "none"])
def test_each_kind_of_statistic_has_a_row_of_finite_numbers(unit):
    of = plan(unit=unit, rounds=1)
    rows = ahead(of)
    assert [row.key for row in rows] == [each.key for each in questions_of(of.performance)]
    for row in rows:
        assert math.isfinite(row.half_width)
        assert row.half_width > 0
        assert 0 <= row.minimal_detectable_effect <= 1
    assert all(row.noise_sd == 0 for row in rows) == (unit == "none")
    # A client's noise is that of all its records.
    if unit == "client":
        least = {row.key: row.half_width for row in ahead(plan(rounds=1))}
        assert all(row.half_width >= least[row.key] for row in rows)


def test_too_few_records_leave_nothing_within_reach():
    few = plan(statistics={"sens": {**SENS, "by": "group"}}, clients=12, count=4, unit="client")
    for row in ahead(few):
        assert not row.healthy_reachable
        assert not row.failure_reachable
        assert row.healthy_needs is None or row.healthy_needs > row.support


def test_a_plan_without_statistics_has_no_row():
    of = plan(statistics=STATISTICS)
    assert ahead(of.model_copy(update={"performance": None})) == ()
    assert {row.key for row in ahead(of)} > {"sens/A", "sens/B"}
    alike = [replace(row, key="", group=None) for row in ahead(of)[:2]]
    assert alike[0] == alike[1]
