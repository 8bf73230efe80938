import numpy as np
import pytest

from unsilent.inference import bands, series_of
from unsilent.inference.bands import decide
from unsilent.inference.delay import Course, delays
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import SeededNoise, share_variance
from unsilent.release.release import Release

FIFTY = tuple(range(1, 51))


def of_mode(plan, course, code="SF-6", **arguments):
    found = delays(plan, courses=[course], **arguments)
    return next(delay for delay in found if delay.code == code)


def noisy_plan(plan_of, sd, rounds):
    """A plan of one mode, 100 clients, the budget sought, with this sd of noise in each round.

    In what a lower end is reckoned from: the effect less what clipping may have raised it by.
    """
    low, high = 0.01, 40.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        plan = plan_of(
            clients=100, modes=("alignment_erosion",), clip=0.3, rounds=rounds, epsilon=middle
        )
        layout, variance = Layout.from_plan(plan), float(share_variance(plan)) * 100
        noise = np.hypot(
            layout.noise_sd("SF-6", variance, 100), 0.3 * layout.noise_sd("raised", variance, 100)
        )
        low, high = (middle, high) if noise > sd else (low, middle)
    return plan


@pytest.mark.parametrize(("drift", "stated"), [(0.005, 8), (0.01, 5), (0.02, 3)])
def test_delays_are_about_those_that_the_reference_measured(plan_of, drift, stated):
    # 50 rounds, 2 points of noise in each, alpha .05: 8, 5 and 3 rounds after the onset for .5, 1
    # and 2 points a round. Here the onset's own round counts, and the lower end has 0.8 of alpha.
    plan = noisy_plan(plan_of, 0.02, FIFTY)
    found = of_mode(plan, Course("drift", drift), onset=26)
    assert found.onset == 26
    assert found.rounds is not None
    assert found.rounds - 1 <= stated + (drift < 0.01)
    assert found.found == 1.0


def test_the_simulation_is_what_the_judge_does(plan_of):
    plan = noisy_plan(plan_of, 0.03, tuple(range(1, 9)))
    layout, tolerance, onset = Layout.from_plan(plan), 0.1, 5
    variance, repetitions = float(share_variance(plan)) * 100, 200
    noise = SeededNoise(3).sample(variance**0.5, repetitions * 8 * len(layout.names))
    alarms = []
    for drawn in noise.reshape(repetitions, 8, -1):
        totals = []
        for number, each in enumerate(drawn, start=1):
            effect = 2 * tolerance * 0.8 if number >= onset else 0.0  # a step of 0.6 beyond
            client = layout.encode({**dict.fromkeys(layout.inputs, 0.0), "SF-6": effect})
            totals.append(Release(layout.digest, number, 100, 100 * client + each, variance))
        series = (series_of(plan, layout, totals[:look], "SF-6") for look in range(onset, 9))
        failed = [
            delay
            for delay, each in enumerate(series, start=1)
            if decide(bands(plan, each), tolerance)[0] == 1
        ]
        alarms.append(failed[0] if failed else np.inf)
    stated = of_mode(plan, Course("step", 0.6))
    assert stated.onset == onset
    assert stated.found == pytest.approx(np.isfinite(alarms).mean(), abs=0.1)
    assert stated.rounds is None or abs(stated.rounds - np.median(alarms)) <= 1


def test_a_larger_failure_is_found_no_later(plan_of):
    plan = plan_of(clients=30, epsilon=2.0, rounds=tuple(range(1, 21)))
    for kind, sizes in (("drift", (0.005, 0.01, 0.02)), ("step", (0.25, 0.5, 1.0))):
        found = [of_mode(plan, Course(kind, size)) for size in sizes]
        rounds = [np.inf if delay.rounds is None else delay.rounds for delay in found]
        assert rounds == sorted(rounds, reverse=True)
        assert [d.found for d in found] == sorted(d.found for d in found)


def test_no_failure_is_hardly_ever_found(plan_of):
    # At the tolerance all the time: the error of one mode's lower ends, 0.8 * .05 / 6.
    plan = plan_of(clients=30, rounds=tuple(range(1, 21)))
    assert of_mode(plan, Course("drift", 0.0), onset=1, repetitions=2000).found < 0.012


def test_a_failure_that_is_too_small_for_the_plan_is_said_with_its_share(plan_of):
    found = of_mode(plan_of(clients=10, epsilon=0.5), Course("step", 1.0))
    assert found.rounds is None
    assert found.found < 0.5


def test_delays_count_training_rounds(plan_of):
    every = of_mode(plan_of(clients=200, rounds=FIFTY[:10]), Course("step", 1.0), onset=4)
    third = of_mode(plan_of(clients=200, rounds=(3, 6, 9)), Course("step", 1.0), onset=4)
    assert every.rounds == 1.0
    assert third.rounds == 3.0  # first looked at after round 6


def test_all_modes_and_standard_courses_without_asking(plan_of):
    plan = plan_of(clients=50, rounds=(1, 2, 3, 4))
    found = delays(plan)
    assert [delay.code for delay in found] == [code for code in plan.planned for _ in range(5)]
    assert {(delay.course.kind, delay.course.size) for delay in found} == {
        ("drift", 0.005),
        ("drift", 0.01),
        ("drift", 0.02),
        ("step", 1.0),
        ("step", 2.0),
    }
    assert {delay.onset for delay in found} == {3}
    assert delays(plan) == found


def test_open_ended_monitoring_waits_longer(plan_of):
    data = noisy_plan(plan_of, 0.03, FIFTY[:20]).to_json()
    data["monitor"]["control"] = "open-ended"
    course = Course("step", 0.6)
    fixed = of_mode(noisy_plan(plan_of, 0.03, FIFTY[:20]), course, onset=1)
    free = of_mode(parse_plan(data), course, onset=1)
    assert fixed.rounds is not None
    assert free.rounds is not None
    assert free.rounds >= fixed.rounds - 3
