"""How a run stands: the same from a ledger, from a pack's entries, and as of an earlier entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import Ledger
from unsilent.ledger.events import (
    GateOverridden,
    MonitoringStopped,
    PersonAware,
    PlanDeclared,
    ReleaseBooked,
    RoundMissed,
    RoundSummed,
    SystemReported,
)
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import parse_plan
from unsilent.release import PrivacyEvent, Release, epsilon

PLAN = parse_plan({"name": "seen", "modes": {"amplified_bias": {"tolerance": 0.1}}})


def cost(number: int) -> PrivacyEvent:
    return PrivacyEvent("discrete_gaussian", number, 1024.0, 900.0)


def total(number: int, clients: int) -> Release:
    return Release("sha256:" + "a" * 64, number, clients, np.array([clients]), 64.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite")
    for event in (
        PlanDeclared.of(PLAN),
        SystemReported(1, 0.5, 0.5),
        ReleaseBooked(cost(1)),
        RoundSummed.of(total(1, 20)),
        RoundSummed.of(total(1, 21)),
        SystemReported(2, 0.4, 0.6),
        ReleaseBooked(cost(2)),
        RoundMissed(2, "nobody came"),
        PersonAware("Ada", "told", made.head),
        MonitoringStopped(3, "All is spent."),
        GateOverridden(1, "why", "Bob"),
    ):
        made.record(event)
    made.append("seen_later", {"round": 3})
    return made


@pytest.fixture(params=["ledger", "kept"])
def run(ledger: Ledger, request: pytest.FixtureRequest) -> RunView:
    return RunView(ledger if request.param == "ledger" else KeptEntries(ledger.entries()))


def test_what_was_declared_and_spent(run: RunView) -> None:
    assert run.plan == PLAN
    assert run.costs == (cost(1), cost(2))
    assert run.running_epsilon(1e-5) == (epsilon([cost(1)], 1e-5), epsilon(run.costs, 1e-5))
    assert run.stopped == MonitoringStopped(3, "All is spent.")


def test_of_a_round_that_was_summed_twice_the_last_sum_counts(run: RunView) -> None:
    assert {number: sum.clients for number, sum in run.totals.items()} == {1: 21}


def test_who_came_in_the_ledgers_order(run: RunView) -> None:
    told = [(each.round, each.clients, each.missed) for each in run.attendance()]
    assert told == [(1, 20, None), (1, 21, None), (2, None, "nobody came")]


def test_what_was_decided_and_said_is_the_payload_with_its_entry(run: RunView) -> None:
    told = run.actions()
    assert [each["kind"] for each in told] == ["aware", "stopped", "gate_overrule"]
    assert [each["entry"] for each in told] == [9, 10, 11]
    assert told[1]["reason"] == "All is spent."


def test_the_newest_come_first_and_are_counted(run: RunView) -> None:
    assert [each.event.round for each in run.newest(SystemReported, 5)] == [2, 1]
    assert [each.event.clients for each in run.newest(RoundSummed)] == [21]
    assert [each.entry.index for each in run.events(SystemReported, since=2)] == [6]
    assert run.count(RoundSummed) == 2


def test_how_it_stood_at_an_earlier_entry(ledger: Ledger) -> None:
    for source in (ledger, KeptEntries(ledger.entries())):
        run = RunView(source, upto=6)
        assert run.costs == (cost(1),)
        assert run.stopped is None
        assert run.count(RoundMissed) == 0
        assert run.newest(RoundMissed) == []
        assert len(run.attendance()) == 2


def test_where_no_run_has_begun(tmp_path: Path) -> None:
    run = RunView(Ledger(tmp_path / "empty.sqlite"))
    assert run.declared is None
    with pytest.raises(LedgerError, match="no run has begun here"):
        _ = run.plan
