"""A run's ledger as the monitor writes it, with every status in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.conftest import six
from unsilent.ledger import Ledger
from unsilent.ledger.location import open_ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.noise import planned_event

PLANNED = (
    "amplified_bias",
    "confidence_miscalibration",
    "fairness_collapse",
    "adaptation_misalignment",
    "out_of_domain_degradation",
)


@pytest.fixture
def plan() -> MonitoringPlan:
    """Five modes over four rounds; SF-6 is not planned."""
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": 96, "rounds": 4},
            "modes": {mode: {"tolerance": 0.1} for mode in PLANNED},
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder."""
    return tmp_path / "run"


def judge(ledger: Ledger, plan: MonitoringPlan, round_number: int) -> None:
    """A judged round: SF-1 silent, SF-2 loud, SF-3 open, SF-4 and SF-5 healthy."""
    ledger.append("privacy_event", planned_event(plan, round_number).to_json())
    findings = [replace(f, oracle=None).to_json() for f in six()]
    ledger.append("findings", {"round": round_number, "clients": 96, "findings": findings})


def miss(ledger: Ledger, round_number: int) -> None:
    """A missed round."""
    ledger.append("missed", {"round": round_number, "reason": "7 of 10 needed releases arrived"})


@pytest.fixture
def ledger(folder: Path, plan: MonitoringPlan) -> Ledger:
    """The ledger of a run that has begun and judged nothing yet."""
    made = open_ledger(folder)
    made.append("plan", {"digest": plan.digest, "plan": plan.to_json()})
    return made
