import math
import re

import numpy as np
import pytest

from tests.inference.planned import planned_value
from unsilent.inference import judge_rounds
from unsilent.inference.estimate import Estimate
from unsilent.inference.remedy import (
    decisive_clients,
    decisive_epsilon,
    decisive_records,
    decisive_rounds,
    what_would_settle,
)
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance
from unsilent.release.release import Release


def estimate(effect=0.0, sampling=0.0, privacy=0.05, clients=30):
    return Estimate("SF-6", effect, sampling, privacy, 0.0, 0.0005, clients)


def interval_of(plan, found):
    """The judge's interval in the one round of these plans."""
    down, up = (planned_value(plan, "SF-6", side=side) * found.sd for side in (0, 1))
    return found.effect - down - found.truncation, found.effect + up + found.truncation


def test_privacy_noise_alone_falls_with_the_clients():
    assert decisive_clients(estimate(), 0.025) == 60


def test_sampling_alone_falls_with_their_root():
    assert decisive_clients(estimate(sampling=0.05, privacy=0.0), 0.025) == 120


def test_both_together_reach_the_asked_sd():
    n = decisive_clients(estimate(sampling=0.03, privacy=0.04), 0.02)
    sd = math.hypot(0.03 * math.sqrt(30 / n), 0.04 * 30 / n)
    assert sd <= 0.02
    less = n - 1
    assert math.hypot(0.03 * math.sqrt(30 / less), 0.04 * 30 / less) > 0.02


def test_nothing_is_promised_beyond_reach():
    assert decisive_clients(estimate(), 0.0004) is None
    assert decisive_clients(estimate(), 0.0) is None


def test_the_named_epsilon_has_the_noise_that_is_needed(plan_of):
    plan = plan_of(epsilon=2.0)
    budget = decisive_epsilon(plan, estimate(), 0.025)  # half of the noise
    ratio = math.sqrt(share_variance(plan_of(epsilon=budget)) / share_variance(plan))
    assert 0.48 < ratio <= 0.5
    assert decisive_epsilon(plan, estimate(sampling=0.03), 0.025) is None
    assert decisive_epsilon(plan, estimate(), 0.0001) is None


@pytest.mark.parametrize("effect", [0.02, 0.19])
def test_the_named_number_of_clients_decides(plan_of, effect):
    plan = plan_of()
    found = estimate(effect)
    critical = planned_value(plan, "SF-6", side=0 if effect > 0.1 else 1)
    interval = interval_of(plan, found)
    assert interval[0] <= 0.1 <= interval[1]
    text = what_would_settle(plan, found, interval, 0.1, critical)
    needed = int(text.split("about ")[1].split()[0])
    better = estimate(effect, privacy=0.05 * 30 / needed, clients=needed)
    lower, upper = interval_of(plan, better)
    assert not lower <= 0.1 <= upper
    assert "epsilon" in text


def test_an_effect_at_the_tolerance_says_so(plan_of):
    plan = plan_of()
    found = estimate(0.1)
    text = what_would_settle(plan, found, interval_of(plan, found), 0.1, 2.6)
    assert "nothing within reach" in text


def test_planned_rounds_still_to_come_are_counted_with_their_own_critical_values(plan_of):
    # 5 points over one round; 3 needed at critical 2: over 4 rounds 2.5, over 2 rounds 3.5.
    noise = estimate(privacy=0.05)
    assert decisive_rounds(noise, 0.06, 1, [2.0] * 9) == 2
    assert decisive_rounds(noise, 0.06, 1, [2.0]) is None
    assert decisive_rounds(noise, 0.06, 1, [3.0, 3.0, 2.0]) == 3
    assert decisive_rounds(noise, 0.06, 3, [2.0] * 9) == 6
    # The same records come back: their part does not average out over rounds.
    assert decisive_rounds(estimate(sampling=0.031, privacy=0.05), 0.06, 1, [2.0] * 99) is None
    text = what_would_settle(plan_of(), noise, (-0.1, 0.1005), 0.06, 2.0, later=[2.0] * 5)
    assert "2 more of the 5 planned monitoring rounds" in text


def test_more_rounds_at_the_same_budget_are_no_way(plan_of):
    text = what_would_settle(plan_of(), estimate(), (-0.1, 0.1005), 0.08, 2.0)
    assert "more rounds at the same epsilon would not" in text
    text = what_would_settle(plan_of(), estimate(), (-0.1, 0.1005), 0.02, 2.0, later=[2.0, 2.0])
    assert "the 2 planned monitoring rounds still to come would not" in text


def judged(plan, effect, looks):
    """The finding after so many rounds whose sums show the effect without any noise."""
    layout, clients = Layout.from_plan(plan), plan.federation.clients
    position = layout.index("SF-6")
    vector = np.zeros(len(layout.names), dtype=np.int64)
    vector[position] = round(clients * effect / 0.3 * layout.unit("SF-6"))
    variance = float(share_variance(plan)) * clients
    numbers = plan.monitoring_rounds[:looks]
    totals = [Release(layout.digest, number, clients, vector, variance) for number in numbers]
    return judge_rounds(plan, layout, totals)[5]


