import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import FindingsError
from unsilent.inference.judge import judge_rounds, visibility_of
from unsilent.modes import FIRST
from unsilent.release.layout import Layout

NUMBERS = st.floats(-1, 1)
QUIET = {"system.loss": -0.1, "system.accuracy": -0.05}


def found(plan, *totals):
    return {f.code: f for f in judge_rounds(plan, Layout.from_plan(plan), totals)}


@pytest.mark.parametrize(
    ("loss", "accuracy", "visibility"),
    [
        ((-0.12, -0.08), (-0.07, -0.03), "silent"),
        ((-0.12, -0.08), (-0.01, 0.049), "silent"),
        ((-0.12, -0.08), (0.01, 0.051), "undetermined"),  # one metric is not certified
        ((0.01, 0.06), (-0.12, -0.08), "undetermined"),
        ((-0.12, -0.08), (0.06, 0.1), "loud"),
        ((0.1, 0.3), (-0.12, -0.08), "loud"),
        ((-0.5, 0.3), (-0.4, 0.3), "undetermined"),  # no alarm, but nothing certified
    ],
)
def test_silent_needs_both_metrics_certified(loss, accuracy, visibility):
    assert visibility_of((loss, accuracy), 0.05) == visibility


@given(NUMBERS, st.floats(0, 1), NUMBERS, st.floats(0, 1))
def test_silence_and_noise_exclude_each_other(loss, wide, accuracy, broad):
    seen = visibility_of(((loss, loss + wide), (accuracy, accuracy + broad)), 0.05)
    assert (seen == "silent") == (loss + wide < 0.05 and accuracy + broad < 0.05)
    assert (seen == "loud") == (loss > 0.05 or accuracy > 0.05)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_number_that_is_not_one_is_compared(bad):
    with pytest.raises(FindingsError, match="not a finite"):
        visibility_of(((-0.1, bad), (-0.1, 0.0)), 0.05)


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
    later = judge_rounds(plan, layout, [total], first_alarms={"SF-1": 1, "SF-6": 1})
    alarms = {f.code: f.first_alarm_round for f in later}
    assert alarms["SF-1"] == 1
    assert alarms["SF-6"] == 1  # an alarm stays in the record after recovery
    assert alarms["SF-2"] is None


def test_all_six_are_there_and_a_missing_one_says_why(plan_of, summed):
    plan = plan_of(modes=("amplified_bias",))
    findings = judge_rounds(plan, Layout.from_plan(plan), [summed(plan, [{}] * 30, 1)])
    assert tuple(f.code for f in findings) == FIRST
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
