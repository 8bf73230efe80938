"""Duties follow from plan and ledger; a deadline counts from awareness, and no lateness is lost."""

from __future__ import annotations

import pytest

from tests.governance.history import ROLES, History, at, judged, plan_with, version_with
from unsilent.governance.duties import causes, duties, holding
from unsilent.ledger.events import (
    GateOverridden,
    MonitoringStopped,
    PersonAware,
    PlanFollowed,
    RoundJudged,
    RoundMissed,
)
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ComplaintAnswered,
    ComplaintRecorded,
    OverrideAsked,
    PersonTold,
    ReviewHeld,
)
from unsilent.plan import MonitoringPlan

HEAD = "sha256:" + "0" * 64


def told_by(action: str, on: str = "failure", **more: object) -> History:
    row = {"on": on, "action": action, "within": 24, **more}
    return History(plan_with({"triggers": [row]}))


def aware(by: str = "Ada") -> PersonAware:
    return PersonAware(by, "read it", HEAD)


def review(by: str = "Rita") -> ReviewHeld:
    return ReviewHeld("go on", "read", by, HEAD)


def test_a_plan_without_the_table_has_no_duties() -> None:
    history = History(plan_with(None))
    history.add(1, judged(1, SF_1="failure"))
    assert history.duties() == ()
    assert history.status(2).to_json()["declared"] is None


def test_before_anybody_is_aware_no_deadline_runs_and_that_is_no_open_duty() -> None:
    history = told_by("review")
    history.add(1, judged(1, SF_1="failure"))
    (duty,) = history.duties()
    assert (duty.due, duty.standing(at(9999))) == (None, "nobody aware")
    assert history.status(9999).unheard == 1


def test_the_deadline_counts_from_awareness() -> None:
    history = told_by("review")
    history.add(1, judged(1, SF_1="failure"))
    history.add(100, aware())
    (duty,) = history.duties()
    assert duty.due == at(124)
    assert history.standings(124) == ["open"]
    assert history.standings(124.1) == ["overdue"]
    assert history.status(124.1).overdue == 1


def test_awareness_of_something_earlier_is_not_awareness_of_this() -> None:
    history = told_by("review")
    history.add(1, aware())
    history.add(2, review())
    history.add(3, judged(1, SF_1="failure"))
    assert history.standings(4) == ["nobody aware"]


def test_nobody_aware_in_time_is_overdue_and_stays_told() -> None:
    history = History(
        plan_with({"triggers": [{"on": "failure", "action": "review"}], "aware_within": 10})
    )
    history.add(1, judged(1, SF_1="failure"))
    assert history.standings(11) == ["nobody aware"]
    assert history.standings(11.1) == ["overdue"]
    history.add(20, review())
    (duty,) = history.duties()
    assert (duty.standing(at(21)), duty.aware_late) == ("done", True)
    assert history.status(21).to_json()["duties"][0]["aware_late"] is True


def test_done_late_is_not_done() -> None:
    history = told_by("review")
    history.add(1, judged(1, SF_1="failure"))
    history.add(2, aware())
    history.add(30, review())
    assert history.standings(31) == ["done late"]


def test_a_failure_that_lasts_is_one_cause_and_one_that_returns_another() -> None:
    history = told_by("review")
    for number, verdict in enumerate(
        ["healthy", "failure", "failure", "undetermined", "failure"], 1
    ):
        history.add(number, judged(number, SF_1=verdict))
    assert [duty.cause.entry.index for duty in history.duties()] == [3, 6]


def test_only_the_modes_that_are_named_fire() -> None:
    history = told_by("review", modes=["adaptation_misalignment"])
    history.add(1, judged(1, SF_1="failure", SF_4="healthy"))
    assert history.duties() == ()
    history.add(2, judged(2, SF_1="failure", SF_4="failure"))
    assert [duty.cause.code for duty in history.duties()] == ["SF-4"]


def test_performance_on_records_fires_a_row_that_names_no_mode() -> None:
    def of(round_number: int, verdict: str) -> RoundJudged:
        told = {"name": "sens", "records": "live", "compared": "others", "verdict": verdict}
        told = [{**told, "group": None}, {**told, "group": "women", "verdict": "failure"}]
        return RoundJudged(round_number, 24, [], told)

    history, named = told_by("review"), told_by("review", modes=["amplified_bias"])
    for each in (history, named):
        each.add(1, of(1, "healthy"))
        each.add(2, of(2, "failure"))
    assert [duty.cause.words for duty in history.duties()] == [
        "sens within women (live records, against others) is a FAILURE since round 1",
        "sens (live records, against others) is a FAILURE since round 2",
    ]
    assert named.duties() == ()


@pytest.mark.parametrize(
    ("on", "event"),
    [
        ("undetermined", judged(1, SF_1="undetermined")),
        ("missed", RoundMissed(1, "nobody came")),
        ("stopped", MonitoringStopped(2, "spent")),
        ("complaint", ComplaintRecorded("complaint", "unsafe", None, None, "Nurse")),
        ("override", GateOverridden(0, "why", "Dan")),
        ("override", OverrideAsked(0, "why", "Dan")),
    ],
)
def test_each_happening_fires_its_own_trigger_alone(on: str, event: object) -> None:
    for each in ("failure", "undetermined", "missed", "stopped", "complaint", "override"):
        history = told_by("review", each)
        history.add(1, event)  # type: ignore[arg-type]
        assert len(history.duties()) == (each == on), each