@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("effect", [0.0, 0.06, 0.17, 0.25])
@pytest.mark.parametrize("looks", [1, 3, 8])
def test_each_way_that_the_judge_names_settles_its_verdict(plan_of, control, effect, looks):
    def plan(clients=30, epsilon=4.0):
        return plan_of(
            clients=clients,
            epsilon=epsilon,
            rounds=tuple(range(1, 11)),
            control=control,
            modes=("alignment_erosion",),
        )

    found = judged(plan(), effect, looks)
    if found.verdict != "undetermined":
        assert looks > 1
        return
    ways = {
        name: float(match[1])
        for name, pattern in (
            ("rounds", r"(\d+) more of the"),
            ("clients", r"about (\d+) clients"),
            ("epsilon", r"epsilon ([\d.]+)"),
        )
        if (match := re.search(pattern, found.reason))
    }
    assert "clients" in ways
    # One client more than named for the rounding of the sum in this test.
    assert judged(plan(clients=int(ways["clients"]) + 1), effect, looks).verdict != "undetermined"
    if "epsilon" in ways:
        better = plan(epsilon=ways["epsilon"])
        assert judged(better, effect, looks).verdict != "undetermined"
    if "rounds" in ways:
        more = looks + int(ways["rounds"])
        assert judged(plan(), effect, more).verdict != "undetermined"
        assert judged(plan(), effect, more - 1).verdict == "undetermined"


def test_records_help_only_where_they_are_what_is_sampled(plan_of):
    plan = plan_of()  # 24 held-out records a client
    share = Estimate("SF-3", 0.0, 0.08, 0.03, 0.0, 0.0005, 30)
    # sd 5 leaves 4 points to sampling: a quarter of the variance, so four times the records.
    assert decisive_records(plan, share, 0.05) == 24 * 4
    assert decisive_records(plan, share, 0.03) is None
    assert decisive_records(plan, estimate(sampling=0.08, privacy=0.03), 0.05) is None
    assert decisive_records(plan_of(population="like-these"), share, 0.05) is None
    half = 2 * share.sd + share.truncation
    text = what_would_settle(plan, share, (-half, half), 0.10051, 2.0)
    assert "about 96 held-out records a client" in text


def test_where_there_is_no_error_no_number_of_clients_is_named(plan_of):
    # Without noise, an interval that holds the tolerance for what is missing or cut alone.
    assert decisive_clients(estimate(privacy=0.0), 0.01) is None
    found = estimate(0.0, privacy=0.0)
    text = what_would_settle(
        plan_of(), found, (-0.1, 0.1), 0.1, 2.6, centre=0.0995 - 1e-9, missing=True
    )
    assert "missing clients or clipping may hide" in text
    assert "reach all clients" in text


@pytest.mark.parametrize(("effect", "tolerance"), [(0.009, 0.15), (0.25, 0.1), (-0.05, 0.1)])
def test_what_lies_far_from_the_tolerance_is_not_said_to_lie_at_it(plan_of, effect, tolerance):
    # Noise so large that nothing within reach settles it: that is said, and where it comes from.
    apart = abs(effect - tolerance)
    found = Estimate("SF-6", effect, 0.0, apart * 0.9, 0.0, 0.0005, 30)
    for critical in (2.5, 300.0):
        text = what_would_settle(plan_of(), found, (-0.9, 0.9), tolerance, critical, centre=effect)
        assert "at the tolerance" not in text
    assert "nothing within reach would settle it: most of its width is privacy noise" in text


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"privacy_sd": 0.04}, "privacy noise"),
        ({"sampling_sd": 0.04}, "the sampling of clients or records"),
        ({"sampling_sd": 0.04, "shared_sd": 0.039}, "the choice of probes"),
        ({"truncation": 0.2}, "truncation"),
    ],
)
def test_where_nothing_settles_it_the_largest_part_of_the_width_is_named(plan_of, parts, named):
    small = {"privacy_sd": 0.002, "sampling_sd": 0.001, "shared_sd": 0.0, "truncation": 0.0005}
    found = Estimate("SF-6", 0.0, item_sd=0.0, clients=30, **{**small, **parts})
    text = what_would_settle(plan_of(), found, (-0.5, 0.5), 0.1, 1e4)
    assert text.endswith(f"most of its width is {named}")


@pytest.mark.parametrize("sds", [0.2, 0.99, 1.01, 3.0])
def test_an_estimate_is_at_the_tolerance_within_one_sd_of_it(plan_of, sds):
    found = Estimate("SF-6", 0.1 + sds * 0.05, 0.0, 0.05, 0.0, 0.0, 30)
    text = what_would_settle(plan_of(), found, (-0.9, 0.9), 0.1, 1e4)
    assert ("the estimate lies at the tolerance" in text) == (sds < 1)


@pytest.mark.parametrize(("items", "named"), [(100, True), (400, True), (600, False)])
def test_no_more_probes_are_named_than_a_plan_can_ask(plan_of, items, named):
    # Four times as many would do.
    data = plan_of(items="like-these").to_json()
    plan = parse_plan(data | {"probes": {"items": items, "sampling": "same"}})
    found = Estimate("SF-6", 0.0, 0.04, 0.0, 0.04, 0.0, 30, shared_sd=0.04)
    text = what_would_settle(plan, found, (-0.12, 0.12), 0.06 * (1 + 1e-9), 3.0)
    assert ("4 times as many probes" in text) == named


def test_without_any_error_the_advice_is_still_told(plan_of):
    # Nothing is noised or sampled, so that an open-ended interval reaches over truncation alone.
    exact = estimate(0.1, sampling=0.0, privacy=0.0)
    text = what_would_settle(plan_of(), exact, (0.0999, 0.1001), 0.1, 0.0)
    assert "nothing within reach would settle it" in text
