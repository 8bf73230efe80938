"""The ledger as a pack holds it: one entry a line, and a reader that names the first false one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from unsilent.errors import EvidenceError, LedgerError
from unsilent.ledger import GENESIS, Entry
from unsilent.ledger.chain import Event
from unsilent.ledger.run_view import KeptEntries

_LARGEST_LINE = 16 * 2**20
_FIELDS = {"index", "time", "kind", "payload", "previous", "hash"}


def to_lines(entries: Sequence[Entry]) -> bytes:
    """Entries as JSON Lines, oldest first, in one canonical form."""
    lines = (
        json.dumps(vars(e), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for e in entries
    )
    return "".join(f"{line}\n" for line in lines).encode()


def from_lines(data: bytes) -> tuple[Entry, ...]:
    """Read what ``to_lines`` wrote. Raises EvidenceError naming the line that is no entry."""
    found: list[Entry] = []
    lines = data.split(b"\n")
    if lines[-1]:
        raise EvidenceError("not a ledger entry", where=f"ledger.jsonl, line {len(lines)}")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            if len(line) > _LARGEST_LINE:
                raise ValueError
            fields = json.loads(
                line.decode("utf-8"), object_pairs_hook=once_each, parse_constant=no_number
            )
            if set(fields) != _FIELDS:
                raise ValueError
            entry = Entry(**fields)
            if not _typed(entry) or to_lines([entry]) != line + b"\n":
                raise ValueError
        except (ValueError, TypeError, RecursionError):
            raise EvidenceError(
                "not a ledger entry", where=f"ledger.jsonl, line {number}"
            ) from None
        found.append(entry)
    return tuple(found)


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json.loads``: an object whose keys differ; of two alike, readers take either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def no_number(text: str) -> Any:
    """For ``json.loads``: NaN and Infinity are not JSON."""
    raise ValueError


def _typed(entry: Entry) -> bool:
    texts = (entry.time, entry.kind, entry.previous, entry.hash)
    return (
        type(entry.index) is int
        and all(isinstance(text, str) for text in texts)
        and isinstance(entry.payload, dict)
        and datetime.fromisoformat(entry.time).utcoffset() is not None
    )


def chain_faults(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Where and what is wrong with a chain: entries changed, dropped, reordered or back-dated."""
    previous, before = GENESIS, None
    for place, entry in enumerate(entries, start=1):
        where = f"ledger entry {entry.index}"
        if entry.index != place:
            yield where, f"stands at place {place}: entries were dropped, added or reordered"
        elif entry.previous != previous:
            yield where, "does not follow the entry before it"
        elif entry.hash != entry.expected_hash():
            yield where, "was changed after it was written"
        elif before is not None and _moment(entry) < _moment(before):
            yield (
                where,
                "is dated before the entry that it follows: back-dated, or a clock set back",
            )
        else:
            previous, before = entry.hash, entry
            continue
        return


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.time)


class KeptLedger(KeptEntries):
    """A pack's entries where a ledger is read; nothing can be recorded."""

    file = None

    def verify(self, head: str | None = None) -> int:
        """As ``Ledger.verify``."""
        found = self.entries()
        for where, what in chain_faults(found):
            raise LedgerError(what, where=where)
        if head not in (None, GENESIS, *(entry.hash for entry in found)):
            raise LedgerError("the noted head is not among its entries", where=self.where)
        return len(found)

    def record(self, event: Event) -> Entry:
        """Refused: what a pack holds is history."""
        raise LedgerError(f"a {event.kind} entry cannot be added to a pack", where=self.where)
