"""What the ledger adds to a report: attendance, costs, decisions, how far clients differ."""

import math
from pathlib import Path

import numpy as np
import pytest

from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release, epsilon
from unsilent.release.accountant import PrivacyEvent
from unsilent.report.record import Record, read_record
from unsilent.server.monitor import Monitor

CLIENTS, SD = 400, 0.15


def _plan(population: str) -> MonitoringPlan:
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": CLIENTS, "rounds": 2},
            "monitor": {"rounds": "every", "min_cohort": 300, "population": population},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.5}},
        }
    )


def _record(folder: Path, population: str) -> Record:
    plan = _plan(population)
    layout = Layout.from_plan(plan)
    monitor = Monitor(plan, Ledger(folder / "ledger.sqlite"))
    total = np.zeros(len(layout.names), dtype=np.int64)
    for client in range(CLIENTS):
        values = dict.fromkeys(layout.inputs, 0.0)
        values["SF-1"] = SD if client % 2 else -SD
        total += layout.encode(values)
    monitor.spend(1)
    monitor.judge(1, Release(layout.digest, 1, CLIENTS, total, 1.0))
    monitor.spend(2)
    monitor.miss(2, "nobody answered")
    found = read_record(folder, plan, monitor.findings())
    assert found is not None
    return found


def test_rounds_that_came_and_rounds_that_were_missed(tmp_path: Path) -> None:
    found = _record(tmp_path, "enrolled")
    assert [(a.round, a.clients, a.missed) for a in found.attendance] == [
        (1, CLIENTS, None),
        (2, None, "nobody answered"),
    ]


def test_epsilon_after_each_release(tmp_path: Path) -> None:
    found = _record(tmp_path, "enrolled")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    events = [PrivacyEvent.from_json(e.payload) for e in ledger.entries("privacy_event")]
    expected = [epsilon(events[:1], 1e-5), epsilon(events, 1e-5)]
    assert list(found.epsilons) == pytest.approx(expected)
    assert found.head == ledger.head


def test_the_spread_between_clients_where_its_squares_are_released(tmp_path: Path) -> None:
    assert _record(tmp_path / "enrolled", "enrolled").spreads == {}
    spread = _record(tmp_path / "like", "like-these").spreads["SF-1"]
    # Half of the clients lie at +SD, half at -SD.
    expected = SD * math.sqrt(CLIENTS / (CLIENTS - 1))
    assert spread.sd == pytest.approx(expected, rel=0.02)


def test_no_ledger_no_record(tmp_path: Path) -> None:
    plan = _plan("enrolled")
    _record(tmp_path, "enrolled")
    monitor = Monitor(plan, Ledger(tmp_path / "ledger.sqlite"))
    assert read_record(tmp_path / "none", plan, monitor.findings()) is None
