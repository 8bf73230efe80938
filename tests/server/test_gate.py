"""The gate promotes what is good, holds what failed, and does not flap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import PlanError
from unsilent.findings import Verdict
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plans import demo_plan
from unsilent.server.gate import Cause, Decision, Override, Reading, decide, overridden, starts_from

MODES = {"amplified_bias": {"tolerance": 0.1}, "alignment_erosion": {"tolerance": 0.1}}
PERFORMANCE = {
    "count": 40,
    "groups": ["A", "B"],
    "statistics": {
        "acc": {"statistic": "accuracy", "by": "group", "tolerance": 0.1},
        "all": {"statistic": "accuracy", "tolerance": 0.1},
    },
}
LETTERS: dict[str, tuple[Verdict, Verdict] | None] = {
    "H": ("healthy", "healthy"),
    "F": ("failure", "healthy"),
    "B": ("failure", "undetermined"),
    "U": ("undetermined", "healthy"),
    "M": None,
}


def plan(**gate: object) -> MonitoringPlan:
    counted = {"performance": PERFORMANCE} if "statistics" in gate else {}
    return parse_plan(
        {"name": "gated", "modes": MODES, "gate": {"action": "hold", **gate}, **counted}
    )


def reading(number: int, letter: str) -> Reading:
    verdicts = LETTERS[letter]
    if verdicts is None:
        return Reading(number, f"sha256:{number}", {}, "too few clients answered")
    return Reading(number, f"sha256:{number}", dict(zip(("SF-1", "SF-6"), verdicts, strict=True)))


def course(of: MonitoringPlan, letters: str) -> list[Decision]:
    made: list[Decision] = []
    for number, letter in enumerate(letters, start=1):
        made.append(decide(of, reading(number, letter), made))
    return made


def promoted(made: Sequence[Decision]) -> list[int]:
    return [each.promoted_round for each in made]


@pytest.mark.parametrize(
    ("gate", "letters", "expected"),
    [
        ({}, "HHH", [1, 2, 3]),
        ({}, "HFH", [1, 1, 1]),
        ({}, "HFHH", [1, 1, 1, 4]),
        ({"open_after": 1}, "HFH", [1, 1, 3]),
        ({"close_after": 2}, "HFHFFHH", [1, 1, 3, 3, 3, 3, 7]),
        ({}, "UHU", [0, 2, 2]),
        ({"undetermined": "promote"}, "UHMF", [1, 2, 3, 3]),
        ({}, "HFHUH", [1, 1, 1, 1, 5]),
        ({}, "HFHMH", [1, 1, 1, 1, 5]),
        ({"undetermined": "promote"}, "HFUU", [1, 1, 1, 4]),
        ({"close_after": 2}, "HFUFH", [1, 1, 1, 1, 1]),
        ({"close_after": 2, "undetermined": "promote"}, "HFUFH", [1, 1, 3, 3, 5]),
        ({"action": "rollback"}, "HFFHH", [1, 1, 1, 1, 5]),
    ],
)
def test_clients_use_the_last_good_adapter(
    gate: dict[str, object], letters: str, expected: list[int]
) -> None:
    assert promoted(course(plan(**gate), letters)) == expected


@given(
    letters=st.text("HFBUM", max_size=40),
    close_after=st.integers(1, 4),
    open_after=st.integers(1, 4),
    undetermined=st.sampled_from(["wait", "promote"]),
    action=st.sampled_from(["hold", "rollback"]),
)
def test_no_course_of_verdicts_makes_it_flap(
    letters: str, close_after: int, open_after: int, undetermined: str, action: str
) -> None:
    of = plan(
        action=action, close_after=close_after, open_after=open_after, undetermined=undetermined
    )
    made = course(of, letters)
    assert promoted(made) == sorted(promoted(made))
    good = "H" if undetermined == "wait" else "HUM"
    states = [False, *(each.closed for each in made)]
    changes = [0, *(n for n, (was, now) in enumerate(pairwise(states), 1) if was != now)]
    for before, after in pairwise(changes):
        between = letters[before:after]
        if states[after]:
            assert sum(letter in "FB" for letter in between) >= close_after
        else:
            assert sum(letter in good for letter in between) >= open_after
    for each, letter in zip(made, letters, strict=True):
        if each.promoted_round == each.round:
            assert letter in good and not each.closed and each.action == "promote"
        if each.action == "rollback":
            assert action == "rollback" and letter in "FB" and each.closed


@given(st.text("HFBUM", min_size=1, max_size=12))
def test_with_wait_what_is_undetermined_is_as_if_it_had_not_been(letters: str) -> None:
    whole = course(plan(), letters)[-1]
    known = [letter for letter in letters if letter in "HFB"]
    last = (course(plan(), "".join(known)) or [None])[-1]
    assert (whole.closed, whole.failures, whole.passes) == (
        (last.closed, last.failures, last.passes) if last else (False, 0, 0)
    )


def test_a_decision_names_the_findings_that_caused_it() -> None:
    healthy, failed, open_, missed = course(plan(), "HFUM")
    entry = "sha256:1"
    assert healthy.caused_by == (
        Cause(entry, "SF-1", "healthy"),
        Cause(entry, "SF-6", "healthy"),
    )
    assert failed.caused_by == (Cause("sha256:2", "SF-1", "failure"),)
    assert failed.reason == "FAILURE: SF-1 amplified bias"
    assert open_.caused_by == (Cause("sha256:3", "SF-1", "undetermined"),)
    assert "0 of 2 good rounds" in open_.reason
    assert missed.caused_by == (Cause("sha256:4"),)
    assert "too few clients answered" in missed.reason


def test_what_was_open_is_named_where_it_is_promoted() -> None:
    (made,) = course(plan(undetermined="promote"), "U")
    assert (made.action, made.reason) == ("promote", "UNDETERMINED: SF-1 amplified bias")


def test_a_mode_that_does_not_count_holds_nothing_back() -> None:
    of = plan(modes=["alignment_erosion"])
    assert promoted(course(of, "FHU")) == [1, 2, 3]


def test_an_override_changes_the_adapter_and_nothing_else() -> None:
    made = course(plan(), "HF")
    said = Override("sha256:o", 2, "the probes are wrong", "Ada")
    made.append(overridden(said, 3, made))
    assert (made[-1].promoted_round, made[-1].closed) == (2, True)
    assert made[-1].caused_by == (Cause("sha256:o"),)
    assert made[-1].reason == "Ada: the probes are wrong"
    after = decide(plan(), reading(3, "F"), made)
    assert (after.promoted_round, after.failures) == (2, 2)


def test_a_round_starts_from_the_last_good_adapter_after_a_rollback() -> None:
    of = plan(action="rollback")
    made = course(of, "HF")
    assert made[-1].action == "rollback"
    assert [starts_from(of, number, made) for number in (3, 4)] == [1, 3]
    assert starts_from(plan(), 3, course(plan(), "HF")) == 2
    made.append(overridden(Override("sha256:o", 2, "fine", "Ada"), 3, made))
    assert starts_from(of, 3, made) == 2


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"action": "stop"}, "'stop' is not known"),
        ({"modes": ["fairness_collapse"]}, "'fairness_collapse' is not planned; planned are"),
        ({"modes": ["amplified_bias", "amplified_bias"]}, "listed twice"),
        ({"open_after": 0}, "must be at least 1"),
        ({"closed_after": 1}, "Did you mean 'close_after'?"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(gate: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(**gate)
    assert words in caught.value.line()


def test_a_plan_without_a_gate_keeps_its_digest() -> None:
    without = parse_plan({"name": "gated", "modes": MODES})
    observing = parse_plan({"name": "gated", "modes": MODES, "gate": {"action": "observe"}})
    assert "gate" not in without.to_json()
    assert observing.digest == without.digest != plan().digest
    assert parse_plan(plan().to_json()) == plan()


def test_the_demo_has_the_gate_that_is_asked_for() -> None:
    gated, plain = demo_plan("skewed", "fleet", gate="rollback"), demo_plan("skewed", "fleet")
    assert (gated.gate.action, plain.gate.action) == ("rollback", "observe")
    assert "gate" not in plain.to_json()


@pytest.mark.parametrize(
    ("counted", "performance", "action"),
    [
        (["acc"], {"acc/A": "healthy", "acc/B": "failure", "all": "healthy"}, "hold"),
        (["acc"], {"acc/A": "healthy", "acc/B": "healthy", "all": "failure"}, "promote"),
        (["acc"], {"acc/A": "healthy", "acc/B": "undetermined", "all": "healthy"}, "hold"),
        # A group that the findings say nothing of is no healthy one.
        (["acc"], {"acc/A": "healthy"}, "hold"),
        (["acc", "all"], {"acc/A": "healthy", "acc/B": "healthy", "all": "healthy"}, "promote"),
        ([], {"acc/A": "failure", "acc/B": "failure", "all": "failure"}, "promote"),
    ],
)
def test_statistics_count_where_the_plan_says_so(
    counted: list[str], performance: dict[str, Verdict], action: str
) -> None:
    of = plan(statistics=counted)
    verdicts: dict[str, Verdict] = {"SF-1": "healthy", "SF-6": "healthy"}
    made = decide(of, Reading(1, "sha256:1", verdicts, performance=performance), [])
    assert made.action == action
    if "failure" in performance.values() and action == "hold":
        assert made.reason == "FAILURE: acc/B on records"
        assert made.caused_by == (Cause("sha256:1", "acc/B", "failure"),)
