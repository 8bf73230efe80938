"""A watch measures what sites have already, a round at a time, and trains nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.server.watching import SITES, Sites, lean, leaning, open_watch, watch_plan
from unsilent.errors import InputError, RunError
from unsilent.findings import read_findings
from unsilent.ledger import Ledger
from unsilent.messages import NAME, OBSERVE
from unsilent.server.watch import Watch, watch

NODES = list(range(SITES))


def found(watched: Watch) -> Any:
    (finding,) = [f for f in watched.monitor.findings().findings if f.code == "SF-1"]
    return finding


def test_adapters_that_lean_are_a_failure_and_others_healthy(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path, federation={"rounds": 1})
    for name, by in (("failure", 0.4), ("healthy", 0.02)):
        watched = open_watch(plan, tmp_path / name / "run")
        sites = Sites(tmp_path / name, leaning(by), plan)
        watch(watched, sites, lambda: NODES, rounds=None)
        assert watched.next is None
        assert found(watched).verdict == name
        # By how much each leans more than the base, which leans by nothing.
        assert found(watched).effect == pytest.approx(by, abs=0.05)
        assert {kind for kind, _ in sites.asked} == {NAME, OBSERVE}


def test_each_call_is_the_next_round_and_one_that_is_killed_comes_again(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    sites = Sites(tmp_path, leaning(0.02), plan)

    def opened() -> Watch:
        return open_watch(plan, tmp_path / "run")

    opened().round(sites, NODES)
    assert read_findings(tmp_path / "run" / "findings.json").round == 1
    # A server that dies after clients released, and before anything was said.
    dying = Sites(tmp_path, leaning(0.02), plan)

    def die(*given: Any) -> dict[int, Any]:
        Sites.ask(dying, *given)
        if given[0] == OBSERVE:
            raise KeyboardInterrupt
        return Sites.ask(dying, *given)

    dying.ask = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        opened().round(dying, NODES)
    assert opened().next == 2
    opened().round(sites, NODES)
    with pytest.raises(RunError, match="all 2 rounds of this plan are done"):
        opened()
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite", read_only=True)
    assert [e.payload["round"] for e in ledger.entries("findings")] == [1, 2]
    # The second began twice, and was paid for once, by server and sites.
    assert len(ledger.entries("privacy_event")) == 2
    spent = json.loads((tmp_path / "site-0" / "budget.json").read_text())["releases"]
    assert [made["event"]["round"] for made in spent] == [1, 2]


def test_a_round_that_was_missed_does_not_come_again(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    sites = Sites(tmp_path, leaning(0.02), plan)
    sites.lost = {0, 1}
    watched = open_watch(plan, tmp_path / "run")
    # By hand it is still to come; by the calendar it is gone.
    with pytest.raises(RunError, match="2 clients are there, and a sum needs"):
        watched.round(sites, NODES)
    assert watched.next == 1 and watched.missed() is None
    assert watched.round(sites, NODES, on_time=True) is None
    assert "2 clients are there" in str(watched.missed())
    assert {kind for kind, _ in sites.asked} == {NAME}
    sites.lost = set()
    assert open_watch(plan, tmp_path / "run").next == 2
    watched.round(sites, NODES)
    assert watched.missed() is None
    assert [e.payload["round"] for e in watched.ledger.entries("findings")] == [2]


def test_with_too_few_sites_nothing_is_asked_or_booked(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    watched = open_watch(plan, tmp_path / "run")
    sites = Sites(tmp_path, leaning(0.02), plan)
    with pytest.raises(RunError, match="2 clients are there, and a sum needs"):
        watched.round(sites, [0, 1])
    assert {kind for kind, _ in sites.asked} == {NAME} and watched.next == 1
    assert watched.ledger.entries("privacy_event") == []


def test_a_model_that_is_sent_once_is_measured_at_each_site(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path, federation={"rounds": 1})
    sent = {"lean": np.full(3, 0.4, np.float32)}
    watched = open_watch(plan, tmp_path / "run", sends=True)
    sites = Sites(tmp_path, lambda number, given: given, plan)
    watch(watched, sites, lambda: NODES, model=lambda: sent, rounds=None)
    assert found(watched).verdict == "failure"
    assert found(watched).effect == pytest.approx(0.4, abs=0.05)


def test_a_new_model_is_held_against_the_first_that_was_sent(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path, monitor={"reference": "round:1"})
    models = iter([0.1, 0.5])
    watched = open_watch(plan, tmp_path / "run", sends=True)
    sites = Sites(tmp_path, lambda number, given: given, plan)
    watch(
        watched,
        sites,
        lambda: NODES,
        model=lambda: {"lean": np.full(3, next(models), np.float32)},
        rounds=None,
    )
    effects = [past.findings[0].effect for past in watched.monitor.findings().rounds]
    assert effects[0] == pytest.approx(0.0, abs=0.05)
    assert found(watched).verdict == "failure"


@pytest.mark.parametrize("sends", [True, False])
def test_a_watch_goes_on_as_it_began(sends: bool, tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    watched = open_watch(plan, tmp_path / "run", sends=sends)
    sites = Sites(tmp_path, leaning(0.02), plan)
    model = {"lean": np.zeros(3, np.float32)}
    with pytest.raises(InputError, match="in each round or in none"):
        watched.round(sites, NODES, {} if sends else model)
    with pytest.raises(RunError, match="this watch began with"):
        open_watch(plan, tmp_path / "run", sends=not sends)
    assert watched.ledger.entries("privacy_event") == []


def test_what_a_site_kept_of_an_earlier_training_is_its_own_adapter(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path, federation={"rounds": 1})
    kept = {"local": {"lean": np.full(3, 0.4, np.float32)}}
    watched = open_watch(plan, tmp_path / "run")
    watch(watched, Sites(tmp_path, None, plan, kept=kept), lambda: NODES, rounds=None)
    assert found(watched).verdict == "failure"


def test_a_site_without_any_adapter_is_a_missed_round(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    watched = open_watch(plan, tmp_path / "run")
    assert watched.round(Sites(tmp_path, None, plan), NODES) is None
    assert watched.missed()


def unshown(tmp_path: Path, own: Any, *, score: Any = lean, **changes: Any) -> Any:
    """What is found of sites whose effect is zero."""
    plan = watch_plan(tmp_path, federation={"rounds": 1}, **changes)
    sends = plan.reference_round == 1
    sent = {"lean": np.full(3, 0.1, np.float32)} if sends else {}
    watched = open_watch(plan, tmp_path / "run", sends=sends)
    sites = Sites(tmp_path, own, plan, score=score)
    watch(watched, sites, lambda: NODES, model=lambda: sent, rounds=None)
    return found(watched)


def deaf(items: Any, arrays: Any) -> Any:
    """Scores the base, whatever it is given."""
    return lean(items, None)


def other(items: Any, arrays: Any) -> Any:
    """Scores one and the same adapter, whichever it is given."""
    return lean(items, {"lean": np.full(3, 0.02)} if arrays else None)


CONSTRUCTED: dict[str, tuple[Any, dict[str, Any]]] = {
    "the site's own is what was sent, and that the reference": (
        lambda number, sent: sent,
        {"monitor": {"reference": "round:1"}},
    ),
    "a site that has none says the base": (lambda number, sent: {}, {}),
    "score ignores what it is given": (leaning(0.1), {"score": deaf}),
    "score knows one adapter alone": (leaning(0.1), {"score": other}),
}


@pytest.mark.parametrize("why", CONSTRUCTED)
def test_nothing_is_healthy_by_construction(why: str, tmp_path: Path) -> None:
    own, changes = CONSTRUCTED[why]
    finding = unshown(tmp_path, own, **changes)
    assert abs(finding.effect) < 0.1
    assert finding.verdict == "undetermined"
    assert finding.unshown == pytest.approx(1, abs=0.1)


def test_an_adapter_that_changes_nothing_and_acts_is_an_honest_zero(tmp_path: Path) -> None:
    # Its arrays are others than the base's, answers move with them, and on these items by nothing.
    def score(items: Any, arrays: Any) -> Any:
        shift = 0.0 if arrays is None else float(arrays["lean"][1] - arrays["lean"][0])
        odd = 0.01 if arrays is not None else 0.0
        return [[0.5 - shift - odd * s, 0.5 + shift + odd * s] for s in balanced(items)]

    def balanced(items: Any) -> list[int]:
        return [1 if int(item.id) % 2 else -1 for item in items]

    finding = unshown(tmp_path, leaning(0.1), score=score)
    assert finding.verdict == "healthy"
    assert finding.effect == pytest.approx(0, abs=0.05)
