"""A run's ledger as the monitor writes it, with every status in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.conftest import six
from unsilent.findings import Drift, PerformanceFinding
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


def perform(folder: Path, *, judged: bool = True) -> Ledger:
    """A run whose mode is healthy and one of whose groups fails on records, which have changed."""
    asked = {"statistic": "sensitivity", "of": "positive", "by": "group", "tolerance": 0.1}
    plan = parse_plan(
        {
            "name": "ward",
            "federation": {"clients": 96, "rounds": 4},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "performance": {
                "count": 40,
                "classes": ["positive", "negative"],
                "groups": ["A", "B"],
                "drift": ["classes"],
                "statistics": {"sens": asked},
            },
        }
    )
    made = open_ledger(folder)
    if made.size == 0:
        made.append("plan", {"digest": plan.digest, "plan": plan.to_json()})
    if not judged:
        return made
    findings = [replace(f, oracle=None).to_json() for f in six() if f.code in ("SF-4",)]
    failed = PerformanceFinding(
        name="sens",
        statistic="sensitivity",
        of="positive",
        by="group",
        group="B",
        compared="reference",
        records="held-out",
        tolerance=0.1,
        clients=96,
        verdict="failure",
        effect=0.3,
        interval=(0.2, 0.4),
        window=(1, 1),
        value=0.5,
        support=300.0,
        first_alarm_round=1,
    )
    open_ = replace(failed, group="A", verdict="undetermined", effect=None, interval=None)
    open_ = replace(open_, value=None, support=None, window=None, first_alarm_round=None)
    drift = Drift("classes", "held-out", (1, 1), (2, 2), 0.4, (0.3, 0.5), True, {"positive": 0.1})
    made.append(
        "findings",
        {
            "round": 1,
            "clients": 96,
            "findings": findings,
            "performance": [open_.to_json(), failed.to_json()],
            "drift": [drift.to_json()],
        },
    )
    return made
