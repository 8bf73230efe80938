"""Any plan is validated on recorded failures, with its own layout, budget and clients."""

from __future__ import annotations

import pytest
from unsilent_bench.replay.validation import validation
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.errors import InputError
from unsilent.plan import parse_plan

MADE = Traces(
    tuple(
        federation("SF-4", dose, seed, clients=clients)
        for clients in (32, 128)
        for dose in ("none", "strong")
        for seed in (1, 2)
    ),
    "here",
)


def plan(clients: int, epsilon: float = 8.0, rounds: int = 10, **mode: object):
    data = PLAN.to_json()
    data["model"]["kind"] = "encoder"
    data["federation"] |= {"clients": clients, "rounds": rounds}
    data["privacy"]["epsilon"] = epsilon
    data["modes"]["adaptation_misalignment"] |= mode
    return parse_plan(data)


def test_the_nearest_recorded_size_is_judged_at_the_plan_s_own() -> None:
    healthy, strong = validation(plan(100), MADE)
    assert (healthy.dose, strong.dose) == ("none", "strong")
    assert (strong.recorded, strong.clients, strong.epsilon, strong.rounds) == (128, 100, 8.0, 10)
    assert strong.detection == 1.0
    assert strong.beyond == 1.0
    assert healthy.false_alarms == 0.0
    assert strong.seeds == 2


def test_fewer_clients_and_less_budget_find_less() -> None:
    rates = [validation(plan(n, e), MADE)[1].detection for n, e in ((128, 1.0), (16, 1.0))]
    assert rates[0] > rates[1]
    assert validation(plan(20, 1.0), MADE)[1].recorded == 32


def test_a_plan_of_fewer_rounds_is_judged_on_the_last_ones() -> None:
    assert validation(plan(128, rounds=3), MADE)[1].rounds == 3


def test_the_plan_s_own_tolerance_counts() -> None:
    lax = plan(128, tolerance=0.19, clip=0.5)
    assert validation(lax, MADE)[1].beyond == 0.0
    assert validation(lax, MADE)[1].detection == 0.0


def test_subgroups_are_left_out() -> None:
    narrow = plan(128, subgroups=["geography"])
    assert validation(narrow, MADE)[1].detection == 1.0


def test_without_federations_of_the_plan_s_kind_of_model_it_says_so() -> None:
    with pytest.raises(InputError, match="no fresh federation of tier 'lm'"):
        validation(PLAN, MADE)
