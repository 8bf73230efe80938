"""What people did about what was found: complaints, reviews, actions, overrides, who was told.

Other entries are named by their hash. No event holds what a complaint says: an entry stays for
good, so its text lies elsewhere, where it can be erased (``unsilent.governance.texts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from unsilent.ledger.typed import Count, Text, TypedEvent

Digest = Annotated[str, Field(strict=True, pattern=r"^sha256:[0-9a-f]{64}$")]
About = Literal["wrong", "unfair", "unsafe", "private", "other"]
"""What a complaint is about: a wrong or an unfair answer, a danger, private data, or else."""
Outcome = Literal["upheld", "not upheld", "no answer needed"]
Decided = Literal["go on", "act", "stop"]


@dataclass(frozen=True)
class ComplaintRecorded(TypedEvent):
    """A complaint or other feedback of a person, without its text and without who it is from.

    Attributes:
        what: A complaint, or feedback that asks for nothing.
        about: In one word.
        mode: Code of the mode that it is about, if one.
        digest: SHA-256 of a salt and the text; None if no text was kept.
        by: Who wrote it down.
    """

    kind: ClassVar[str] = "complaint"

    what: Literal["complaint", "feedback"]
    about: About
    mode: Text | None
    digest: Digest | None
    by: Text


@dataclass(frozen=True)
class ComplaintAnswered(TypedEvent):
    """What became of the complaint in the entry with this hash."""

    kind: ClassVar[str] = "complaint_answered"

    complaint: Digest
    outcome: Outcome
    note: Text
    by: Text


@dataclass(frozen=True)
class ActionOpened(TypedEvent):
    """A corrective action: for which entry, what is to be done, and by whom (``owner``)."""

    kind: ClassVar[str] = "action_opened"

    cause: Digest
    what: Text
    owner: Text
    by: Text


@dataclass(frozen=True)
class ActionClosed(TypedEvent):
    """A corrective action is done: the evidence in words, and the digest of a file, if one."""

    kind: ClassVar[str] = "action_closed"

    action: Digest
    evidence: Text
    digest: Digest | None
    by: Text


@dataclass(frozen=True)
class ReviewHeld(TypedEvent):
    """A review of all that was recorded up to ``head``, and what was decided."""

    kind: ClassVar[str] = "review"

    outcome: Decided
    note: Text
    by: Text
    head: Digest


@dataclass(frozen=True)
class PersonTold(TypedEvent):
    """Somebody (``who``) was told of the entry ``cause``, by whom and how."""

    kind: ClassVar[str] = "told"

    who: Text
    cause: Digest
    note: Text
    by: Text


@dataclass(frozen=True)
class ClientsChanged(TypedEvent):
    """Clients left for good, or took part for the first time. Numbers alone: none is named.

    Attributes:
        round: The last round that was judged or missed before it.
        left, joined: How many left for good, and how many are new.
        there: How many are in from then on.
        reason: Why.
        by: Who says so.
    """

    kind: ClassVar[str] = "clients_changed"

    round: Count
    left: Count
    joined: Count
    there: Count
    reason: Text
    by: Text


@dataclass(frozen=True)
class OverrideAsked(TypedEvent):
    """A person asks that the adapter of a round is used; it waits for another's word."""

    kind: ClassVar[str] = "override_asked"

    round: Count
    reason: Text
    by: Text


@dataclass(frozen=True)
class OverrideAnswered(TypedEvent):
    """Another person approves or refuses the override in the entry ``asked``."""

    kind: ClassVar[str] = "override_answered"

    asked: Digest
    approved: StrictBool
    note: Text
    by: Text
