"""What a plan may say of those before and after it."""

from __future__ import annotations

from typing import Any

import pytest

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.power_report import false_alarms
from unsilent.report.power_tables import follows, versions_json

BEFORE = f"sha256:{'a' * 64}"


def plan(**changes: Any) -> MonitoringPlan:
    data: dict[str, Any] = {
        "federation": {"clients": 20, "rounds": 104},
        "monitor": {"alpha": 0.01},
        "modes": {"amplified_bias": {"tolerance": 0.1}},
        "versions": {"alpha": 0.05, "epsilon": 20.0, "follows": BEFORE, "last": 52},
    }
    for section, values in changes.items():
        data[section] = {**data.get(section, {}), **values} if values is not None else None
    return parse_plan({key: part for key, part in data.items() if part is not None})


def test_rounds_are_counted_on() -> None:
    assert plan().monitoring_rounds == tuple(range(53, 105))
    assert plan().releases_per_client == 52
    assert parse_plan(plan().to_json()).digest == plan().digest


def test_what_is_replayed_of_it_is_the_plan_alone() -> None:
    alone = plan(monitor={"rounds": [53, 60]}).alone()
    assert alone.versions is None and alone.monitoring_rounds == (1, 8)
    assert plan().alone().monitoring_rounds == tuple(range(1, 53))
    assert plan(versions=None).alone() == plan(versions=None)


def test_a_plan_without_the_table_is_what_it_was() -> None:
    alone = plan(versions=None)
    assert "versions" not in alone.to_json() and alone.first_round == 1
    assert alone.share_of_error == 1.0 and alone.whole_epsilon == alone.privacy.epsilon
    assert plan().share_of_error == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"versions": {"alpha": 0.009}}, "versions.alpha: 0.009 for all versions is less"),
        ({"versions": {"epsilon": 7.0}}, "versions.epsilon: 7 for all versions is less"),
        ({"versions": {"epsilon": None}}, "versions.epsilon: the key is missing"),
        ({"versions": {"last": None}}, "versions.last: follows is there and this is not"),
        ({"versions": {"follows": None}}, "versions.follows: last is there and this is not"),
        ({"versions": {"follows": "sha256:abc"}}, "Write the whole digest of the plan before"),
        ({"federation": {"rounds": 52}}, "federation.rounds: rounds are counted on from round 52"),
        ({"monitor": {"rounds": [52, 60]}}, "monitor.rounds: round 52 is one of the plan that"),
        ({"privacy": {"rounds_per_client": 60}}, "privacy.rounds_per_client: which rounds of"),
        ({"gate": {"action": "hold"}}, "gate.action: plans follow one another in a watch"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_key(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError) as fault:
        plan(**changes)
    assert why in fault.value.line()


def test_plan_check_says_what_it_follows_and_whose_error_it_is() -> None:
    assert BEFORE in follows(plan()) and "agree to it anew" in follows(plan())
    assert follows(plan(versions=None)) == "" and versions_json(plan(versions=None)) is None
    told = versions_json(plan())
    assert told is not None and (told["alpha"], told["own_alpha"]) == (0.05, 0.01)
    assert "part of the 0.05" in false_alarms(plan())["meaning"]
    assert "begins anew" in told["meaning"]
    assert "same question" in false_alarms(plan(monitor={"control": "open-ended"}))["meaning"]
