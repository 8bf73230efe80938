"""From clients' records to verdicts about performance, by the code that releases and sums."""

import math
from functools import lru_cache

import numpy as np
import pytest

from tests.performance.records import plan
from unsilent.errors import FindingsError
from unsilent.findings.performance import PerformanceFinding
from unsilent.inference.bands import mode_level
from unsilent.inference.performance import drift_of, judge_performance
from unsilent.inference.performance.errors import level_of
from unsilent.performance import families_of, questions_of
from unsilent.release.coordinate import UNSHOWN
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

SENS = {"statistic": "sensitivity", "of": "positive", "by": "group", "tolerance": 0.1}
OF = plan(statistics={"sens": SENS}, clients=100, count=24, rounds=8, drift=["groups"])
LAYOUT = Layout.from_plan(OF)
A, B = (q.families(q.group)[0] for q in questions_of(OF.performance))
(MIX,) = (f for f in families_of(OF.performance) if f.what == "mix")


@lru_cache
def laid_out(of):
    return Layout.from_plan(of), share_variance(of)


def total(number, lost, *, support=(1000, 300), clients=100, of=OF, unshown=0.0):
    """A sum as if clients had these counts: (A, B) lost, and half of what is there right now."""
    layout, share = laid_out(of)
    vector = np.zeros(len(layout.names), dtype=np.int64)

    def put(name, count):
        at = layout.index(name)
        vector[at] = round(count * layout.unit(name) / layout.coordinates[at].clip)

    for family, there, gone in zip((A, B), support, lost, strict=True):
        put(family.name("support"), there)
        put(family.name("right"), there - gone * there)
        put(family.name("lost"), gone * there)
    for group, there in zip(("A", "B"), support, strict=True):
        put(MIX.name(group), there)
    put(UNSHOWN, unshown * clients)
    variance = share * clients
    noise = SeededNoise([number, clients]).sample(math.sqrt(variance), len(layout.noised))
    vector[layout.noised] += noise
    return Release(layout.digest, number, clients, vector, float(variance))


def judged(totals, of=OF, **more):
    found = judge_performance(of, laid_out(of)[0], totals, **more)
    return {f.key: f for f in found}


def test_a_group_that_fails_while_the_other_does_not():
    found = judged([total(number, (0.0, 0.4)) for number in (1, 2, 3)])
    assert found["sens/A"].verdict == "healthy"
    failed = found["sens/B"]
    assert failed.verdict == "failure"
    assert failed.interval is not None
    assert failed.interval[0] > 0.1
    assert failed.interval[0] <= 0.4 <= failed.interval[1]
    assert failed.first_alarm_round == 3
    assert failed.support == pytest.approx(300, abs=30)
    assert failed.value == pytest.approx(0.6, abs=0.08)
    assert PerformanceFinding.from_json(failed.to_json()).to_json() == failed.to_json()


def test_the_first_alarm_is_kept():
    found = judged([total(number, (0.0, 0.4)) for number in (1, 2)], first_alarms={"sens/B": 1})
    assert found["sens/B"].first_alarm_round == 1


def test_too_little_support_names_the_number_that_would_do():
    few = judged([total(1, (0.0, 0.0), support=(1000, 25))])["sens/B"]
    assert few.verdict == "undetermined"
    assert few.reason is not None
    assert few.needed is not None
    assert str(few.needed) in few.reason
    # Of few records the effect is mostly noise, and what would do while it is that.
    enough = judged([total(1, (0.0, 0.0), support=(1000, 4 * few.needed))])["sens/B"]
    assert enough.verdict == "healthy"


def test_health_holds_whatever_the_records_of_missing_clients_are():
    there = judged([total(1, (0.0, 0.0), support=(1000, 900))])["sens/B"]
    assert there.verdict == "healthy"
    fewer = judged([total(1, (0.0, 0.0), support=(1000, 900), clients=92)])["sens/B"]
    assert (fewer.verdict, fewer.missing) == ("undetermined", 8)
    assert fewer.reason is not None
    assert "missing" in fewer.reason
    # A failure in the records that are there is one.
    assert judged([total(1, (0.0, 0.4), clients=92)])["sens/B"].verdict == "failure"


def test_nothing_is_healthy_where_the_measured_model_was_not_shown():
    found = judged([total(1, (0.0, 0.3), unshown=0.6)])
    assert found["sens/A"].verdict == "undetermined"
    assert found["sens/B"].verdict == "failure"


def test_fewer_clients_than_the_least_cohort_are_no_estimate():
    found = judged([total(1, (0.0, 0.9), clients=9)])["sens/B"]
    assert (found.verdict, found.effect) == ("undetermined", None)


def test_another_layout_is_refused():
    other = plan(statistics={"sens": SENS}, clients=100, count=25, rounds=8, drift=["groups"])
    with pytest.raises(FindingsError, match="another layout"):
        judge_performance(other, Layout.from_plan(other), [total(1, (0.0, 0.0))])


def test_modes_and_statistics_share_alpha():
    questions = questions_of(OF.performance)
    shared = mode_level(OF, "SF-3") + sum(level_of(OF, each) for each in questions)
    assert shared == pytest.approx(OF.monitor.alpha)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
def test_verdicts_of_a_truth_at_the_tolerance_are_rarely_false(control):
    """Under one noise for all: at the tolerance each FAILURE at any round would be false."""
    of = plan(
        statistics={"sens": SENS},
        clients=100,
        count=24,
        rounds=8,
        drift=["groups"],
        monitor={"items": "these", "control": control, "alpha": 0.2},
    )
    false = 0
    for seed in range(20):
        totals = [total(1000 * seed + number, (0.1, 0.1), of=of) for number in range(1, 9)]
        totals = [
            Release(t.layout, at, t.clients, t.vector, t.noise_variance)
            for at, t in enumerate(totals, 1)
        ]
        false += any(
            f.verdict == "failure" for n in (1, 2, 4, 8) for f in judged(totals[:n], of).values()
        )
    assert false <= 0.1 * 20 + 3 * math.sqrt(0.1 * 20)


def test_other_records_are_drift_and_no_failure():
    same = [total(number, (0.0, 0.0)) for number in (1, 2)]
    (still,) = drift_of(OF, LAYOUT, same)
    assert not still.shifted
    others = [total(1, (0.0, 0.0)), total(2, (0.0, 0.0), support=(400, 900))]
    (moved,) = drift_of(OF, LAYOUT, others)
    assert moved.shifted
    assert moved.interval[0] <= 900 / 1300 - 300 / 1300 <= moved.interval[1]
    assert {f.verdict for f in judged(others).values()} <= {"healthy", "undetermined"}
    assert drift_of(OF, LAYOUT, same[:1]) == ()
