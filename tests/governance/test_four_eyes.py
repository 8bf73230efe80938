"""An override needs two persons, in the gate and in a verifier, whatever stands in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.governance.history import ROLES, History, plan_with
from tests.serve.run_maker import RunMaker, plan_of
from unsilent.errors import InputError
from unsilent.evidence.record_faults import record_faults
from unsilent.governance.people import same_person
from unsilent.ledger.events import Cause, Decision, GateOverridden
from unsilent.ledger.people import ActionClosed, OverrideAnswered, OverrideAsked, ReviewHeld
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.gating import answer_run, ask_run, gating, override_run

HEAD = "sha256:" + "0" * 64


def governed(**more: object) -> MonitoringPlan:
    return parse_plan({**plan_of().to_json(), "governance": {"roles": ROLES, **more}})


@pytest.fixture
def run(tmp_path: Path) -> RunMaker:
    return RunMaker(tmp_path / "ward", governed()).judged(1, 2)


def in_use(run: RunMaker) -> int:
    return gating(run.folder).standing.promoted_round


def test_one_asks_another_approves_and_then_it_takes_effect(run: RunMaker) -> None:
    before = in_use(run)
    asked = ask_run(run.folder, 2, reason="needed", by="Ada")
    run.judged(3)
    assert in_use(run) == before, "asking changes nothing"
    assert [each.entry.index for each in gating(run.folder).asked] == [asked.entry.index]
    answer_run(run.folder, asked.entry.index, approved=True, note="agreed", by="Dan")
    assert gating(run.folder).asked == ()
    run.judged(4)
    assert in_use(run) == 2
    (made,) = [d for d in gating(run.folder).decisions if d.action == "overruled"]
    assert made.reason == "Ada, approved by Dan: needed"
    assert list(record_faults(run.plan, run.ledger.entries())) == []


def test_a_refused_one_has_no_effect(run: RunMaker) -> None:
    before = in_use(run)
    asked = ask_run(run.folder, 2, reason="needed", by="Ada")
    answer_run(run.folder, asked.entry.index, approved=False, note="no", by="Dan")
    run.judged(3)
    assert in_use(run) == before


@pytest.mark.parametrize("name", ["Dan", " dan ", "DAN", "D\u200ban", "Ｄan"])
def test_the_asker_in_any_spelling_cannot_answer(run: RunMaker, name: str) -> None:
    asked = ask_run(run.folder, 2, reason="needed", by="Dan")
    size = run.ledger.size
    with pytest.raises(InputError, match=r"cannot answer it|printable"):
        answer_run(run.folder, asked.entry.index, approved=True, note="agreed", by=name)
    assert run.ledger.size == size


def test_only_who_decides_by_the_plan_answers(run: RunMaker) -> None:
    asked = ask_run(run.folder, 2, reason="needed", by="Ada")
    with pytest.raises(InputError, match="does not name this person"):
        answer_run(run.folder, asked.entry.index, approved=True, note="agreed", by="Mallory")
    answer_run(run.folder, asked.entry.index, approved=True, note="agreed", by="eve")
    with pytest.raises(InputError, match="has been answered"):
        answer_run(run.folder, asked.entry.index, approved=False, note="no", by="Dan")


def test_nobody_overrides_alone(run: RunMaker) -> None:
    size = run.ledger.size
    with pytest.raises(InputError, match="four eyes"):
        override_run(run.folder, 2, reason="needed", by="Ada")
    for index in (1, 10_000):
        with pytest.raises(InputError, match="asks for no override"):
            answer_run(run.folder, index, approved=True, note="agreed", by="Dan")
    with pytest.raises(InputError, match="decided about no round 9"):
        ask_run(run.folder, 9, reason="needed", by="Ada")
    assert run.ledger.size == size


@pytest.mark.parametrize(
    "forged",
    [
        lambda asked: GateOverridden(2, "needed", "Ada"),
        lambda asked: OverrideAnswered(asked, True, "agreed", "Ada"),
        lambda asked: OverrideAnswered(asked, True, "agreed", "Mallory"),
        lambda asked: OverrideAnswered(HEAD, True, "agreed", "Dan"),
    ],
    ids=["alone", "self", "stranger", "nothing asked"],
)
def test_what_another_program_writes_has_no_effect(run: RunMaker, forged) -> None:
    before = in_use(run)
    asked = ask_run(run.folder, 2, reason="needed", by="Ada")
    entry = run.ledger.record(forged(asked.entry.hash))
    run.judged(3, 4)
    assert in_use(run) == before
    # Nor a decision that says so nevertheless, which a verifier names.
    run.ledger.record(Decision(4, "overruled", 2, True, 1, 0, "x", (Cause(entry.hash),)))
    faults = [what for _, what in record_faults(run.plan, run.ledger.entries())]
    assert any("two persons did not agree" in what for what in faults)


def test_without_the_table_one_person_overrides_as_before(tmp_path: Path) -> None:
    run = RunMaker(tmp_path / "ward").judged(1, 2)
    override_run(run.folder, 2, reason="needed", by="Ada")
    run.judged(3)
    assert in_use(run) == 2
    with pytest.raises(InputError, match="no second person"):
        ask_run(run.folder, 2, reason="needed", by="Ada")
    one = RunMaker(tmp_path / "lab", governed(four_eyes=False)).judged(1, 2)
    override_run(one.folder, 2, reason="needed", by="Ada")


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (OverrideAnswered(HEAD, True, "x", "Dan"), "nobody asked for"),
        (ActionClosed(HEAD, "x", None, "Dan"), "not there"),
        (ReviewHeld("go on", "x", "Mallory", HEAD), "let this person review"),
    ],
)
def test_acts_about_nothing_and_of_nobody_are_named(event, what: str) -> None:
    history = History(plan_with({"roles": ROLES}))
    history.add(1, event)
    ((where, told),) = record_faults(history.plan, history.entries)
    assert (where, what in told) == ("ledger entry 2", True)


def test_an_answer_before_the_question_is_none() -> None:
    history = History(plan_with({"roles": ROLES}))
    asked = OverrideAsked(1, "needed", "Ada")
    twin = History(history.plan)
    twin.add(1, OverrideAnswered(HEAD, True, "x", "Dan"))
    later = twin.add(2, asked)
    history.add(1, OverrideAnswered(later.hash, True, "x", "Dan"))
    assert [what for _, what in record_faults(history.plan, history.entries)]


def test_names_differ_where_people_do() -> None:
    assert same_person("Ada  Lovelace", " ada lovelace")
    assert not same_person("Ada Lovelace", "Ada Byron")


@pytest.mark.parametrize("sign", ["\u200b", "\u034f", "\u115f", "\ufe0f", "\U000e0100", "\u3164"])
def test_a_sign_that_shows_nothing_makes_no_second_person(sign: str) -> None:
    assert same_person(f"Ada{sign} Lovelace", "Ada Lovelace")
    assert same_person("Ada\u2800Lovelace", "Ada Lovelace")
