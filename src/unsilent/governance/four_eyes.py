"""Overrides of the gate where a plan asks for four eyes: one person asks, another answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from unsilent.errors import InputError
from unsilent.governance.people import check_role, in_role, person, plain_text, same_person
from unsilent.ledger import Ledger
from unsilent.ledger.people import OverrideAnswered, OverrideAsked
from unsilent.ledger.run_view import Recorded, RunView
from unsilent.plan import MonitoringPlan


@dataclass(frozen=True)
class Agreed:
    """An override that one person asked for and another approved."""

    asked: Recorded[OverrideAsked]
    answer: Recorded[OverrideAnswered]


def needs_two(plan: MonitoringPlan) -> bool:
    """Whether an override of this plan's gate needs two persons."""
    return plan.governance is not None and plan.governance.four_eyes


def asked_overrides(run: RunView) -> tuple[tuple[Recorded[OverrideAsked], bool], ...]:
    """What was asked for, oldest first, and whether somebody has answered it."""
    answered = {each.event.asked for each in run.events(OverrideAnswered)}
    return tuple((each, each.entry.hash in answered) for each in run.events(OverrideAsked))


def agreed_overrides(plan: MonitoringPlan, run: RunView) -> tuple[Agreed, ...]:
    """Overrides that count, in the order in which they were approved.

    The first answer counts, and only of another person than the one who asked, whom the plan lets
    decide, after it was asked: whatever else stands in the ledger has no effect.
    """
    return tuple(
        Agreed(asked, answer)
        for asked, answer, fault in _pairs(plan, run)
        if fault is None and answer.event.approved and asked is not None
    )


def answer_faults(plan: MonitoringPlan, run: RunView) -> Iterator[tuple[int, str]]:
    """Entries that answer an override as nobody may: their index, and what is wrong."""
    for _, answer, fault in _pairs(plan, run):
        if fault is not None:
            yield answer.entry.index, fault


def _pairs(
    plan: MonitoringPlan, run: RunView
) -> Iterator[tuple[Recorded[OverrideAsked] | None, Recorded[OverrideAnswered], str | None]]:
    asked = {each.entry.hash: each for each in run.events(OverrideAsked)}
    seen: set[str] = set()
    for answer in run.events(OverrideAnswered):
        question = asked.get(answer.event.asked)
        fault = None
        if question is None or question.entry.index > answer.entry.index:
            fault = "answers an override that nobody asked for before it"
        elif answer.event.asked in seen:
            fault = "answers an override that was answered before"
        elif needs_two(plan) and same_person(question.event.by, answer.event.by):
            fault = "the one who asked for an override answered it too"
        elif not in_role(plan.governance, "decides", answer.event.by):
            fault = "the plan does not let this person decide"
        seen.add(answer.event.asked)
        yield question, answer, fault


def ask_override(
    ledger: Ledger, plan: MonitoringPlan, round_number: int, *, reason: str, by: str
) -> Recorded[OverrideAsked]:
    """Record that a person asks for an override. Raises InputError for an empty text.

    Whether the gate knows of the round is for the caller to check.
    """
    if not needs_two(plan):
        raise InputError(
            "this plan asks for no second person",
            where=ledger.where,
            remedy="Override the gate with `unsilent gate override`.",
        )
    event = OverrideAsked(round_number, plain_text(reason, "reason"), person(by))
    return Recorded(ledger.record(event), event)


def answer_override(
    ledger: Ledger, plan: MonitoringPlan, index: int, *, approved: bool, note: str, by: str
) -> Recorded[OverrideAnswered]:
    """Record another person's answer to the override that the entry ``index`` asks for.

    Raises:
        InputError: Nothing was asked there, it was answered, or this person may not answer it.
    """
    name, words = person(by), plain_text(note, "note")
    run = RunView(ledger)
    found = [each for each in asked_overrides(run) if each[0].entry.index == index]
    if not found:
        raise InputError(
            f"entry {index} asks for no override",
            where=ledger.where,
            remedy="`unsilent gate RUN` lists what was asked for.",
        )
    question, answered = found[0]
    if answered:
        raise InputError(
            "it has been answered",
            where=f"ledger entry {index}",
            remedy="Ask anew if it is wanted again.",
        )
    if same_person(question.event.by, name):
        raise InputError(
            "the one who asks for an override cannot answer it",
            where="by",
            remedy="Let another person answer.",
        )
    check_role(plan.governance, "decides", name)
    event = OverrideAnswered(question.entry.hash, approved, words, name)
    return Recorded(ledger.record(event), event)
