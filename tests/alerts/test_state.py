"""How a run stands is read from its ledger, as of any entry."""

from dataclasses import replace

import pytest

from tests.alerts.conftest import judge, miss, perform
from tests.report.conftest import six
from unsilent.alerts.state import TOLD, alert_of, read_state
from unsilent.errors import AlertError
from unsilent.ledger import Ledger
from unsilent.ledger.events import PlanDeclared, PlanFollowed
from unsilent.plan import parse_plan
from unsilent.release.accountant import epsilon
from unsilent.release.noise import planned_event


def status(state):
    return {mode.code: mode.status for mode in state.modes}


def test_before_the_first_round_no_mode_is_healthy(ledger):
    state = read_state(ledger)
    assert status(state) == {
        **dict.fromkeys(("SF-1", "SF-2", "SF-3", "SF-4", "SF-5"), "not_judged"),
        "SF-6": "not_planned",
    }
    assert (state.judged, state.missed, state.judged_round, state.missed_round) == (
        0,
        0,
        None,
        None,
    )
    assert (state.epsilon_spent, state.planned) == (0.0, 4)
    assert all(mode.numbers() == {} for mode in state.modes)


def test_after_a_judged_and_a_missed_round(ledger, plan):
    judge(ledger, plan, 1)
    miss(ledger, 2)
    state = read_state(ledger)
    assert status(state) == {
        "SF-1": "failure",
        "SF-2": "failure",
        "SF-3": "undetermined",
        "SF-4": "healthy",
        "SF-5": "healthy",
        "SF-6": "not_planned",
    }
    assert (state.judged, state.missed, state.judged_round, state.missed_round) == (1, 1, 1, 2)
    assert state.epsilon_spent == epsilon([planned_event(plan, 1)], plan.privacy.delta)
    assert state.epsilon_left == plan.privacy.epsilon - state.epsilon_spent
    assert state.modes[0].numbers() == {
        "effect": 0.214,
        "lower": pytest.approx(0.144),
        "upper": pytest.approx(0.284),
        "tolerance": 0.1,
    }


def test_an_event_tells_how_the_run_stood_then(ledger, plan):
    for number in (1, 2):
        judge(ledger, plan, number)
        miss(ledger, number)
    events = [alert_of(ledger, e) for e in ledger.entries() if e.kind in TOLD]
    assert [e.happening for e in events] == ["judged", "missed", "judged", "missed"]
    assert [(e.state.judged, e.state.missed) for e in events] == [(1, 0), (1, 1), (2, 1), (2, 2)]
    assert events[0].state.epsilon_spent < events[2].state.epsilon_spent
    assert events[0].words == {
        "judged",
        "failure",
        "undetermined",
        "healthy",
        "not_planned",
    }
    assert events[1].words == {"missed"}
    assert events[1].to_json()["reason"] == "7 of 10 needed releases arrived"
    assert [f["verdict"] for f in events[0].to_json()["findings"]][2:4] == [
        "undetermined",
        "healthy",
    ]


def test_a_ledger_without_a_run(tmp_path):
    with pytest.raises(AlertError, match="no run has begun"):
        read_state(Ledger(tmp_path / "ledger.db"))


def test_performance_on_records_is_told_as_the_modes_are(folder):
    ledger = perform(folder, judged=False)
    assert [(s.key, s.status) for s in read_state(ledger).statistics] == [
        ("sens/A", "not_judged"),
        ("sens/B", "not_judged"),
    ]
    ledger = perform(folder)
    event = alert_of(ledger, ledger.entries("findings")[-1])
    # All modes are healthy: the failure is one of a statistic.
    assert {"failure", "undetermined", "drift"} <= event.words
    told = event.to_json()
    assert told["statistics"] == {"sens/A": "undetermined", "sens/B": "failure"}
    assert [each["verdict"] for each in told["performance"]] == ["undetermined", "failure"]
    assert told["drift"][0]["shifted"] is True
    assert event.state.statistics[1].numbers() == {
        "effect": 0.3,
        "lower": 0.2,
        "upper": 0.4,
        "tolerance": 0.1,
        "value": 0.5,
        "support": 300.0,
    }


def test_nothing_is_told_of_performance_where_the_plan_asks_for_none(ledger, plan):
    judge(ledger, plan, 1)
    told = alert_of(ledger, ledger.entries("findings")[-1]).to_json()
    assert not {"statistics", "performance", "drift"} & set(told)


def test_rounds_of_earlier_versions_count_among_those_planned(tmp_path):
    def version(name, rounds, **follows):
        return parse_plan(
            {
                "name": name,
                "federation": {"clients": 96, "rounds": rounds},
                "monitor": {"alpha": 0.02},
                "modes": {"amplified_bias": {"tolerance": 0.1}},
                "versions": {"alpha": 0.05, "epsilon": 8.0, **follows},
            }
        )

    first = version("first", 3)
    second = version("second", 5, follows=first.digest, last=3)
    made = Ledger(tmp_path / "ledger.sqlite")
    made.record(PlanDeclared.of(first))
    for number in (1, 2, 3):
        miss(made, number)
    made.record(PlanFollowed(3, first.digest, second.digest, second.to_json(), False))
    miss(made, 4)
    state = read_state(made)
    assert (state.planned, state.missed) == (5, 4)


def test_no_verdict_of_a_plan_before_is_told_as_one_of_the_plan_in_force(tmp_path):
    def version(name, rounds, tolerance, **follows):
        return parse_plan(
            {
                "name": name,
                "federation": {"clients": 96, "rounds": rounds},
                "monitor": {"alpha": 0.02},
                "modes": {"amplified_bias": {"tolerance": tolerance}},
                "versions": {"alpha": 0.05, "epsilon": 8.0, **follows},
            }
        )

    first = version("first", 1, 0.2)
    second = version("second", 5, 0.1, follows=first.digest, last=1)
    made = Ledger(tmp_path / "ledger.sqlite")
    made.record(PlanDeclared.of(first))
    healthy = next(f for f in six() if f.code == "SF-4")
    told = replace(healthy, code="SF-1", mode="amplified_bias", oracle=None).to_json()
    made.append("findings", {"round": 1, "clients": 96, "findings": [told]})
    assert status(read_state(made))["SF-1"] == "healthy"
    made.record(PlanFollowed(1, first.digest, second.digest, second.to_json(), False))
    state = read_state(made)
    assert status(state)["SF-1"] == "not_judged"
    assert state.modes[0].numbers() == {}
    assert (state.judged, state.judged_round) == (1, 1)
