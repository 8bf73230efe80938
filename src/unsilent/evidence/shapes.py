"""What an entry of each kind holds: readers of a pack rely on it, and packs come from strangers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from unsilent.errors import LedgerError
from unsilent.ledger import Entry
from unsilent.ledger.events import PlanFollowed, RoundSummed, event_of
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout

MOST_ROUNDS = 100_000
"""Rounds of a plan whose pack is checked: what is worked out of a plan grows with them."""
_MOST_CLIENTS = 2**32 - 1


def plan_fits(data: Any) -> bool:
    """Whether a plan's numbers are such that it may be worked with, before it is."""
    if not isinstance(data, dict):
        return True
    federation = cast("Mapping[str, Any]", data).get("federation", {})
    if not isinstance(federation, dict):
        return True
    table = cast("Mapping[str, Any]", federation)
    limits = {"rounds": MOST_ROUNDS, "clients": _MOST_CLIENTS, "held_out": _MOST_CLIENTS}
    sizes = {name: table.get(name, 1) for name in limits}
    return all(
        not isinstance(size, (int, float)) or size <= limits[name] for name, size in sizes.items()
    )


def shape_faults(entries: Sequence[Entry], plan: MonitoringPlan) -> Iterator[tuple[str, str]]:
    """Entries that lack what their kind holds, or hold something else in its place.

    Args:
        entries: Of a ledger; kinds that are not known hold anything.
        plan: The plan in force, that sums have a layout of; those before it are in the entries.
    """
    if plan.versions is not None:
        plan = RunView(KeptEntries(entries)).versions[0].plan
    for entry in entries:
        where = f"ledger entry {entry.index}"
        try:
            event = event_of(entry)
        except LedgerError as error:
            yield where, error.what
            continue
        if isinstance(event, PlanFollowed):
            plan = event.parsed(where)
        if (entry.round or 0) > MOST_ROUNDS:
            yield where, f"not a {entry.kind} entry: its round"
        elif isinstance(event, RoundSummed) and not _fits(event, plan):
            yield where, "not a sum entry of this plan: its vector"


def _fits(event: RoundSummed, plan: MonitoringPlan) -> bool:
    # Vectors of the first schema had layouts that are no more.
    return plan.earlier or len(event.vector) == len(Layout.of_release(plan, event.layout).names)
