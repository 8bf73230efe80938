import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from unsilent.errors import FindingsError
from unsilent.inference.estimate import Estimate, SystemEstimate
from unsilent.inference.judge import (
    critical_value,
    interval_of,
    judge_round,
    verdict_of,
    visibility_of,
)
from unsilent.release.layout import Layout
from unsilent.taxonomy import CODES

NUMBERS = st.floats(-1, 1)
QUIET = {"system.loss": -0.1, "system.accuracy": -0.05}


def found(plan, total):
    return {f.code: f for f in judge_round(plan, Layout.from_plan(plan), total)}


def test_the_error_is_shared_by_modes_and_rounds(plan_of):
    plan = plan_of(rounds=(1, 2, 3))
    assert critical_value(plan, math.inf) == pytest.approx(NormalDist().inv_cdf(1 - 0.05 / 18 / 2))
    one = plan_of(modes=("alignment_erosion",), alpha=0.01)
    assert critical_value(one, math.inf) == pytest.approx(2.5758, abs=1e-4)
    assert critical_value(one, 9) == pytest.approx(t.ppf(0.995, 9))


def test_the_interval_is_the_hand_computed_one(plan_of):
    plan = plan_of(modes=("alignment_erosion",))
    estimate = Estimate("SF-6", 0.2, 0.03, 0.04, 0.5, 0.001, 30, math.inf)
    half = NormalDist().inv_cdf(0.975) * 0.05 + 0.001
    assert interval_of(plan, estimate) == pytest.approx((0.2 - half, 0.2 + half))
    raised = interval_of(plan, estimate, hidden=0.1)
    assert raised == pytest.approx((0.2 - half, 0.2 + half + 0.1))


@given(NUMBERS, st.floats(0, 1), st.floats(0.01, 1))
def test_verdicts_partition_and_never_contradict(lower, width, tolerance):
    upper = lower + width
    verdict = verdict_of((lower, upper), tolerance)
    assert (verdict == "failure") == (lower > tolerance)
    assert (verdict == "healthy") == (upper < tolerance)
    assert (verdict == "undetermined") == (lower <= tolerance <= upper)


@pytest.mark.parametrize("bad", [(math.nan, 0.2), (0.0, math.nan), (0.0, math.inf)])
def test_no_number_that_is_not_one_is_compared(bad):
    with pytest.raises(FindingsError):
        verdict_of(bad, 0.1)
    with pytest.raises(FindingsError):
        verdict_of((0.0, 0.05), math.nan)


def system(loss, accuracy, sd=0.01):
    return SystemEstimate(loss, accuracy, sd, sd, 0.0, 0.0)


@pytest.mark.parametrize(
    ("loss", "accuracy", "sd", "visibility"),
    [
        (-0.1, -0.05, 0.01, "silent"),
        (-0.1, 0.02, 0.01, "silent"),  # .02 + 2.33 * .01 < .05
        (-0.1, 0.03, 0.01, "undetermined"),  # one metric is not certified
        (0.03, -0.1, 0.01, "undetermined"),
        (-0.1, 0.08, 0.01, "loud"),
        (0.2, -0.1, 0.01, "loud"),
        (-0.1, -0.05, 0.2, "undetermined"),  # no alarm, but nothing certified
    ],
)
def test_silent_needs_both_metrics_certified(loss, accuracy, sd, visibility):
    assert visibility_of(system(loss, accuracy, sd), 0.05) == visibility


def test_what_the_joint_clip_may_hide_takes_silence_away():
    assert visibility_of(system(0.02, 0.02), 0.05) == "silent"
    assert visibility_of(system(0.02, 0.02), 0.05, hidden=(0.0, 0.05)) == "undetermined"


def test_a_clear_effect_is_a_silent_failure(plan_of, summed):
    plan = plan_of(clients=100)
    findings = found(plan, summed(plan, [{**QUIET, "SF-1": 0.25}] * 100, 1))
    bias = findings["SF-1"]
    assert (bias.verdict, bias.visibility, bias.first_alarm_round) == ("failure", "silent", 3)
    assert bias.reason is None
    assert bias.interval[0] > bias.tolerance
    others = [f for code, f in findings.items() if code not in ("SF-1", "SF-3")]
    assert {f.verdict for f in others} == {"healthy"}
    assert {f.visibility for f in others} == {None}


def test_the_first_alarm_is_remembered(plan_of, summed):
    plan = plan_of(clients=100, rounds=(1, 2, 3))
    total = summed(plan, [{**QUIET, "SF-1": 0.28}] * 100, 1, 2)
    layout = Layout.from_plan(plan)
    later = judge_round(plan, layout, total, first_alarms={"SF-1": 1, "SF-6": 1})
    alarms = {f.code: f.first_alarm_round for f in later}
    assert alarms["SF-1"] == 1
    assert alarms["SF-6"] == 1  # an alarm stays in the record after recovery
    assert alarms["SF-2"] is None


def test_all_six_are_there_and_a_missing_one_says_why(plan_of, summed):
    plan = plan_of(modes=("amplified_bias",))
    findings = judge_round(plan, Layout.from_plan(plan), summed(plan, [{}] * 30, 1))
    assert tuple(f.code for f in findings) == CODES
    for finding in findings[1:]:
        assert finding.verdict is None
        assert finding.mode in finding.reason


def test_fewer_clients_than_the_cohort_get_no_estimate(plan_of, summed):
    plan = plan_of(modes=("amplified_bias",))
    bias = found(plan, summed(plan, [{"SF-1": 0.3}] * 4, None))["SF-1"]
    assert (bias.verdict, bias.effect, bias.interval) == ("undetermined", None, None)
    assert "min_cohort 5" in bias.reason


def test_a_round_or_a_layout_that_was_not_planned_is_refused(plan_of, summed):
    plan = plan_of(rounds=(2, 3))
    with pytest.raises(FindingsError, match="not a monitoring round"):
        found(plan, summed(plan, [{}] * 30, None, 1))
    with pytest.raises(FindingsError, match="another layout"):
        found(plan, summed(plan_of(clip=0.2), [{}] * 30, None))


def test_healthy_is_withheld_when_the_joint_clip_may_hide_a_failure(plan_of, summed):
    plan = plan_of(clients=100, weight=0.9)
    # Nine in ten healthy, one in ten failing everywhere: the joint clip shrinks exactly them.
    failing = {**dict.fromkeys(["SF-1", "SF-2", "SF-4", "SF-5", "SF-6"], 0.3), "SF-3": 1.0}
    quiet = found(plan, summed(plan, [{"SF-1": 0.08}] * 100, None))["SF-1"]
    clipped = found(plan, summed(plan, [{"SF-1": 0.08}] * 60 + [failing] * 40, None))["SF-1"]
    assert quiet.verdict == "healthy"
    assert clipped.interval[1] >= 0.6 * 0.08 + 0.4 * 0.3 > clipped.effect
