"""The record as people see it: overdue is shown, and "not declared" is not "none"."""

from __future__ import annotations

import json

from tests.governance.history import ROLES, History, at, judged, plan_with, version_with
from unsilent.evidence.derived import as_of
from unsilent.governance.status import counts, status
from unsilent.ledger.events import PlanFollowed
from unsilent.ledger.people import ComplaintAnswered, ComplaintRecorded, ReviewHeld
from unsilent.report.standing import LOOKS, NOT_DECLARED, facts

HEAD = "sha256:" + "0" * 64
WHOLE = {
    "roles": ROLES,
    "triggers": [{"on": "failure", "action": "review", "within": 24}],
    "aware_within": 24,
    "review_every": 2,
    "retention": 10,
    "complaints": "the desk",
}


def told(history: History, hours: float) -> dict[str, str]:
    return dict(facts(history.status(hours)))


def review(by: str = "Rita") -> ReviewHeld:
    return ReviewHeld("go on", "read", by, HEAD)


def test_what_nobody_declared_is_called_so_and_looks_unlike_none() -> None:
    bare, whole = told(History(plan_with(None)), 1), told(History(plan_with(WHOLE)), 1)
    for name in ("who reviews", "who decides", "who is informed", "kept until"):
        assert bare[name] == NOT_DECLARED
        assert "∅" not in whole[name]
    assert bare["triggers"].startswith(NOT_DECLARED)
    assert "cadence ∅ not declared" in bare["reviews"]
    assert "no evidence of none" in bare["complaints and feedback"]
    assert whole["complaints and feedback"] == "none recorded; people complain at the desk"
    assert not any("∅" in words for words in whole.values())


def test_an_empty_table_declares_nothing_but_four_eyes() -> None:
    bare, empty = told(History(plan_with(None)), 1), told(History(plan_with({})), 1)
    assert {name for name in bare if bare[name] != empty[name]} == {"overrides of the gate"}


def test_a_review_that_is_overdue_says_so_and_one_that_was_late_goes_on_saying_so() -> None:
    history = History(plan_with(WHOLE))
    assert "next due 2026-01-03 00:00 UTC" in told(history, 48)["reviews"]
    assert "✖ OVERDUE since 2026-01-03 00:00 UTC" in told(history, 49)["reviews"]
    assert history.status(49).overdue == 1
    history.add(60, review())
    words = told(history, 61)["reviews"]
    assert "OVERDUE" not in words
    assert "1 of them late" in words
    history.add(70, review())
    assert history.status(71).reviews.late == history.status(61).reviews.late
    assert history.status(200).reviews.overdue(at(200))


def test_complaints_are_counted_and_their_text_is_nowhere() -> None:
    history = History(plan_with(WHOLE))
    said = history.add(1, ComplaintRecorded("complaint", "unsafe", "SF-1", HEAD, "Nurse"))
    history.add(2, ComplaintRecorded("complaint", "wrong", None, None, "Nurse"))
    history.add(3, ComplaintRecorded("feedback", "other", None, None, "Nurse"))
    history.add(4, ComplaintAnswered(said.hash, "upheld", "looked at", "Rita"))
    found = history.status(5)
    assert counts(found.complaints) == {
        "complaints": 2,
        "feedback": 1,
        "open": 1,
        "upheld": 1,
        "not upheld": 0,
    }
    assert found.open_complaints == 1
    told_of = found.to_json()["complaints"]["each"][0]
    assert (told_of["digest"], told_of["state"]) == (HEAD, "upheld")


def test_retention_counts_from_the_newest_entry() -> None:
    history = History(plan_with(WHOLE))
    history.add(24, judged(1, SF_1="healthy"))
    assert history.status(25).kept_until == at(24 + 240)


def test_json_says_none_for_what_was_not_declared() -> None:
    data = json.loads(json.dumps(History(plan_with(None)).status(1).to_json()))
    assert data["declared"] is None
    assert data["complaints"]["where"] is None
    assert data["reviews"]["overdue"] is None
    assert data["kept_until"] is None
    declared = History(plan_with(WHOLE)).status(1).to_json()
    assert declared["reviews"]["overdue"] is False


def test_no_two_standings_look_alike() -> None:
    shown = [(look.symbol, look.word) for look in LOOKS.values()]
    assert len(set(shown)) == len(shown)
    assert len({look.word for look in LOOKS.values()}) == len(shown)


def test_a_pack_that_is_dated_back_makes_no_deadline_young_again() -> None:
    history = History(plan_with(WHOLE))
    history.add(60, judged(1, SF_1="healthy"))
    assert as_of(history.run, at(1)) == at(60)
    assert as_of(history.run, at(90)) == at(90)
    found = status(history.plan, history.run, as_of(history.run, at(1)))
    assert found.to_json()["reviews"]["overdue"] is True


def test_a_plan_that_follows_makes_no_review_late_and_none_in_time() -> None:
    for first_every, later_every, late in ((30, 90, 1), (90, 30, 0)):
        first = version_with({"review_every": first_every}, 1)
        second = version_with({"review_every": later_every}, 3, follows=first.digest, last=1)
        run = History(first)
        head = run.entries[0].hash
        run.add(24 * 50, ReviewHeld("go on", "read", "Rita", head))
        run.add(24 * 51, PlanFollowed(1, first.digest, second.digest, second.to_json(), False))
        found = status(second, run.run, at(24 * 60))
        assert len(found.reviews.late) == late
        assert found.reviews.next_due == at(24 * (50 + later_every))
