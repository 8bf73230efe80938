"""A plan follows another in one ledger: one chain, one budget, one error over all rounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.handed_over import NODES, SHARED, done, first_plan, next_plan, passed
from tests.server.watching import Sites, leaning, open_watch, watch_plan
from unsilent.errors import BudgetSpentError, PlanError, RunError, UnsilentError
from unsilent.findings import read_findings
from unsilent.ledger import Ledger
from unsilent.ledger.events import PlanFollowed
from unsilent.ledger.run_view import RunView
from unsilent.ledger.succession import judged_as
from unsilent.plan import MonitoringPlan
from unsilent.release import epsilon
from unsilent.server.monitor import Monitor

OPEN = {"control": "open-ended", "alpha": 0.025}


def test_the_ledger_goes_on_and_the_budgets_of_both_add_up(tmp_path: Path) -> None:
    first = first_plan(tmp_path)
    done(first, tmp_path)
    run = RunView(_ledger(tmp_path)).declared
    second = next_plan(tmp_path, first)
    watched = done(second, tmp_path, by=0.4, rounds=1)
    assert run is not None and watched.monitor.run == run.entry.hash
    # A server that is started again goes on under the plan in force, and under it alone.
    watched = done(second, tmp_path, by=0.4)
    ledger = _ledger(tmp_path)
    assert ledger.verify() == ledger.size
    seen = RunView(ledger)
    assert [(v.number, v.first, v.last, v.goes_on) for v in seen.versions] == [
        (1, 1, 2, False),
        (2, 3, None, False),
    ]
    assert [cost.round for cost in seen.costs] == [1, 2, 3, 4]
    found = read_findings(tmp_path / "run" / "findings.json")
    assert found.privacy.epsilon_spent == pytest.approx(epsilon(seen.costs, 1e-5), rel=1e-6)
    assert epsilon(seen.costs, 1e-5) > 1.5 * first.privacy.epsilon
    assert found.privacy.epsilon == SHARED["epsilon"]
    assert [each.plan for each in found.versions] == [first.digest, second.digest]
    # It asked the same modes, so that earlier rounds are told; its verdict is of its own.
    assert [past.round for past in found.rounds] == [1, 2, 3, 4]
    sf1 = found.findings[0]
    assert (sf1.verdict, sf1.first_alarm_round, sf1.windows[0].first) == ("failure", 3, 3)
    kept = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"plan-1.json", "findings-1.json"} <= kept
    # A site's own book has all four, and the limit is what both were declared to cost.
    book = json.loads((tmp_path / "site-0" / "budget.json").read_text())["releases"]
    assert [made["event"]["round"] for made in book] == [1, 2, 3, 4]
    limit = json.loads((tmp_path / "site-0" / "limit.json").read_text())
    assert limit["epsilon"] == SHARED["epsilon"]


def _ledger(folder: Path) -> Ledger:
    return Ledger(folder / "run" / "ledger.sqlite", read_only=True)


def test_what_a_handover_must_not_do(tmp_path: Path) -> None:
    first = first_plan(tmp_path)
    passed(first, tmp_path)
    second = next_plan(tmp_path, first)
    before = _ledger(tmp_path).size
    faults: list[tuple[dict[str, Any], str]] = [
        ({"versions": {"last": 1}}, "the last round of the plan that it follows is 2"),
        ({"versions": {"last": 3}, "federation": {"rounds": 5}}, "this one says 3"),
        ({"versions": {"follows": f"sha256:{'0' * 64}"}}, "does not hold the watch"),
        ({"monitor": {"alpha": 0.026}}, "more than the 0.025 that is left"),
        ({"versions": {"alpha": 0.2}}, "it is 0.05 in the plan before and 0.2 here"),
        ({"versions": {"epsilon": 9000.0}}, "it is 3000.0 in the plan before"),
        ({"privacy": {"delta": 1e-4}}, "it is 1e-05 in the plan before"),
        ({"privacy": {"epsilon": 2700.0}}, "over the 3000 of all versions"),
    ]
    for changes, why in faults:
        with pytest.raises(UnsilentError) as fault:
            open_watch(next_plan(tmp_path, first, **changes), tmp_path / "run")
        assert why in fault.value.line()
    # Of a plan that says nothing of others nothing is left.
    alone = watch_plan(tmp_path, name="alone", federation={"rounds": 1})
    passed(alone, tmp_path / "alone")
    with pytest.raises(PlanError, match="kept no part of its error"):
        open_watch(next_plan(tmp_path, alone), tmp_path / "alone" / "run")
    # Nor does one begin a ledger of its own, in a new folder or in another plan's.
    for out in (tmp_path / "new", tmp_path / "alone" / "run"):
        with pytest.raises(RunError, match="does not hold the watch of the plan"):
            open_watch(second, out)
    with pytest.raises(RunError, match="begins in that plan's ledger"):
        Monitor(second, Ledger(tmp_path / "empty.sqlite"), accept_underpowered=True)
    assert not (tmp_path / "new").exists() and _ledger(tmp_path).size == before
    # One follows, and then neither the first nor another one does.
    passed(second, tmp_path)
    size = _ledger(tmp_path).size
    for plan, why in (
        (first, "this plan was followed after round 2"),
        (next_plan(tmp_path, first, name="other"), "does not hold the watch"),
    ):
        with pytest.raises(RunError, match=why):
            open_watch(plan, tmp_path / "run")
        with pytest.raises(RunError):
            Monitor(plan, Ledger(tmp_path / "run" / "ledger.sqlite"), accept_underpowered=True)
    assert _ledger(tmp_path).size == size


def test_a_round_is_ended_under_the_plan_that_it_began_under(tmp_path: Path) -> None:
    first = first_plan(tmp_path)
    done(first, tmp_path, rounds=1)
    early = next_plan(tmp_path, first, versions={"last": 1}, federation={"rounds": 3})
    watched = open_watch(first, tmp_path / "run")
    watched.monitor.spend(2)
    with pytest.raises(RunError, match="round 2 has begun"):
        open_watch(early, tmp_path / "run")
    watched.monitor.miss(2, "the server was killed")
    late = next_plan(tmp_path, first, name="late")
    # Killed between the ledger's entry and the folder's files: the next call goes on.
    Monitor(late, Ledger(tmp_path / "run" / "ledger.sqlite"), accept_underpowered=True)
    assert json.loads((tmp_path / "run" / "plan.json").read_text()) == first.to_json()
    watched = open_watch(late, tmp_path / "run")
    assert watched.next == 3
    assert json.loads((tmp_path / "run" / "plan.json").read_text()) == late.to_json()
    assert len(_ledger(tmp_path).entries(PlanFollowed.kind)) == 1


def test_alpha_never_begins_anew_however_many_follow(tmp_path: Path) -> None:
    before = first_plan(tmp_path, federation={"rounds": 1})
    passed(before, tmp_path)
    spent = [before.monitor.alpha]
    for _ in range(2):
        left = SHARED["alpha"] - sum(spent)
        more = {"federation": {"rounds": before.federation.rounds + 1}}
        greedy = next_plan(tmp_path, before, monitor={"alpha": left * 1.001}, **more)
        with pytest.raises(PlanError, match=r"that is left of the 0\.05"):
            open_watch(greedy, tmp_path / "run")
        plan = next_plan(tmp_path, before, monitor={"alpha": left / 3}, **more)
        passed(plan, tmp_path)
        spent.append(left / 3)
        before = plan
    assert sum(spent) < SHARED["alpha"]
    last = next_plan(tmp_path, before, monitor={"alpha": SHARED["alpha"] - sum(spent)})
    open_watch(last, tmp_path / "run")


def test_clients_agree_anew_and_a_client_of_before_refuses_what_does_not_follow(
    tmp_path: Path,
) -> None:
    first = first_plan(tmp_path)
    passed(first, tmp_path)
    second = next_plan(tmp_path, first)
    watched = open_watch(second, tmp_path / "run")
    # Their owners agreed to the first plan alone: nothing is measured under the second.
    with pytest.raises(RunError, match="0 clients are there"):
        watched.round(Sites(tmp_path, leaning(0.02), first), NODES)
    assert watched.round(Sites(tmp_path, leaning(0.02), second), NODES) is not None


def test_the_same_question_goes_on_with_the_error_that_it_had(tmp_path: Path) -> None:
    first = first_plan(tmp_path, monitor=OPEN)
    done(first, tmp_path, by=0.4)
    alarm = read_findings(tmp_path / "run" / "findings.json").findings[0].first_alarm_round
    second = next_plan(tmp_path, first, monitor=OPEN, privacy={"dropout": 0.0})
    watched = done(second, tmp_path, by=0.4)
    found = read_findings(tmp_path / "run" / "findings.json").findings[0]
    assert (alarm, found.first_alarm_round, found.windows[0].first) == (1, 1, 1)
    assert found.onset is not None and found.onset.first == 1
    versions = RunView(watched.ledger).versions
    judging = judged_as(versions)
    assert judging.monitoring_rounds == (1, 2, 3, 4) and judging.tuned_by.digest == first.digest
    # A third that asks another question begins anew, and what the two had was had once.
    more = {"modes": {"amplified_bias": {"tolerance": 0.25, "clip": 1.0}}}
    third = next_plan(tmp_path, second, monitor={"control": "open-ended", "alpha": 0.025}, **more)
    watched = done(third, tmp_path, by=0.02)
    found = read_findings(tmp_path / "run" / "findings.json").findings[0]
    assert (found.verdict, found.first_alarm_round, found.windows[0].first) == ("healthy", None, 5)
    assert [each.goes_on for each in RunView(watched.ledger).versions] == [False, True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"monitor": {**OPEN, "population": "like-these"}},
        {"monitor": {**OPEN, "min_cohort": 2}},
        {"monitor": {"alpha": 0.025}},
        {"modes": {"amplified_bias": {"tolerance": 0.1, "clip": 1.0}}},
        {"federation": {"clients": 5}},
        {"probes": {"items": 32}},
        # As many rounds, and as much noise in each, are one and the same clock.
        {"privacy": {"epsilon": 400.0}},
    ],
)
def test_any_other_question_begins_anew(changes: dict[str, Any], tmp_path: Path) -> None:
    from unsilent.ledger.succession import goes_on

    first = first_plan(tmp_path, monitor=OPEN)
    same = next_plan(tmp_path, first, monitor=OPEN, governance={"four_eyes": False})
    assert goes_on(first, same)
    assert not goes_on(first, next_plan(tmp_path, first, **{"monitor": OPEN, **changes}))


def test_a_later_plan_takes_no_duty_back(tmp_path: Path) -> None:
    from unsilent.governance.duties import duties

    governed = {"triggers": [{"on": "failure", "action": "review", "within": 24.0}]}
    first = first_plan(tmp_path, governance=governed)
    done(first, tmp_path, by=0.4)
    with pytest.raises(PlanError, match="declares who reviews and decides, and this one nobody"):
        open_watch(next_plan(tmp_path, first), tmp_path / "run")
    second = next_plan(tmp_path, first, governance={"triggers": []})
    watched = done(second, tmp_path)
    asked = duties(second, RunView(watched.ledger))
    assert [(duty.cause.on, duty.action) for duty in asked] == [("failure", "review")]


def test_what_is_beyond_the_budget_of_all_versions_is_never_asked(tmp_path: Path) -> None:
    first = first_plan(tmp_path)
    passed(first, tmp_path)
    second = next_plan(tmp_path, first)
    watched = open_watch(second, tmp_path / "run")
    monitor: Any = watched.monitor
    # A ledger that was written by another program: more was booked than the plans say.
    monitor._events = monitor._events * 60
    with pytest.raises(BudgetSpentError, match="over the budget of 3000"):
        watched.monitor.spend(3)


def test_a_training_run_takes_no_plan_with_versions(tmp_path: Path) -> None:
    plan: MonitoringPlan = first_plan(tmp_path)
    with pytest.raises(PlanError, match="in a watch"):
        plan.refuse_versions()
