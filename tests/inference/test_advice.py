import pytest

from unsilent.errors import PlanError
from unsilent.inference import power_table
from unsilent.inference.advice import (
    CLIPS,
    Advice,
    Change,
    advise,
    clip_advice,
    refuse_underpowered,
)
from unsilent.inference.power import Outlook
from unsilent.plan import MonitoringPlan


def reached(plan: MonitoringPlan, change: Change, code: str, verdict: str) -> bool:
    outlook = Outlook(change.of(plan), code)
    looks = len(outlook.plan.monitoring_rounds)
    if verdict == "failure":
        return outlook.judged(outlook.largest, looks) == 1
    return outlook.judged(0.0, looks) == -1


@pytest.fixture(scope="module")
def hopeless(plan_of) -> MonitoringPlan:
    return plan_of(clients=10, epsilon=0.5, rounds=(1, 2, 3))


@pytest.fixture(scope="module")
def given(hopeless) -> tuple[Advice, ...]:
    return advise(hopeless)


def test_there_is_advice_for_each_verdict_out_of_reach_and_for_no_other(plan_of, hopeless, given):
    assert advise(plan_of(clients=200)) == ()
    rows = power_table(hopeless)
    never = {(row.code, "failure") for row in rows if not row.failure_reachable}
    never |= {(row.code, "healthy") for row in rows if not row.healthy_reachable}
    assert {(each.code, each.verdict) for each in given} == never
    assert never


def test_each_single_change_works_and_a_smaller_one_does_not(hopeless, given):
    for each in given:
        found = each.alone
        if found.clients is not None:
            assert reached(hopeless, Change(clients=found.clients), each.code, each.verdict)
            fewer = Change(clients=found.clients - 1)
            assert not reached(hopeless, fewer, each.code, each.verdict)
        if found.epsilon is not None:
            assert reached(hopeless, Change(epsilon=found.epsilon), each.code, each.verdict)
            less = Change(epsilon=found.epsilon - 0.01)
            assert not reached(hopeless, less, each.code, each.verdict)
    assert any(each.alone.clients is not None for each in given)
    assert any(each.alone.epsilon is not None for each in given)


def test_the_cheapest_is_the_smallest_relative_increase(hopeless, given):
    for each in given:
        assert each.cheapest is not None
        assert reached(hopeless, each.cheapest, each.code, each.verdict)
        assert each.cost == pytest.approx(each.cheapest.cost(hopeless))
        singles = (
            Change(clients=each.alone.clients),
            Change(epsilon=each.alone.epsilon),
            Change(rounds=each.alone.rounds),
            Change(records=each.alone.records),
        )
        costs = [single.cost(hopeless) for single in singles if single != Change()]
        if costs:
            assert each.cost == min(costs)


def test_costs_are_relative_increases_and_add_up(plan_of):
    plan = plan_of(clients=30, epsilon=2.0, rounds=(1, 2, 3, 4, 5, 6))  # 24 held-out records
    assert Change(clients=60).cost(plan) == 1.0
    assert Change(epsilon=3.0).cost(plan) == 0.5
    assert Change(rounds=2).cost(plan) == 2.0
    assert Change(records=30).cost(plan) == 0.25
    assert Change(clients=60, epsilon=3.0).cost(plan) == 1.5
    assert Change(clients=60, epsilon=3.0).words() == "60 clients and epsilon 3"
    assert (
        Change(rounds=1, records=30).words()
        == "1 monitoring round and 30 held-out records a client"
    )


def test_fewer_rounds_are_spread_and_keep_the_last(plan_of):
    plan = plan_of(rounds=(2, 4, 6, 8, 10, 12))
    assert Change(rounds=3).of(plan).monitoring_rounds == (4, 8, 12)
    assert Change(rounds=1).of(plan).monitoring_rounds == (12,)
    assert Change(rounds=4).of(plan).monitoring_rounds[-1] == 12


def test_records_are_named_only_where_they_are_sampled_and_work(plan_of):
    plan = plan_of(clients=10, epsilon=40.0, share_tolerance=0.1, clip=0.1, tolerance=0.02)
    found = {(each.code, each.verdict): each for each in advise(plan)}
    number = found["SF-3", "healthy"].alone.records
    assert number is not None
    assert reached(plan, Change(records=number), "SF-3", "healthy")
    assert not reached(plan, Change(records=number - 1), "SF-3", "healthy")
    others = [each for each in found.values() if each.code != "SF-3"]
    assert others
    assert all(each.alone.records is None for each in others)


def test_clients_and_budget_together_where_neither_does_alone(plan_of):
    # 1,000 clients are the most that is tried, 50 the largest epsilon: the goal lies beyond both.
    plan = plan_of(clients=10, epsilon=0.3, tolerance=0.01, clip=0.3, modes=("alignment_erosion",))
    healthy = next(each for each in advise(plan) if each.verdict == "healthy")
    assert healthy.alone == Change()
    assert healthy.cheapest is not None
    assert healthy.cheapest.clients is not None
    assert healthy.cheapest.epsilon is not None
    assert reached(plan, healthy.cheapest, "SF-6", "healthy")


