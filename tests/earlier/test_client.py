"""A client's own folder of an earlier version: what it spent counts, and nothing goes out twice."""

from __future__ import annotations

import json

import pytest

from tests.earlier.conftest import Ask, Earlier, holds
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, PlanError
from unsilent.ledger import Ledger
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import ExactNoise

CLIENT = "client-3"


def plan_of(earlier: Earlier) -> MonitoringPlan:
    return parse_plan(json.loads((earlier.run / "plan.json").read_text(encoding="utf-8")))


def present(plan: MonitoringPlan) -> MonitoringPlan:
    """The same wishes in a plan of today."""
    return parse_plan({**plan.to_json(), "schema": "unsilent/plan/2", "name": "next"})


def statistics(plan: MonitoringPlan) -> list[Statistic]:
    return [Statistic(code, 0.1, -1.0, 1.0, 0.02, 50) for code in plan.planned]


def contents(earlier: Earlier) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in earlier.client.iterdir() if p.name != ".lock"}


def test_its_limit_is_the_same(earlier: Earlier, ask: Ask) -> None:
    limit = json.loads(ask("privacy", "limit", earlier.client, "--json"))
    assert holds(earlier.said["limit"], limit)
    assert limit["epsilon"] == 130.0


def test_its_own_numbers_are_told_as_they_were(earlier: Earlier, ask: Ask) -> None:
    told = earlier.said["local"]
    # What it says of all such numbers is no part of them.
    del told["private"]
    # Of enrolled clients a sampling sd is about their records: no spread over clients is read off
    # it any more.
    for standing in (mode["standing"] for mode in told["modes"]):
        del standing["spread"], standing["deviations"]
    assert holds(told, json.loads(ask("local", earlier.client, "--json")))


def test_what_it_released_is_counted(earlier: Earlier) -> None:
    plan = plan_of(earlier)
    observer = Observer(plan, CLIENT, earlier.client, noise=ExactNoise())
    spent = earlier.said["spent"]["events"]
    assert [event.round for event in observer.events()] == [1, 2, 3, 4]
    assert observer.spent() == pytest.approx(spent[3]["epsilon_so_far"], rel=1e-9)


@pytest.mark.parametrize("number", [1, 5])
def test_another_plan_may_not_spend_beyond_the_limit(earlier: Earlier, number: int) -> None:
    plan = present(plan_of(earlier))
    before = contents(earlier)
    observer = Observer(plan, CLIENT, earlier.client, noise=ExactNoise(), run="another")
    with pytest.raises(BudgetError, match=r"this client's own limit of 130"):
        observer.release(number, statistics(plan), SystemChange(0.0, 0.0))
    assert contents(earlier) == before


@pytest.mark.parametrize("run", ["another", None])
@pytest.mark.parametrize("number", [4, 5])
def test_its_plan_is_given_nothing_more(earlier: Earlier, run: str | None, number: int) -> None:
    """Neither a round that was released, for a second vector would cost twice, nor the next."""
    plan = plan_of(earlier)
    own = Ledger(earlier.run / "ledger.sqlite", read_only=True).entries(limit=1)[0].hash
    before = contents(earlier)
    observer = Observer(plan, CLIENT, earlier.client, noise=ExactNoise(), run=run or own)
    for ask in (
        lambda: observer.begin(number),
        lambda: observer.release(number, statistics(plan), SystemChange(0.0, 0.0)),
    ):
        with pytest.raises(PlanError, match="first schema is read and shown"):
            ask()
    assert contents(earlier) == before