def test_feedback_asks_for_nothing_and_a_complaint_is_known_when_written_down() -> None:
    history = told_by("review", "complaint")
    history.add(1, ComplaintRecorded("feedback", "other", None, None, "Nurse"))
    assert history.duties() == ()
    history.add(2, ComplaintRecorded("complaint", "unsafe", None, None, "Nurse"))
    (duty,) = history.duties()
    assert (duty.aware and duty.aware.by, duty.due) == ("Nurse", at(26))


def test_those_who_are_to_be_told_are_all_told() -> None:
    roles = {**ROLES, "informed": ["the board", "the clinic"]}
    history = History(
        plan_with({"roles": roles, "triggers": [{"on": "failure", "action": "inform"}]})
    )
    cause = history.add(1, judged(1, SF_1="failure"))
    history.add(2, PersonTold("The  Board", cause.hash, "by phone", "Ada"))
    history.add(3, PersonTold("somebody else", cause.hash, "by phone", "Ada"))
    assert history.standings(4) == ["open"]
    history.add(5, PersonTold("the clinic", cause.hash, "by phone", "Ada"))
    assert history.standings(6) == ["done"]
    assert history.duties()[0].done.entry == 5  # type: ignore[union-attr]


def test_telling_of_another_entry_is_not_telling_of_this() -> None:
    history = told_by("inform")
    first = history.add(1, judged(1, SF_1="failure"))
    history.add(2, judged(2, SF_1="healthy"))
    history.add(3, judged(3, SF_1="failure"))
    history.add(4, PersonTold("the board", first.hash, "by phone", "Ada"))
    assert history.standings(5) == ["done", "nobody aware"]


def test_a_correction_is_done_when_it_is_closed_and_not_when_it_is_opened() -> None:
    history = told_by("correct")
    cause = history.add(1, judged(1, SF_1="failure"))
    opened = history.add(2, ActionOpened(cause.hash, "retrain", "Eve", "Dan"))
    assert history.standings(3) == ["open"]
    other = history.add(4, ActionOpened(HEAD, "another", "Eve", "Dan"))
    history.add(5, ActionClosed(other.hash, "of another", None, "Eve"))
    assert history.standings(6) == ["open"]
    history.add(7, ActionClosed(opened.hash, "report 7", None, "Eve"))
    assert history.standings(8) == ["done"]


def test_a_complaint_that_is_not_upheld_needs_no_correction() -> None:
    for outcome, standing in (("upheld", "open"), ("not upheld", "done")):
        history = told_by("correct", "complaint")
        said = history.add(1, ComplaintRecorded("complaint", "wrong", None, None, "Nurse"))
        history.add(2, ComplaintAnswered(said.hash, outcome, "looked at", "Rita"))  # type: ignore[arg-type]
        assert history.standings(3) == [standing], outcome


def test_what_holds_the_gate_holds_until_its_action_is_closed() -> None:
    history = told_by("hold")
    cause = history.add(1, judged(1, SF_1="failure"))
    history.add(2, judged(2, SF_1="healthy"))
    assert len(holding(history.plan, history.run)) == 1
    opened = history.add(3, ActionOpened(cause.hash, "retrain", "Eve", "Dan"))
    history.add(4, ActionClosed(opened.hash, "report 7", None, "Eve"))
    assert holding(history.plan, history.run) == ()


def versions(
    row: dict[str, object], later: dict[str, object], *, goes_on: bool = False
) -> tuple[History, MonitoringPlan]:
    """A mode that fails in the last round of a plan and in the first of the one that follows."""
    first = version_with({"triggers": [row]}, 1)
    rows = [row, later] if later != row else [row]
    second = version_with({"triggers": rows}, 3, follows=first.digest, last=1)
    run = History(first)
    run.add(1, judged(1, SF_1="failure"))
    run.add(2, PlanFollowed(1, first.digest, second.digest, second.to_json(), goes_on))
    run.add(3, judged(2, SF_1="failure"))
    return run, second


def test_what_fails_on_under_a_later_plan_is_a_cause_of_its_own() -> None:
    row = {"on": "failure", "action": "review", "within": 24}
    run, second = versions(row, row)
    assert [d.cause.entry.index for d in duties(second, run.run)] == [2, 4]


def test_where_verdicts_go_on_only_a_row_that_is_new_has_a_new_cause() -> None:
    row = {"on": "failure", "action": "review", "within": 24}
    later = {"on": "failure", "action": "correct", "within": 24}
    run, second = versions(row, row, goes_on=True)
    assert [(d.action, d.cause.entry.index) for d in duties(second, run.run)] == [("review", 2)]
    run, second = versions(row, later, goes_on=True)
    told = [(d.action, d.cause.entry.index) for d in duties(second, run.run)]
    assert told == [("review", 2), ("correct", 4)]
    # What has to follow can be chosen in a form.
    assert {cause.entry.index for cause in causes(second, run.run)} == {2, 4}


def test_of_two_answers_to_a_complaint_the_first_counts_in_duty_and_record() -> None:
    run = told_by("correct", on="complaint")
    told = run.add(1, ComplaintRecorded("complaint", "unsafe", None, None, "Ann"))
    run.add(2, ComplaintAnswered(told.hash, "upheld", "so it was", "Rita"))
    run.add(2, ComplaintAnswered(told.hash, "not upheld", "no", "Dan"))
    assert run.standings(3) == ["open"]
    assert [each.state for each in run.status(3).complaints] == ["upheld"]