def test_a_plan_hopeless_in_every_mode_is_refused_with_the_cheapest_way_out(hopeless, given):
    assert all(row.only_undetermined for row in power_table(hopeless))
    best = min(given, key=lambda each: each.cost)
    with pytest.raises(PlanError, match="only UNDETERMINED") as caught:
        refuse_underpowered(hopeless)
    assert best.cheapest is not None
    assert best.cheapest.words() in caught.value.remedy
    assert best.code in caught.value.remedy
    assert "--accept-underpowered" in caught.value.remedy


def test_a_plan_with_one_verdict_in_one_mode_is_not_refused(plan_of):
    plan = plan_of(clients=30, epsilon=1.0)
    rows = power_table(plan)
    assert any(not row.healthy_reachable for row in rows)
    assert not all(row.only_undetermined for row in rows)
    refuse_underpowered(plan)


def test_more_probes_are_of_the_sets_that_the_mode_asks_and_no_set_shrinks(plan_of):
    plan = plan_of(
        clients=300,
        epsilon=8.0,
        modes=("alignment_erosion", "amplified_bias"),
        items="like-these",
    )
    sizes = plan.probes.sizes.model_copy(update={"bias": 1900, "harmful": 20})
    plan = plan.model_copy(update={"probes": plan.probes.model_copy(update={"sizes": sizes})})
    (each,) = [given for given in advise(plan) if given.verdict == "healthy"]
    assert (each.code, each.alone.roles) == ("SF-6", ("harmful",))
    number = each.alone.probes
    assert number is not None
    other = Change(probes=number, roles=("harmful",)).of(plan).probes
    assert (other.size("bias"), other.size("harmful")) == (1900, number)
    assert reached(plan, Change(probes=number, roles=("harmful",)), "SF-6", "healthy")
    assert not reached(plan, Change(probes=number - 1, roles=("harmful",)), "SF-6", "healthy")
    assert each.cheapest is not None
    assert each.cheapest.words() == f"{number} items of the probe set harmful"
    assert each.cost == pytest.approx(number / 20 - 1)


def test_a_larger_bank_is_named_where_its_choice_is_what_is_unsure(plan_of):
    # 300 clients with 64 questions each of a bank of 70: hardly more than all of them the same.
    plan = plan_of(
        clients=300,
        epsilon=20.0,
        modes=("amplified_bias",),
        tolerance=0.05,
        items="like-these",
        sampling="matrix",
    )
    data = plan.to_json()
    data["probes"]["bias"], data["probes"]["banks"] = "mine.jsonl", {"bias": 70}
    plan = MonitoringPlan.model_validate(data)
    (each,) = [given for given in advise(plan) if given.verdict == "healthy"]
    number = each.alone.bank
    assert number is not None
    assert number > 70
    assert reached(plan, Change(bank=number, roles=("bias",)), "SF-1", "healthy")
    assert not reached(plan, Change(bank=number - 1, roles=("bias",)), "SF-1", "healthy")
    change = Change(bank=number, roles=("bias",))
    assert change.of(plan).bank("bias") == number
    assert change.words() == f"a bank of {number} for bias"
    assert change.cost(plan) == pytest.approx(number / 70 - 1)


def test_a_bank_is_no_way_where_all_answer_the_same(plan_of):
    plan = plan_of(clients=300, modes=("amplified_bias",), tolerance=0.05, items="like-these")
    found = [each for each in advise(plan) if each.verdict == "healthy"]
    assert found
    assert all(each.alone.bank is None for each in found)


def test_a_clip_far_above_the_tolerance_is_advised_down_with_what_it_gains(plan_of):
    plan = plan_of(clients=20, epsilon=4.0, clip=0.8, modes=("amplified_bias", "alignment_erosion"))
    rows = power_table(plan)
    found = {each.code: each for each in clip_advice(plan, rows)}
    assert set(found) == {"SF-1", "SF-6"}
    for row in rows:
        each = found[row.code]
        assert (each.mode, each.clip, each.advised) == (row.mode, 0.8, CLIPS * 0.1)
        change = Change(clip=each.advised, mode=each.mode)
        assert change.words() == f"{each.mode}.clip 0.25"
        (after,) = [r for r in power_table(change.of(plan)) if r.code == row.code]
        assert each.half_width == pytest.approx(after.half_width)
        assert each.minimal_detectable_effect == pytest.approx(after.minimal_detectable_effect)
        assert each.half_width < 0.9 * row.half_width


def test_a_clip_that_costs_little_is_left_alone(plan_of):
    tight = plan_of(clients=20, epsilon=4.0, clip=0.25, modes=("amplified_bias",))
    assert clip_advice(tight, power_table(tight)) == ()
    # Where the choice of items is nearly all of the width, noise hardly matters.
    plenty = plan_of(
        clients=1000, epsilon=8.0, clip=0.4, modes=("amplified_bias",), items="like-these"
    )
    assert clip_advice(plenty, power_table(plenty)) == ()
