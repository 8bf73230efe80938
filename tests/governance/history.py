"""A run's ledger with times of our own: what happened so many hours after it began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from unsilent.governance.duties import Duty, duties
from unsilent.governance.status import Status, status
from unsilent.ledger import GENESIS, Entry
from unsilent.ledger.chain import Event
from unsilent.ledger.events import PlanDeclared, RoundJudged
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import MonitoringPlan, parse_plan

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = {"reviews": ["Rita"], "decides": ["Dan", "Eve"], "informed": ["the board"]}


def plan_with(governance: dict[str, Any] | None, gate: str = "hold") -> MonitoringPlan:
    data: dict[str, Any] = {
        "name": "ward",
        "federation": {"clients": 24, "rounds": 9},
        "modes": {
            "amplified_bias": {"tolerance": 0.1},
            "adaptation_misalignment": {"tolerance": 0.1},
        },
        "gate": {"action": gate},
    }
    if governance is not None:
        data["governance"] = governance
    return parse_plan(data)


def version_with(governance: dict[str, Any], rounds: int, **follows: object) -> MonitoringPlan:
    """A plan of one mode that may be followed by another, or follows one."""
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": 24, "rounds": rounds},
            "monitor": {"alpha": 0.02},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "versions": {"alpha": 0.05, "epsilon": 8.0, **follows},
            "governance": governance,
        }
    )


def judged(round_number: int, **verdicts: str) -> RoundJudged:
    """Findings in short: SF_1="failure"."""
    found = [
        {"code": code.replace("_", "-"), "verdict": verdict} for code, verdict in verdicts.items()
    ]
    return RoundJudged(round_number, 24, found)


def at(hours: float) -> datetime:
    return BEGUN + timedelta(hours=hours)


class History:
    """A ledger that is written by hand."""

    def __init__(self, plan: MonitoringPlan) -> None:
        self.plan = plan
        self.entries: list[Entry] = []
        self.add(0, PlanDeclared.of(plan))

    def add(self, hours: float, event: Event) -> Entry:
        """An entry of so many hours after the begin."""
        last = self.entries[-1].hash if self.entries else GENESIS
        index, payload = len(self.entries) + 1, event.to_payload()
        draft = Entry(index, at(hours).isoformat(), event.kind, payload, last, "")
        self.entries.append(replace(draft, hash=draft.expected_hash()))
        return self.entries[-1]

    @property
    def run(self) -> RunView:
        return RunView(KeptEntries(self.entries))

    def duties(self) -> tuple[Duty, ...]:
        return duties(self.plan, self.run)

    def standings(self, hours: float) -> list[str]:
        return [duty.standing(at(hours)) for duty in self.duties()]

    def status(self, hours: float) -> Status:
        return status(self.plan, self.run, at(hours))
