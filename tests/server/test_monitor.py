"""The monitor books, sums, judges and writes down: each round once, and nothing of one client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.errors import BudgetError, RunError
from unsilent.findings import validate
from unsilent.ledger import Ledger
from unsilent.modes import FIRST
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, PrivacyEvent, Release, SeededNoise, epsilon
from unsilent.release.noise import planned_event
from unsilent.server.monitor import Monitor

CLIENTS = 12


def plan(**changes: object) -> MonitoringPlan:
    data: dict[str, object] = {
        "name": "monitored",
        "federation": {"clients": CLIENTS, "rounds": 3},
        "monitor": {"rounds": [1, 3], "min_cohort": 5},
        "privacy": {"epsilon": 8.0, "dropout": 0.25},
        "modes": {
            "amplified_bias": {"tolerance": 0.1},
            "alignment_erosion": {"tolerance": 0.1},
        },
    }
    return parse_plan({**data, **changes})


def releases(
    folder: Path, of: MonitoringPlan, round_number: int, effect: float = 0.2
) -> list[Release]:
    made = []
    for index in range(CLIENTS):
        noise = SeededNoise([of.seed, index, round_number])
        observer = Observer(of, f"client-{index}", folder / str(index), noise=noise)
        statistics = [
            Statistic(code, effect + 0.001 * index, -1.0, 1.0, 0.02, 40) for code in of.planned
        ]
        system = SystemChange(-0.1, -0.02)
        made.append(observer.release(round_number, statistics, system, ModelCheck(0.0)))
    return made


def kinds(ledger: Ledger) -> list[str]:
    return [entry.kind for entry in ledger.entries()]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def run_round(monitor: Monitor, number: int, given: Sequence[Release]) -> None:
    monitor.system(number, 0.6 - 0.05 * number, 0.7 + 0.02 * number)
    monitor.spend(number)
    monitor.judge(number, monitor.sum(number, given))


def test_the_ledger_begins_with_the_plan(ledger: Ledger) -> None:
    Monitor(plan(), ledger)
    (entry,) = ledger.entries()
    assert entry.kind == "plan"
    assert entry.payload == {"digest": plan().digest, "plan": plan().to_json()}


def test_a_round_goes_into_the_ledger_in_order(ledger: Ledger, tmp_path: Path) -> None:
    monitor = Monitor(plan(), ledger)
    run_round(monitor, 1, releases(tmp_path / "c", plan(), 1))
    assert kinds(ledger) == ["plan", "system", "privacy_event", "sum", "findings"]
    assert ledger.verify() == 5


def test_the_sum_in_the_ledger_is_that_of_the_releases(ledger: Ledger, tmp_path: Path) -> None:
    of = plan()
    given = releases(tmp_path / "c", of, 1)
    monitor = Monitor(of, ledger)
    run_round(monitor, 1, given)
    (entry,) = ledger.entries("sum")
    assert entry.payload["vector"] == np.sum([r.vector for r in given], axis=0).tolist()
    assert entry.payload["clients"] == CLIENTS
    assert entry.payload["noise_variance"] == sum(r.noise_variance for r in given)
    assert entry.payload["layout"] == Layout.from_plan(of).digest


def test_the_findings_are_those_of_the_sum(ledger: Ledger, tmp_path: Path) -> None:
    of = plan()
    monitor = Monitor(of, ledger, scenario="skewed")
    run_round(monitor, 1, releases(tmp_path / "c", of, 1, effect=0.1))
    found = monitor.findings()
    validate(found.to_json())
    assert (found.round, found.clients, found.scenario) == (1, CLIENTS, "skewed")
    assert found.plan == of.digest
    assert [finding.code for finding in found.findings] == list(FIRST)
    by_code = {finding.code: finding for finding in found.findings}
    assert by_code["SF-2"].verdict is None
    sd = by_code["SF-1"].privacy_sd
    assert sd is not None
    assert by_code["SF-1"].effect == pytest.approx(0.1055, abs=4 * sd)
    assert found.privacy.epsilon_spent == epsilon([planned_event(of, 1)], 1e-5)
    assert found.privacy.releases == 1
    assert "Aggregation is a secure sum" in found.privacy.statement
    plain = Monitor(plan(privacy={"aggregation": "plain"}), Ledger(tmp_path / "plain.sqlite"))
    run_round(plain, 1, releases(tmp_path / "p", plain.plan, 1))
    assert "Aggregation is plain" in plain.findings().privacy.statement


def test_nothing_of_a_single_client_is_in_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    given = releases(tmp_path / "c", plan(), 1)
    run_round(Monitor(plan(), ledger), 1, given)
    text = json.dumps([entry.payload for entry in ledger.entries()])
    for release in given:
        inner = ", ".join(str(number) for number in release.vector.tolist())
        assert inner not in text
    assert "client-" not in text
    summed = set(ledger.entries("sum")[0].payload["vector"])
    # A coincidence of one number is possible, of one client's whole vector it is not.
    assert all(len(set(r.vector.tolist()) & summed) <= 2 for r in given)


def test_a_round_is_booked_once_and_before_it_is_judged(ledger: Ledger, tmp_path: Path) -> None:
    monitor = Monitor(plan(), ledger)
    monitor.spend(1)
    monitor.spend(1)
    (entry,) = ledger.entries("privacy_event")
    assert PrivacyEvent.from_json(entry.payload) == planned_event(plan(), 1)
    Monitor(plan(), ledger).spend(1)
    assert kinds(ledger) == ["plan", "privacy_event"]


def test_the_planned_rounds_fit_into_the_budget_and_no_more(ledger: Ledger) -> None:
    monitor = Monitor(plan(), ledger)
    monitor.spend(1)
    monitor.spend(3)
    before = kinds(ledger)
    with pytest.raises(BudgetError, match="over the budget of 8") as caught:
        monitor.spend(2)
    assert caught.value.where == "privacy.epsilon"
    assert kinds(ledger) == [*before, "stopped"]
    with pytest.raises(BudgetError):
        Monitor(plan(), ledger).spend(2)
    assert kinds(ledger) == [*before, "stopped"]


def test_too_few_releases_are_not_used(ledger: Ledger, tmp_path: Path) -> None:
    """The noise is sized for nine of twelve clients: eight are too few, nine are enough."""
    monitor = Monitor(plan(), ledger)
    given = releases(tmp_path / "c", plan(), 1)
    monitor.spend(1)
    with pytest.raises(RunError, match="8 of 9 needed releases arrived in round 1"):
        monitor.judge(1, monitor.sum(1, given[:8]))
    assert kinds(ledger) == ["plan", "privacy_event"]
    monitor.miss(1, "8 of 9 needed releases arrived in round 1")
    assert ledger.entries("missed")[0].payload == {
        "round": 1,
        "reason": "8 of 9 needed releases arrived in round 1",
    }
    assert not monitor.judged(1)
    with pytest.raises(RunError, match=r"no monitoring round has been judged.*8 of 9"):
        monitor.findings()
    monitor.judge(1, monitor.sum(1, given[:9]))
    assert monitor.judged(1)
    assert monitor.findings().clients == 9


def test_releases_of_another_plan_or_round_are_not_used(ledger: Ledger, tmp_path: Path) -> None:
    monitor = Monitor(plan(), ledger)
    other = plan(modes={"fairness_collapse": {"tolerance": 0.1}})
    for foreign in (releases(tmp_path / "a", other, 1), releases(tmp_path / "b", plan(), 3)):
        with pytest.raises(RunError, match="0 of"):
            monitor.judge(1, monitor.sum(1, foreign))
    assert kinds(ledger) == ["plan"]


def test_a_release_that_claims_several_clients_is_not_counted(
    ledger: Ledger, tmp_path: Path
) -> None:
    of = plan()
    made = releases(tmp_path / "c", of, 1)
    monitor = Monitor(of, ledger)
    monitor.judge(1, monitor.sum(1, [made[0] + made[1], *made[2:]]))
    (total,) = ledger.entries("sum")
    assert total.payload["clients"] == len(made) - 2


def test_a_second_monitor_on_the_same_ledger_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    of = plan()
    first = Monitor(of, ledger)
    run_round(first, 1, releases(tmp_path / "c", of, 1))
    second = Monitor(of, Ledger(tmp_path / "ledger.sqlite"))
    assert second.judged(1)
    assert not second.judged(3)
    assert second.findings().to_json() == first.findings().to_json()
    later = releases(tmp_path / "c", of, 3)
    second.system(2, 0.5, 0.74)
    run_round(second, 3, later)
    assert [entry.payload["round"] for entry in ledger.entries("findings")] == [1, 3]
    third = Monitor(of, ledger)
    assert third.findings().to_json() == second.findings().to_json()
    assert [past.round for past in third.findings().rounds] == [1, 3]


def test_a_run_in_two_halves_ends_like_a_run_in_one(tmp_path: Path) -> None:
    of = plan()
    given = {number: releases(tmp_path / "c", of, number) for number in (1, 3)}
    found = []
    for halves in (False, True):
        ledger = Ledger(tmp_path / f"{halves}.sqlite")
        monitor = Monitor(of, ledger)
        for number in (1, 2, 3):
            monitor.system(number, 0.6 / number, 0.7)
            if halves:
                monitor = Monitor(of, ledger)
            if number != 2:
                monitor.spend(number)
                if halves:
                    monitor = Monitor(of, ledger)
                monitor.judge(number, monitor.sum(number, given[number]))
        found.append(monitor.findings().text())
    assert found[0] == found[1]


def test_a_server_killed_between_sum_and_findings_judges_every_round(
    ledger: Ledger, tmp_path: Path
) -> None:
    of = plan()
    given = {number: releases(tmp_path / "c", of, number) for number in (1, 3)}
    whole = Monitor(of, Ledger(tmp_path / "whole.sqlite"))
    for number in (1, 3):
        run_round(whole, number, given[number])
    run_round(Monitor(of, Ledger(tmp_path / "first.sqlite")), 1, given[1])
    for entry in Ledger(tmp_path / "first.sqlite").entries()[:-1]:
        ledger.append(entry.kind, entry.payload)
    assert kinds(ledger)[-1] == "sum"
    again = Monitor(of, ledger)
    for number in (1, 3):
        run_round(again, number, given[number])
    again = Monitor(of, ledger)
    assert again.findings().text() == whole.findings().text()


def test_a_system_round_told_twice_is_written_once(ledger: Ledger, tmp_path: Path) -> None:
    monitor = Monitor(plan(), ledger)
    monitor.system(1, 0.6, 0.7)
    monitor.system(1, 0.9, 0.1)
    Monitor(plan(), ledger).system(1, 0.9, 0.1)
    (entry,) = ledger.entries("system")
    assert entry.payload == {"round": 1, "loss": 0.6, "accuracy": 0.7}


@pytest.mark.parametrize(
    ("loss", "accuracy", "alarm"),
    [(0.55, 0.75, False), (0.64, 0.66, False), (0.66, 0.7, True), (0.5, 0.64, True)],
)
def test_the_alarm_of_today_rings_beyond_the_margin(
    loss: float, accuracy: float, alarm: bool, ledger: Ledger, tmp_path: Path
) -> None:
    monitor = Monitor(plan(), ledger)
    monitor.system(1, 0.6, 0.7)
    monitor.system(2, loss, accuracy)
    monitor.judge(1, monitor.sum(1, releases(tmp_path / "c", plan(), 1)))
    metrics = monitor.findings().system_metrics
    assert metrics.alarm is alarm
    assert (metrics.loss.first, metrics.loss.last) == (0.6, loss)


def test_the_first_alarm_is_remembered_over_a_restart(ledger: Ledger, tmp_path: Path) -> None:
    asked = {"monitor": {"rounds": [1, 3], "min_cohort": 5, "items": "these"}}
    of = plan(modes={"amplified_bias": {"tolerance": 0.05}}, probes={"sampling": "same"}, **asked)
    run_round(Monitor(of, ledger), 1, releases(tmp_path / "c", of, 1, effect=0.25))
    again = Monitor(of, ledger)
    run_round(again, 3, releases(tmp_path / "c", of, 3, effect=-0.25))
    (finding,) = [f for f in again.findings().findings if f.code == "SF-1"]
    assert finding.verdict != "failure"
    # The sums of both rounds were judged, the first one read back from the ledger.
    assert [(w.first, w.last) for w in finding.windows] == [(1, 3), (3, 3)]
    assert finding.first_alarm_round == 1


def test_the_ledger_of_another_plan_is_refused(ledger: Ledger) -> None:
    Monitor(plan(), ledger)
    with pytest.raises(RunError, match="belongs to another plan"):
        Monitor(plan(seed=1), ledger)
    assert kinds(ledger) == ["plan"]


def test_a_spent_budget_ends_monitoring_for_good_and_the_findings_say_so(
    ledger: Ledger, tmp_path: Path
) -> None:
    monitor = Monitor(plan(), ledger)
    run_round(monitor, 1, releases(tmp_path / "c", plan(), 1))
    assert monitor.stopped is None
    assert "budget was spent" not in monitor.findings().privacy.statement
    monitor.stop(3, "The clients' own limits are spent.")
    monitor.stop(3, "Told again.")
    for again in (monitor, Monitor(plan(), ledger)):
        assert again.stopped == 3
        with pytest.raises(BudgetError, match="stopped from round 3 on"):
            again.spend(3)
        again.spend(1)
        assert "The budget was spent after round 1" in again.findings().privacy.statement
        assert again.findings().privacy.releases == 1
    assert kinds(ledger).count("stopped") == 1
    monitor.system(2, 0.4, 0.8)
