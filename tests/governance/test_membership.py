"""Who left for good and who joined: numbers that add up, and are held against the sums."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.governance.history import ROLES, History, judged, plan_with
from unsilent.errors import InputError
from unsilent.evidence.record_faults import record_faults
from unsilent.governance.membership import change_clients, membership, words
from unsilent.ledger import Ledger
from unsilent.ledger.events import PlanDeclared, PlanFollowed, RoundMissed, RoundSummed
from unsilent.ledger.people import ClientsChanged
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import parse_plan
from unsilent.report.standing import facts

PLAN = plan_with({"roles": ROLES})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite")
    made.record(PlanDeclared.of(PLAN))
    return made


def change(ledger: Ledger, left: int, joined: int, by: str = "Dan") -> Any:
    return change_clients(ledger, PLAN, left=left, joined=joined, reason="moved", by=by)


def test_the_numbers_follow_one_another(ledger: Ledger) -> None:
    assert membership(RunView(ledger)) is None
    change(ledger, 3, 1)
    ledger.record(RoundMissed(1, "nobody came"))
    change(ledger, 0, 2)
    found = membership(RunView(ledger))
    assert found is not None
    assert (found.began, found.there, found.left, found.joined, found.ever) == (24, 24, 3, 3, 27)
    assert [each.event.round for each in found.changes] == [0, 1]
    assert [each.event.there for each in found.changes] == [22, 24]
    # As of an entry it is what it was.
    earlier = membership(RunView(ledger, 2))
    assert earlier is not None
    assert earlier.there == 22
    assert "27 were ever" in words(found)
    assert "counts as missing" in words(earlier)
    assert "counts as missing" not in words(found)


@pytest.mark.parametrize(
    ("left", "joined", "by", "said"),
    [
        (0, 0, "Dan", "nobody left"),
        (-1, 0, "Dan", "a number of clients"),
        (25, 25, "Dan", "24 are there"),
        (0, 1, "Dan", "the plan enrols 24"),
        (1, 0, "Rita", "roles.decides"),
        (1, 0, " ", "empty"),
    ],
)
def test_what_cannot_be_is_refused(
    left: int, joined: int, by: str, said: str, ledger: Ledger
) -> None:
    with pytest.raises(InputError, match=said):
        change(ledger, left, joined, by)
    assert ledger.size == 1


def test_a_plan_that_follows_says_anew_how_many_there_are() -> None:
    history = History(PLAN)
    history.add(1, ClientsChanged(0, 4, 0, 20, "moved", "Dan"))
    data = PLAN.to_json()
    for name, clients in (("second", 20), ("third", 30)):
        data = {**data, "name": name, "federation": {"clients": clients, "rounds": 9}}
        following = parse_plan(data)
        history.add(2, PlanFollowed(1, PLAN.digest, following.digest, following.to_json(), False))
    found = membership(RunView(KeptEntries(history.entries)))
    assert found is not None
    # Ten more than the twenty that were left are new ones.
    assert (found.there, found.left, found.joined, found.ever) == (30, 4, 10, 34)


def test_nothing_is_said_of_it_where_nobody_left() -> None:
    history = History(PLAN)
    history.add(1, judged(1, SF_1="healthy"))
    stands = history.status(2)
    assert "clients" not in stands.to_json()
    assert "clients" not in dict(facts(stands))
    history.add(3, ClientsChanged(1, 1, 1, 24, "moved", "Dan"))
    stands = history.status(4)
    assert stands.to_json()["clients"]["ever"] == 25
    assert "25 were ever" in dict(facts(stands))["clients"]


def summed(clients: int) -> RoundSummed:
    return RoundSummed(1, clients, f"sha256:{0:064}", [0], 1.0)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        # One that was told to have left answers again: the sum holds more than are there.
        ([ClientsChanged(0, 2, 0, 22, "x", "Dan"), summed(23)], "holds 23 clients, and 22 were"),
        ([ClientsChanged(0, 2, 0, 22, "x", "Dan"), summed(22)], None),
        ([summed(24), ClientsChanged(1, 2, 0, 22, "x", "Dan")], None),
        ([ClientsChanged(0, 2, 0, 23, "x", "Dan")], "does not follow from the 24"),
        ([ClientsChanged(0, 25, 25, 24, "x", "Dan")], "does not follow from the 24"),
        ([ClientsChanged(0, 0, 3, 27, "x", "Dan")], "a plan that enrols 24"),
        ([ClientsChanged(0, 1, 0, 23, "x", "Rita")], "decide who is in"),
    ],
)
def test_what_another_program_writes_is_found_by_a_verifier(
    entries: list[Any], said: str | None
) -> None:
    history = History(PLAN)
    for each in entries:
        history.add(1, each)
    faults = [fault for _, fault in record_faults(PLAN, history.entries)]
    assert len(faults) == (said is not None)
    if said is not None:
        assert said in faults[0]
