"""What people recorded, as a verifier sees it: two persons, entries that are there, texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from unsilent.governance.four_eyes import agreed_overrides, answer_faults, needs_two
from unsilent.governance.membership import membership_faults
from unsilent.governance.people import in_role
from unsilent.governance.texts import FOLDER, parse
from unsilent.ledger import Entry
from unsilent.ledger.events import Decision, event_of
from unsilent.ledger.people import (
    ActionClosed,
    ActionOpened,
    ClientsChanged,
    ComplaintAnswered,
    ComplaintRecorded,
    PersonTold,
    ReviewHeld,
)
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import MonitoringPlan


def record_faults(plan: MonitoringPlan, entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Acts that nobody may do, or that are about entries that are not there.

    The program that records refuses them; a ledger may be written by another one.
    """
    run = RunView(KeptEntries(entries))
    for index, fault in answer_faults(plan, run):
        yield f"ledger entry {index}", fault
    yield from _single_handed(plan, run)
    for index, fault in membership_faults(run):
        yield f"ledger entry {index}", fault
    by_hash = {entry.hash: entry for entry in entries}
    for entry in entries:
        where = f"ledger entry {entry.index}"
        event = event_of(entry)
        now = plan if plan.versions is None else run.plan_at(entry.index)
        if isinstance(event, ReviewHeld) and not in_role(now.governance, "reviews", event.by):
            yield where, "the plan does not let this person review"
        if isinstance(event, ClientsChanged) and not in_role(now.governance, "decides", event.by):
            yield where, "the plan does not let this person decide who is in"
        about = _about(event)
        if about is None:
            continue
        mark, kind = about
        named = by_hash.get(mark)
        if named is None or named.index >= entry.index or kind not in (None, named.kind):
            what = "an entry" if kind is None else f"an entry of the kind {kind}"
            yield where, f"it is about {what} before it that is not there"


def _single_handed(plan: MonitoringPlan, run: RunView) -> Iterator[tuple[str, str]]:
    """Overrides that took effect without two persons, where the plan asks for them."""
    if not needs_two(plan):
        return
    agreed = {each.answer.entry.hash for each in agreed_overrides(plan, run)}
    for made in run.events(Decision):
        causes = {cause.entry for cause in made.event.caused_by}
        if made.event.action == "overruled" and not causes <= agreed:
            yield (
                f"ledger entry {made.entry.index}",
                "an override took effect that two persons did not agree on",
            )


def _about(event: object) -> tuple[str, str | None] | None:
    """The hash that an act names, and the kind of entry that it has to be of."""
    match event:
        case ComplaintAnswered():
            return event.complaint, ComplaintRecorded.kind
        case ActionClosed():
            return event.action, ActionOpened.kind
        case ActionOpened() | PersonTold():
            return event.cause, None
        case _:
            return None


def text_faults(files: Mapping[str, bytes], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Texts of complaints in a pack that are not those of the ledger's digests."""
    digests = {
        text_name(entry): entry.payload.get("digest")
        for entry in entries
        if entry.kind == ComplaintRecorded.kind
    }
    for name in sorted(each for each in files if each.startswith(f"{FOLDER}/")):
        sealed = parse(files[name])
        if sealed is None or sealed.digest != digests.get(name):
            yield name, "it is not the text whose digest the ledger holds"


def text_name(entry: Entry) -> str:
    """The pack's file with the text of the complaint in an entry."""
    return f"{FOLDER}/{entry.index}.json"
