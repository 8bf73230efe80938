"""The gate's decisions in the ledger: once each, with what caused them, and overridden by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.errors import InputError, LedgerError
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.gate import Decision
from unsilent.server.gate_keeper import Gate, decisions, override, overrides


def plan(**gate: object) -> MonitoringPlan:
    modes = {"amplified_bias": {"tolerance": 0.1}}
    return parse_plan({"name": "kept", "modes": modes, "gate": {"action": "hold", **gate}})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def judged(ledger: Ledger, number: int, verdict: str) -> str:
    """Findings as the monitor writes them; its hash."""
    found = [{"code": "SF-1", "verdict": verdict}, {"code": "SF-2", "verdict": None}]
    return ledger.append("findings", {"round": number, "clients": 4, "findings": found}).hash


def actions(ledger: Ledger) -> list[tuple[int, str, int]]:
    return [(made.round, made.action, made.promoted_round) for made in decisions(ledger)]


def test_each_decision_names_the_entry_that_caused_it(ledger: Ledger) -> None:
    gate = Gate(plan(), ledger)
    first = judged(ledger, 1, "healthy")
    gate.close(1)
    second = judged(ledger, 2, "failure")
    gate.close(2)
    missed = ledger.append("missed", {"round": 3, "reason": "nobody came"}).hash
    gate.close(3)
    made = [cause.entry for each in decisions(ledger) for cause in each.caused_by]
    assert made == [first, second, missed]
    assert actions(ledger) == [(1, "promote", 1), (2, "hold", 1), (3, "hold", 1)]
    assert ledger.verify() == 6


def test_a_gate_that_observes_writes_nothing(ledger: Ledger) -> None:
    gate = Gate(plan(action="observe"), ledger)
    judged(ledger, 1, "failure")
    assert (gate.begin(1), gate.close(1), gate.decides) == (0, None, False)
    assert ledger.entries("gate") == []


def test_a_round_is_decided_about_once_though_the_server_comes_to_it_twice(ledger: Ledger) -> None:
    judged(ledger, 1, "failure")
    first = Gate(plan(), ledger).close(1)
    again = Gate(plan(), ledger)
    assert again.begin(1) == 0
    assert again.close(1) == first == again.standing
    assert len(ledger.entries("gate")) == 1


def test_a_round_that_was_missed_and_then_judged_is_decided_about_anew(ledger: Ledger) -> None:
    of = plan(undetermined="promote")
    ledger.append("missed", {"round": 1, "reason": "nobody came"})
    Gate(of, ledger).close(1)
    judged(ledger, 1, "failure")
    again = Gate(of, ledger)
    again.begin(1)
    again.close(1)
    assert actions(ledger) == [(1, "promote", 1), (1, "hold", 0)]
    assert again.standing.failures == 1


def test_a_rollback_starts_the_next_round_from_the_last_good_adapter(ledger: Ledger) -> None:
    gate = Gate(plan(action="rollback"), ledger)
    starts = []
    for number, verdict in enumerate(("healthy", "failure", "failure", "healthy"), start=1):
        starts.append(gate.begin(number))
        judged(ledger, number, verdict)
        gate.close(number)
    assert [*starts, gate.begin(5)] == [0, 1, 1, 1, 4]
    assert gate.standing.promoted_round == 1


def test_a_killed_server_starts_the_round_again_from_the_same_adapter(ledger: Ledger) -> None:
    of = plan(action="rollback")
    gate = Gate(of, ledger)
    judged(ledger, 1, "healthy")
    gate.close(1)
    judged(ledger, 2, "failure")
    assert gate.begin(2) == 1
    gate.close(2)
    # Killed before round 2 was noted as whole, so that it is trained again.
    assert Gate(of, ledger).begin(2) == 1
    assert Gate(of, ledger).begin(3) == 1


def test_an_override_takes_effect_in_the_next_round_and_once(ledger: Ledger) -> None:
    of = plan(action="rollback")
    gate = Gate(of, ledger)
    for number, verdict in enumerate(("healthy", "failure"), start=1):
        gate.begin(number)
        judged(ledger, number, verdict)
        gate.close(number)
    said = override(ledger, 2, reason=" the probes were wrong ", by="Ada Lovelace")
    assert gate.standing.promoted_round == 1
    assert gate.begin(3) == 2
    assert Gate(of, ledger).begin(3) == 2
    assert actions(ledger)[-1] == (3, "overruled", 2)
    assert gate.standing.caused_by[0].entry == said.entry
    judged(ledger, 3, "failure")
    gate.close(3)
    assert gate.begin(4) == 2
    assert len(ledger.entries("gate")) == 4
    assert overrides(ledger, of) == (said,)
    assert (said.reason, said.by) == ("the probes were wrong", "Ada Lovelace")


def test_the_last_of_several_overrides_holds(ledger: Ledger) -> None:
    gate = Gate(plan(), ledger)
    for number in (1, 2):
        judged(ledger, number, "failure")
        gate.close(number)
    for number in (2, 1):
        override(ledger, number, reason="so", by="Ada")
    gate.begin(3)
    assert gate.standing.promoted_round == 1
    assert [made.action for made in decisions(ledger)][-2:] == ["overruled", "overruled"]


@pytest.mark.parametrize(
    ("number", "reason", "by", "words"),
    [
        (2, "so", "Ada", "decided about no round 2. Name one of 0, 1;"),
        (1, " ", "Ada", "needs a reason"),
        (1, "so", "", "needs a name"),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    ledger: Ledger, number: int, reason: str, by: str, words: str
) -> None:
    judged(ledger, 1, "failure")
    Gate(plan(), ledger).close(1)
    with pytest.raises(InputError) as caught:
        override(ledger, number, reason=reason, by=by)
    assert words in caught.value.line()
    assert ledger.entries("gate_overrule") == []


def test_a_round_of_which_nothing_is_known_is_not_decided_about(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="round 1"):
        Gate(plan(), ledger).close(1)


def test_a_decision_reads_back_as_it_was_written(ledger: Ledger) -> None:
    judged(ledger, 1, "failure")
    made = Gate(plan(), ledger).close(1)
    (entry,) = ledger.entries("gate")
    assert Decision.from_payload(entry.payload) == made


def test_a_statistic_of_performance_that_fails_holds_the_adapter(ledger: Ledger) -> None:
    statistic = {"statistic": "accuracy", "by": "group", "tolerance": 0.1}
    table = {"count": 40, "groups": ["A", "B"], "statistics": {"acc": statistic}}
    data = plan().to_json()
    data["gate"]["statistics"], data["performance"] = ["acc"], table
    gate = Gate(parse_plan(data), ledger)
    for number, verdict in ((1, "healthy"), (2, "failure")):
        found = [{"code": "SF-1", "verdict": "healthy"}]
        performance = [
            {"name": "acc", "group": "A", "verdict": "healthy"},
            {"name": "acc", "group": "B", "verdict": verdict},
        ]
        told = {"round": number, "clients": 4, "findings": found, "performance": performance}
        ledger.append("findings", told)
        gate.close(number)
    assert actions(ledger) == [(1, "promote", 1), (2, "hold", 1)]
    assert decisions(ledger)[-1].caused_by[0].code == "acc/B"
    # A server that was killed and comes back decides the same.
    assert Gate(parse_plan(data), ledger).close(2) == decisions(ledger)[-1]
