"""Entries as typed events: the same payloads as ever, checked where they are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import Ledger
from unsilent.ledger.events import (
    AlertFailed,
    Cause,
    Decision,
    GateOverridden,
    MonitoringStopped,
    OtherEvent,
    ParityChecked,
    PersonAware,
    PlanDeclared,
    ReleaseBooked,
    RoundJudged,
    RoundMissed,
    RoundSummed,
    SystemReported,
    event_of,
)
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ClientsChanged,
    ComplaintAnswered,
    ComplaintRecorded,
    OverrideAnswered,
    OverrideAsked,
    PersonTold,
    ReviewHeld,
)
from unsilent.release import PrivacyEvent, Release

LAYOUT = "sha256:" + "a" * 64
ENTRY = "sha256:" + "b" * 64
SUM = Release(LAYOUT, 2, 30, np.array([5, -7]), 64.0)
FOUND = [{"code": "SF-1", "verdict": "failure"}, {"code": "SF-2", "verdict": None}]

# Written down, since what the chain hashed in earlier ledgers must stay as it is.
PAYLOADS = [
    (PlanDeclared("sha256:0", {"name": "x"}), '{"digest":"sha256:0","plan":{"name":"x"}}'),
    (SystemReported(2, 0.5, 0.75), '{"accuracy":0.75,"loss":0.5,"round":2}'),
    (
        ReleaseBooked(PrivacyEvent("discrete_gaussian", 2, 1024.0, 512.5)),
        '{"kind":"discrete_gaussian","round":2,"sensitivity":1024.0,"sigma":512.5}',
    ),
    (
        RoundSummed.of(SUM),
        f'{{"clients":30,"layout":"{LAYOUT}","noise_variance":64.0,"round":2,"vector":[5,-7]}}',
    ),
    (
        RoundJudged(2, 30, FOUND),
        '{"clients":30,"findings":[{"code":"SF-1","verdict":"failure"},'
        '{"code":"SF-2","verdict":null}],"round":2}',
    ),
    (RoundMissed(3, "nobody came"), '{"reason":"nobody came","round":3}'),
    (MonitoringStopped(4, "All is spent."), '{"reason":"All is spent.","round":4}'),
    (
        Decision(2, "hold", 1, True, 1, 0, "FAILURE", (Cause(ENTRY, "SF-1", "failure"),)),
        f'{{"action":"hold","caused_by":[{{"code":"SF-1","entry":"{ENTRY}","verdict":"failure"}}],'
        '"closed":true,"failures":1,"passes":0,"promoted_round":1,"reason":"FAILURE","round":2}',
    ),
    (GateOverridden(1, "why", "Ada"), '{"by":"Ada","reason":"why","round":1}'),
    (PersonAware("Ada", "told", ENTRY), f'{{"by":"Ada","head":"{ENTRY}","note":"told"}}'),
    (
        AlertFailed(2, "hook", 7, "refused"),
        '{"channel":"hook","entry":7,"reason":"refused","round":2}',
    ),
    (
        ParityChecked(
            "same", "host:80", None, ENTRY, ENTRY, "acts", 40, ENTRY, 0.1, None, 0.5, 39, 0, 0.25
        ),
        f'{{"acts":"acts","adapter":"{ENTRY}","alike":39,"asked":"{ENTRY}","beyond":0,'
        '"endpoint":"host:80","items":40,"largest":null,"largest_probability":0.5,"most":0.25,'
        f'"name":null,"reference":"{ENTRY}","tolerance":0.1,"verdict":"same"}}',
    ),
    (
        ComplaintRecorded("complaint", "unsafe", "SF-1", ENTRY, "Nurse"),
        f'{{"about":"unsafe","by":"Nurse","digest":"{ENTRY}","mode":"SF-1","what":"complaint"}}',
    ),
    (
        ComplaintAnswered(ENTRY, "not upheld", "looked at", "Rita"),
        f'{{"by":"Rita","complaint":"{ENTRY}","note":"looked at","outcome":"not upheld"}}',
    ),
    (
        ActionOpened(ENTRY, "retrain", "Eve", "Dan"),
        f'{{"by":"Dan","cause":"{ENTRY}","owner":"Eve","what":"retrain"}}',
    ),
    (
        ActionClosed(ENTRY, "report 7", None, "Eve"),
        f'{{"action":"{ENTRY}","by":"Eve","digest":null,"evidence":"report 7"}}',
    ),
    (
        ReviewHeld("go on", "read", "Rita", ENTRY),
        f'{{"by":"Rita","head":"{ENTRY}","note":"read","outcome":"go on"}}',
    ),
    (
        PersonTold("the board", ENTRY, "by phone", "Ada"),
        f'{{"by":"Ada","cause":"{ENTRY}","note":"by phone","who":"the board"}}',
    ),
    (
        ClientsChanged(3, 2, 1, 59, "moved", "Dan"),
        '{"by":"Dan","joined":1,"left":2,"reason":"moved","round":3,"there":59}',
    ),
    (OverrideAsked(2, "why", "Ada"), '{"by":"Ada","reason":"why","round":2}'),
    (
        OverrideAnswered(ENTRY, True, "agreed", "Dan"),
        f'{{"approved":true,"asked":"{ENTRY}","by":"Dan","note":"agreed"}}',
    ),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


@pytest.mark.parametrize(("event", "text"), PAYLOADS, ids=[e.kind for e, _ in PAYLOADS])
def test_an_event_is_written_as_it_always_was_and_read_back(ledger, event, text):
    entry = ledger.record(event)
    assert json.dumps(entry.payload, sort_keys=True, separators=(",", ":")) == text
    assert event_of(ledger.entries(event.kind)[0]) == event


def test_a_kind_of_another_version_is_passed_on(ledger):
    entry = ledger.append("seen_later", {"round": 3, "by": 7})
    assert event_of(entry) == OtherEvent("seen_later", {"round": 3, "by": 7})


def test_a_key_of_a_later_version_is_passed_over(ledger):
    entry = ledger.append("missed", {"round": 3, "reason": "nobody", "since": "then"})
    assert event_of(entry) == RoundMissed(3, "nobody")


def test_a_cost_with_an_unknown_key_is_refused(ledger):
    payload = {**PAYLOADS[2][0].to_payload(), "discount": 0.5}
    with pytest.raises(LedgerError, match="entry: a privacy event with missing or unknown"):
        event_of(ledger.append("privacy_event", payload))


@pytest.mark.parametrize(
    ("kind", "change", "key"),
    [
        ("plan", {"plan": "x"}, "plan"),
        ("system", {"loss": "0.5"}, "loss"),
        ("system", {"round": True}, "round"),
        ("sum", {"vector": [5, 0.5]}, "vector"),
        ("sum", {"vector": [5, True]}, "vector"),
        ("sum", {"round": 2**40}, "round"),
        ("system", {"loss": 10**400}, "loss"),
        ("findings", {"findings": [7]}, "findings"),
        ("findings", {"clients": -1}, "clients"),
        ("missed", {"reason": None}, "reason"),
        ("parity", {"verdict": "alike"}, "verdict"),
        ("complaint", {"about": "Mr Miller"}, "about"),
        ("complaint", {"digest": "the text"}, "digest"),
        ("action_closed", {"action": "x"}, "action"),
        ("override_answered", {"approved": "yes"}, "approved"),
        ("override_answered", {"asked": None}, "asked"),
        ("gate", {"caused_by": [{"code": "SF-1"}]}, "caused_by"),
        ("gate", {"closed": 1}, "closed"),
        ("aware", {"by": ""}, "by"),
    ],
)
def test_an_entry_that_holds_something_else_is_named_with_its_key(ledger, kind, change, key):
    event = next(e for e, _ in PAYLOADS if e.kind == kind)
    entry = ledger.append(kind, {**event.to_payload(), **change})
    with pytest.raises(LedgerError, match=f"ledger entry 1: not a {kind} entry: its {key}"):
        event_of(entry)


@pytest.mark.parametrize(
    ("change", "what"),
    [({"round": 0}, "round"), ({"vector": [5, 2**60]}, "vector"), ({"vector": [2**70]}, "vector")],
)
def test_a_sum_beyond_what_a_release_may_be_is_refused(ledger, change, what):
    entry = ledger.append("sum", {**RoundSummed.of(SUM).to_payload(), **change})
    with pytest.raises(LedgerError, match=f"ledger entry 1: not a sum entry: a release's {what}"):
        event_of(entry)
