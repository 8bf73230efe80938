"""What people record: each function checks who and what, and adds one entry to the ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from unsilent.errors import InputError, UnsilentError
from unsilent.governance import texts
from unsilent.governance.people import check_role, person, plain_text
from unsilent.ledger import Entry, Ledger
from unsilent.ledger.events import KnownEvent, PersonAware, event_of
from unsilent.ledger.people import (
    About,
    ActionClosed,
    ActionOpened,
    ComplaintAnswered,
    ComplaintRecorded,
    Decided,
    Outcome,
    PersonTold,
    ReviewHeld,
)
from unsilent.ledger.run_view import RunView
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan

E = TypeVar("E", bound=KnownEvent)


def complain(
    folder: Path,
    ledger: Ledger,
    *,
    about: About,
    by: str,
    text: str = "",
    mode: str | None = None,
    what: Literal["complaint", "feedback"] = "complaint",
) -> Entry:
    """Record a complaint or feedback; its text goes to a file of the folder, not to the ledger.

    Args:
        folder: The run's.
        ledger: The run's.
        about: What it is about.
        by: Who writes it down, not whom it is from.
        text: What it says; empty if that is kept elsewhere.
        mode: Code of the mode that it is about, if one.
        what: Feedback asks for nothing.
    """
    name = person(by)
    if mode is not None and mode not in MODES:
        raise InputError(
            f"no mode {mode!r}", where="mode", remedy=f"Name one of {', '.join(MODES)}, or none."
        )
    sealed = texts.seal_text(text.strip()) if text.strip() else None
    if sealed is not None:
        # Before the entry: a text without an entry is found by nobody, an entry without its text
        # would say that it was erased.
        texts.keep(folder, sealed)
    digest = None if sealed is None else sealed.digest
    try:
        return ledger.record(ComplaintRecorded(what, about, mode, digest, name))
    except UnsilentError:
        if sealed is not None:
            # Private, and nothing would ever name it.
            texts.erase(folder, sealed)
        raise


def answer_complaint(ledger: Ledger, index: int, *, outcome: Outcome, note: str, by: str) -> Entry:
    """Record what became of the complaint in an entry. Raises InputError if it has an answer."""
    told = _referred(ledger, index, ComplaintRecorded, "complaint")
    _once(ledger, ComplaintAnswered, "complaint", told)
    event = ComplaintAnswered(told.hash, outcome, plain_text(note, "note"), person(by))
    return ledger.record(event)


def open_action(ledger: Ledger, cause: int, *, what: str, owner: str, by: str) -> Entry:
    """Open a corrective action for an entry of the ledger."""
    event = ActionOpened(
        _entry(ledger, cause).hash, plain_text(what, "what"), person(owner, "owner"), person(by)
    )
    return ledger.record(event)


def close_action(
    ledger: Ledger, index: int, *, evidence: str, by: str, file: Path | None = None
) -> Entry:
    """Close the corrective action that an entry opened.

    Args:
        ledger: The run's.
        index: Of the entry that opened it.
        evidence: What shows that it is done, and where that lies.
        by: Who says so.
        file: A file of the evidence: its SHA-256 goes into the ledger, the file stays.
    """
    opened = _referred(ledger, index, ActionOpened, "action")
    _once(ledger, ActionClosed, "action", opened)
    digest = None
    if file is not None:
        try:
            with file.open("rb") as data:
                digest = f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror})",
                where=str(file),
                remedy="Name a file, or leave it out and say where the evidence lies.",
            ) from None
    event = ActionClosed(opened.hash, plain_text(evidence, "evidence"), digest, person(by))
    return ledger.record(event)


def hold_review(
    ledger: Ledger, plan: MonitoringPlan, *, outcome: Decided, note: str, by: str
) -> Entry:
    """Record a review of all that the ledger holds so far."""
    name = person(by)
    check_role(plan.governance, "reviews", name)
    return ledger.record(ReviewHeld(outcome, plain_text(note, "note"), name, ledger.head))


def know(ledger: Ledger, *, note: str, by: str) -> Entry:
    """Record that a person knows of all that the ledger holds so far."""
    return ledger.record(PersonAware(person(by), plain_text(note, "note"), ledger.head))


def tell(ledger: Ledger, cause: int, *, who: str, note: str, by: str) -> Entry:
    """Record that somebody was told of what an entry says, and how."""
    mark = _entry(ledger, cause).hash
    return ledger.record(PersonTold(person(who, "who"), mark, plain_text(note, "note"), person(by)))


def _entry(ledger: Ledger, index: int) -> Entry:
    found = ledger.entries(since=index - 1, limit=1) if index > 0 else []
    if not found or found[0].index != index:
        raise InputError(
            f"the ledger has no entry {index}",
            where=ledger.where,
            remedy="`unsilent record RUN` names the entries that wait for something.",
        )
    return found[0]


def _referred(ledger: Ledger, index: int, of: type[E], what: str) -> Entry:
    entry = _entry(ledger, index)
    if entry.kind != of.kind:
        raise InputError(
            f"entry {index} is no {what}",
            where=ledger.where,
            remedy="`unsilent record RUN` lists them.",
        )
    event_of(entry)
    return entry


def _once(ledger: Ledger, of: type[E], key: str, referred: Entry) -> None:
    """Raise InputError if an entry of the kind answers this one already."""
    for each in RunView(ledger).events(of):
        if getattr(cast("Any", each.event), key) == referred.hash:
            raise InputError(
                f"this {key} has been closed in entry {each.entry.index}",
                where=f"ledger entry {referred.index}",
                remedy="An entry stays as it is; open another one.",
            )
