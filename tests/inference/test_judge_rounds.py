"""The judge over rounds: what history adds, what is left out, and silence over all rounds."""

from dataclasses import replace

import numpy as np
import pytest

from unsilent.errors import FindingsError
from unsilent.inference import judge_rounds
from unsilent.inference.bands import bands_with
from unsilent.inference.judge import VISIBILITY_ERROR
from unsilent.inference.series import system_series
from unsilent.release.coordinate import ACCURACY, LOSS
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance

ROUNDS = tuple(range(1, 9))


@pytest.fixture(scope="module")
def judged(plan_of, summed):
    """Findings at each round for one client's statistics by round; None is a missed round."""

    def build(values, clients=30, seed=1, **changes):
        plan = plan_of(clients=clients, rounds=ROUNDS, **changes)
        layout, totals, found = Layout.from_plan(plan), [], {}
        for number, value in zip(ROUNDS, values, strict=False):
            if value is not None:
                totals.append(summed(plan, [value] * clients, (seed, number), number))
                found[number] = {f.code: f for f in judge_rounds(plan, layout, totals)}
        return found

    return build


def test_rounds_add_up_to_a_verdict_that_none_of_them_allows(judged):
    # A lower end has the noise of two numbers, the effect's and what clipping raised it by, which
    # weigh .5 and .68: 1.24 times the one's.
    found = judged([{"SF-1": 0.1 + 0.07 * np.hypot(1, 0.5 / 0.68)}] * 8, epsilon=4.0)
    verdicts = [found[number]["SF-1"].verdict for number in ROUNDS]
    assert verdicts[0] == "undetermined"
    assert verdicts[-1] == "failure"
    widths = [found[n]["SF-1"].windows[0].interval for n in ROUNDS]
    assert widths[-1][1] - widths[-1][0] < 0.4 * (widths[0][1] - widths[0][0])


def test_a_late_failure_is_shown_by_a_recent_window(judged):
    found = judged([{}] * 6 + [{"SF-6": 0.29}] * 2)[8]["SF-6"]
    assert found.verdict == "failure"
    assert found.window[0] >= 6
    assert found.window[1] == 8
    assert found.interval[0] > found.tolerance
    assert found.onset.first <= 7 <= found.onset.last + 1


def test_health_needs_the_recent_rounds_as_well(judged):
    found = judged([{}] * 5 + [{"SF-6": 0.25}] * 3, clients=100, tolerance=0.12)[8]["SF-6"]
    whole, recent = found.windows[:2]
    assert whole.effect < found.tolerance < recent.effect
    assert found.verdict != "healthy"


def test_the_window_that_is_shown_belongs_to_the_verdict(judged):
    for findings in judged([{"SF-1": 0.25, "SF-2": 0.1}] * 8).values():
        for finding in findings.values():
            shown = {(w.first, w.last): w for w in finding.windows}[finding.window]
            assert (shown.effect, shown.interval) == (finding.effect, finding.interval)
            lower, upper = finding.interval
            if finding.verdict == "failure":
                assert lower == max(w.interval[0] for w in finding.windows) > finding.tolerance
            else:
                assert upper == max(w.interval[1] for w in finding.windows[:2])
                assert lower <= finding.tolerance
                assert (upper < finding.tolerance) == (finding.verdict == "healthy")


def test_missed_rounds_are_no_obstacle_and_widen_the_worst_case(judged):
    whole = judged([{"SF-1": 0.2}] * 4)[4]["SF-1"]
    missed = judged([{"SF-1": 0.2}, None, None, {"SF-1": 0.2}])[4]["SF-1"]
    assert missed.window == (1, 4)
    assert whole.worst_case == whole.interval
    lower, upper = missed.interval
    assert missed.worst_case == pytest.approx(((lower - 0.3) / 2, (upper + 0.3) / 2))


def test_an_early_sum_of_too_few_clients_is_left_out(plan_of, summed):
    plan = plan_of(rounds=ROUNDS)
    layout = Layout.from_plan(plan)
    few, many = summed(plan, [{}] * 4, None, 1), summed(plan, [{}] * 30, None, 2)
    assert judge_rounds(plan, layout, [few, many]) == judge_rounds(plan, layout, [many])
    last = judge_rounds(plan, layout, [many, summed(plan, [{}] * 4, None, 3)])[0]
    assert (last.verdict, last.effect, last.window) == ("undetermined", None, None)


def test_rounds_that_fall_or_are_none_are_refused(plan_of, summed):
    plan = plan_of(rounds=ROUNDS)
    layout = Layout.from_plan(plan)
    one, two = (summed(plan, [{}] * 30, None, number) for number in (1, 2))
    with pytest.raises(FindingsError, match="do not rise"):
        judge_rounds(plan, layout, [two, one])
    with pytest.raises(FindingsError, match="no round to judge"):
        judge_rounds(plan, layout, [])


def test_equal_sums_give_equal_findings(judged):
    assert judged([{"SF-1": 0.2}] * 3) == judged([{"SF-1": 0.2}] * 3)


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
def test_a_fall_of_six_points_is_seldom_called_silent_at_any_round(plan_of, summed, control):
    # In any window at any round, which is more than the failures of a run ask for.
    plan = plan_of(clients=30, rounds=ROUNDS, control=control)
    layout, rng = Layout.from_plan(plan), np.random.default_rng(9)
    totals = [
        summed(plan, [{"system.accuracy": 0.06, "system.loss": -0.1}] * 30, None, number)
        for number in ROUNDS
    ]
    variance = np.full(8, float(share_variance(plan)) * 30)
    metrics = []
    for name in (LOSS, ACCURACY):
        quiet = replace(system_series(layout, totals, name), noise_variance=variance)
        noise = rng.standard_normal((20000, 8)) * quiet.privacy_sd
        metrics.append(replace(quiet, effects=quiet.effects + noise))
    silent = np.zeros(20000, dtype=bool)
    for last in ROUNDS:
        both = [
            bands_with(plan, each.until(last), VISIBILITY_ERROR, VISIBILITY_ERROR)
            for each in metrics
        ]
        for loss, accuracy in zip(*both, strict=True):
            silent |= np.maximum(loss.upper, accuracy.upper) < plan.monitor.margin
    assert silent.mean() <= 0.01


def test_silence_is_read_over_the_window_of_the_failure(judged):
    good = {"system.loss": -0.1, "system.accuracy": -0.05}
    bad = {"SF-6": 0.29, "system.accuracy": 0.3}
    found = judged([good] * 6 + [bad] * 2, clients=100)[8]["SF-6"]
    assert found.window[0] >= 6
    assert found.visibility == "loud"


def test_a_failure_may_have_begun_since_the_judged_round_before(plan_of, summed):
    plan = plan_of(rounds=(3, 6), clients=30)
    layout = Layout.from_plan(plan)
    first = summed(plan, [{"SF-1": 0.3}] * 30, 1, 3)
    second = summed(plan, [{"SF-1": 0.3}] * 30, 2, 6)
    at_once = {f.code: f for f in judge_rounds(plan, layout, [first])}["SF-1"]
    assert (at_once.onset.first, at_once.onset.last) == (1, 3)
    healthy = summed(plan, [{"SF-1": -0.3}] * 30, 1, 3)
    late = {f.code: f for f in judge_rounds(plan, layout, [healthy, second])}["SF-1"]
    assert (late.onset.first, late.onset.last) == (4, 6)
