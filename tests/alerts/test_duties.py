"""Alerts follow the plan's table of triggers: what has to follow, and what is overdue."""

import pytest

from tests.alerts.conftest import judge, miss
from unsilent.alerts.config import Word
from unsilent.alerts.deliver import Channel, Delivery
from unsilent.alerts.prometheus import exposition
from unsilent.alerts.state import Alert, alert_of, read_state
from unsilent.ledger import Ledger
from unsilent.ledger.people import ComplaintRecorded
from unsilent.plan import MonitoringPlan, parse_plan

TABLE = {
    "triggers": [
        {"on": "failure", "modes": ["amplified_bias"], "action": "review", "within": 24},
        {"on": "complaint", "action": "correct"},
    ],
    "review_every": 30,
}


class Kept:
    def __init__(self) -> None:
        self.events: list[Alert] = []

    def send(self, event: Alert) -> None:
        self.events.append(event)


@pytest.fixture
def plan(plan: MonitoringPlan) -> MonitoringPlan:
    """Of the same modes, with triggers."""
    return parse_plan({**plan.to_json(), "governance": TABLE})


def told(ledger: Ledger, folder, *on: Word) -> list[Alert]:
    kept = Kept()
    Delivery(ledger, folder, (Channel("webhook.x", kept, on),)).deliver()
    return kept.events


def test_a_channel_is_told_of_what_triggers_are_about(ledger, folder, plan) -> None:
    miss(ledger, 1)
    judge(ledger, plan, 2)
    judge(ledger, plan, 3)
    ledger.record(ComplaintRecorded("complaint", "unsafe", None, None, "Nurse"))
    failure, complaint = told(ledger, folder, "trigger")
    assert (failure.happening, failure.round) == ("judged", 2), "not again while it lasts"
    assert failure.to_json()["duties"] == [
        {
            "on": "failure",
            "code": "SF-1",
            "words": "SF-1 is a FAILURE since round 2",
            "action": "review",
            "within_hours": 24.0,
        }
    ]
    assert (complaint.happening, complaint.round) == ("complaint", 3)
    assert complaint.to_json()["duties"][0]["action"] == "correct"
    assert complaint.to_json()["reason"] == "a complaint (unsafe)"


def test_who_asked_for_verdicts_alone_hears_of_no_complaint(ledger, folder, plan) -> None:
    judge(ledger, plan, 1)
    ledger.record(ComplaintRecorded("complaint", "unsafe", None, None, "Nurse"))
    assert [e.happening for e in told(ledger, folder, "judged", "missed", "stopped")] == ["judged"]


def test_metrics_tell_duties_where_they_are_declared_and_nothing_where_not(
    ledger, tmp_path, plan
) -> None:
    judge(ledger, plan, 1)
    state = read_state(ledger)
    assert (state.duties_open, state.duties_unheard, state.overdue) == (1, 1, 0)
    assert b'unsilent_duties_unheard{plan="ward"} 1.0' in exposition(state)
    bare = {name: value for name, value in plan.to_json().items() if name != "governance"}
    other = Ledger(tmp_path / "other.sqlite")
    other.append("plan", {"digest": "x", "plan": bare})
    judge(other, plan, 1)
    state = read_state(other)
    assert (state.duties_open, state.duties_unheard, state.overdue) == (None, None, None)
    assert b"unsilent_duties_open{" not in exposition(state)
    event = alert_of(other, other.entries("findings")[0])
    assert "duties" not in event.to_json()
    assert "trigger" not in event.words
