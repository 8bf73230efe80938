"""Ledger: what happened in a run, append-only and hash-chained.

Each entry holds the hash of the one before, so a changed, removed or inserted entry shows. An
SQLite file by default, a PostgreSQL database by its URL; in both, triggers refuse UPDATE and
DELETE. The chain alone cannot show that its newest entries were cut off: keep ``head`` elsewhere
and pass it to ``verify``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from sqlalchemy import Connection, Select, func, insert, select

from unsilent.errors import LedgerError
from unsilent.ledger.links import GENESIS, START, Row, Verified, content_hash, follow
from unsilent.ledger.store import Store
from unsilent.ledger.table import TABLE, round_of

_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_COLUMNS = TABLE.c
_SKEW = timedelta(minutes=5)
"""So much a clock may go back between two entries: writers on two machines, and one set right."""
_ROW = (
    _COLUMNS.position,
    _COLUMNS.time,
    _COLUMNS.kind,
    _COLUMNS.payload,
    _COLUMNS.previous,
    _COLUMNS.hash,
    _COLUMNS.round,
)
"""The columns of a ``Row``."""


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        index: Position in the chain, counted from 1.
        time: UTC, ISO 8601. The writer's clock: informative, not proven.
        kind: What the entry is about, such as ``finding``.
        payload: JSON data.
        previous: Hash of the entry before, or ``GENESIS``.
        hash: ``sha256:…`` of the canonical JSON of all of the above.
    """

    index: int
    time: str
    kind: str
    payload: Mapping[str, Any]
    previous: str
    hash: str

    @property
    def round(self) -> int | None:
        """The training round that the payload names, if it does."""
        return round_of(self.payload)

    def expected_hash(self) -> str:
        """The hash that the entry's content has."""
        return content_hash(self.index, self.time, self.kind, self.payload, self.previous)


def _now(last: Entry | None) -> datetime:
    """The present by this writer's clock; not before the last entry, where they differ little.

    A chain that goes back in time is taken for one that was dated back.
    """
    now = datetime.now(UTC)
    try:
        before = now if last is None else datetime.fromisoformat(last.time)
        return before.astimezone(UTC) if now < before <= now + _SKEW else now
    except (TypeError, ValueError):  # Another program's time: of no zone, or none at all.
        return now


class Event(Protocol):
    """What an entry can be made of; see ``unsilent.ledger.events``."""

    kind: ClassVar[str]

    def to_payload(self) -> dict[str, Any]:
        """The entry's payload."""
        ...


class Ledger:
    """An append-only chain of entries in a database.

    A ledger of an older version is brought up to date when it is opened; its hashes stay.

    Args:
        where: Path of an SQLite file, made if absent, or a ``postgresql://`` URL without password.
        read_only: For readers beside a writer: nothing is written, the ledger must be there, and
            opening takes no longer the more entries there are.

    Raises:
        LedgerError: Not a ledger, damaged, of a newer version, or not to be reached.
    """

    def __init__(self, where: Path | str, *, read_only: bool = False) -> None:
        self._store = Store(where, read_only=read_only)
        self.where = self._store.where

    @property
    def file(self) -> Path | None:
        """The SQLite file; None of a ledger in another database."""
        return Path(self.where) if self._store.is_file else None

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Add an entry; it is on disk when this returns, and two writers keep one chain.

        Args:
            kind: Lower-case letters, digits, dots, dashes and underscores, at most 64.
            payload: JSON data without NaN or infinity. Its ``round``, if an integer, is the round
                that the entry is found by.
        """
        if not _KIND.fullmatch(kind):
            raise LedgerError(f"kind {kind!r} is not a lower-case name", where=self.where)
        text = self._text(kind, payload)
        with self._store.writing() as connection:
            last = self._last(connection)
            if last is not None and last.hash != last.expected_hash():
                raise self._fault(last.index, "was changed")
            draft = Entry(
                index=last.index + 1 if last else 1,
                time=_now(last).isoformat(timespec="microseconds"),
                kind=kind,
                payload=json.loads(text),
                previous=last.hash if last else GENESIS,
                hash="",
            )
            entry = replace(draft, hash=draft.expected_hash())
            connection.execute(
                insert(TABLE).values(
                    position=entry.index,
                    time=entry.time,
                    kind=kind,
                    payload=text,
                    previous=entry.previous,
                    hash=entry.hash,
                    round=entry.round,
                )
            )
        return entry

    def record(self, event: Event) -> Entry:
        """Add what an event says; as ``append``."""
        return self.append(event.kind, event.to_payload())

    def entries(
        self, kind: str | None = None, since: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """Entries with an index above ``since``, oldest first, of one kind or of all.

        Give the index of the newest entry you have, and you get what came after it.
        """
        query = select(*_ROW).where(_COLUMNS.position > since).order_by(_COLUMNS.position)
        if kind is not None:
            query = query.where(_COLUMNS.kind == kind)
        return self._read(query.limit(limit))

    def page(
        self,
        before: int | None = None,
        limit: int = 50,
        *,
        kind: str | None = None,
        round: int | None = None,
    ) -> list[Entry]:
        """The newest ``limit`` entries with an index below ``before``, newest first.

        Args:
            before: The index of the last entry of the page before; None for the newest entries.
            limit: At most so many.
            kind: Only of this kind.
            round: Only of this training round.
        """
        query = select(*_ROW).order_by(_COLUMNS.position.desc()).limit(limit)
        if before is not None:
            query = query.where(_COLUMNS.position < before)
        if kind is not None:
            query = query.where(_COLUMNS.kind == kind)
        if round is not None:
            query = query.where(_COLUMNS.round == round)
        return self._read(query)

    def kinds(self, upto: int | None = None) -> dict[str, int]:
        """How many entries there are of each kind, by name; those up to an index, if given."""
        query = select(_COLUMNS.kind, func.count()).group_by(_COLUMNS.kind).order_by(_COLUMNS.kind)
        if upto is not None:
            query = query.where(_COLUMNS.position <= upto)
        with self._store.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def payloads(self, kind: str) -> list[Any]:
        """The payloads of a kind's entries, oldest first: ``entries`` in a part of the time."""
        query = select(_COLUMNS.payload).where(_COLUMNS.kind == kind).order_by(_COLUMNS.position)
        with self._store.reading() as connection:
            texts = [text for (text,) in connection.execute(query)]
        try:
            return [json.loads(text) for text in texts]
        except (TypeError, ValueError):
            return [entry.payload for entry in self.entries(kind)]  # its error names the entry

    def rounds(self, kind: str) -> list[int]:
        """The rounds that entries of a kind name, oldest entry first; no payload is read."""
        query = select(_COLUMNS.round).where(_COLUMNS.kind == kind).order_by(_COLUMNS.position)
        with self._store.reading() as connection:
            found = connection.execute(query.where(_COLUMNS.round.is_not(None)))
            return [number for (number,) in found]

    @property
    def size(self) -> int:
        """Index of the newest entry, 0 if there is none."""
        with self._store.reading() as connection:
            return connection.execute(select(func.max(_COLUMNS.position))).scalar() or 0

    @property
    def head(self) -> str:
        """Hash of the newest entry, ``GENESIS`` if there is none."""
        with self._store.reading() as connection:
            last = self._last(connection)
        return last.hash if last else GENESIS

    def verify(self, head: str | None = None) -> int:
        """Check the whole chain and return how many entries it has.

        Args:
            head: A head noted earlier; it must still be in the chain.

        Raises:
            LedgerError: Names the first entry that was changed, removed or inserted.
        """
        with self._store.reading() as connection:
            everything = select(*_ROW).order_by(_COLUMNS.position)
            with connection.execution_options(yield_per=1000).execute(everything) as rows:
                checked, found = follow(START, cast("Iterable[Row]", rows), self._fault, head)
        if not found and head != GENESIS:
            raise LedgerError(
                f"the noted head is not among its {checked.count} entries",
                where=self.where,
                remedy="The newest entries were cut off, or this is another ledger.",
            )
        return checked.count

    def verify_next(self, since: Verified = START, limit: int = 1000) -> Verified:
        """Check the next entries after those checked before: a reader's verification, bit by bit.

        Args:
            since: What the call before returned.
            limit: Check at most so many.

        Returns:
            How far the chain is checked now; equal to ``since`` when there is nothing new.

        Raises:
            LedgerError: Names the first entry that was changed, removed or inserted, that at
                ``since`` included. Entries before that are not looked at again.
        """
        query = select(*_ROW).where(_COLUMNS.position >= since.count)
        with self._store.reading() as connection:
            found = connection.execute(query.order_by(_COLUMNS.position).limit(limit + 1))
            rows = cast("list[Row]", list(found))
        if since.count:
            if not rows or rows[0][0] != since.count:
                raise self._fault(since.count, "is missing")
            # As it was found before, and still so.
            before = Verified(since.count - 1, rows[0][4])
            if follow(before, rows[:1], self._fault)[0] != since:
                raise self._fault(since.count, "was changed")
            rows = rows[1:]
        return follow(since, rows[:limit], self._fault)[0]

    def _text(self, kind: str, payload: Mapping[str, Any]) -> str:
        try:
            text = json.dumps(
                payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
            )
            text.encode("utf-8")
        except (TypeError, ValueError):
            raise LedgerError(
                f"the payload of a {kind} entry is not JSON",
                where=self.where,
                remedy="Use text, finite numbers, booleans, null, lists and objects.",
            ) from None
        return text

    def _read(self, query: Select[*tuple[Any, ...]]) -> list[Entry]:
        with self._store.reading() as connection:
            return [self._entry(row) for row in cast("Iterable[Row]", connection.execute(query))]

    def _last(self, connection: Connection) -> Entry | None:
        query = select(*_ROW).order_by(_COLUMNS.position.desc()).limit(1)
        row = connection.execute(query).first()
        return None if row is None else self._entry(cast("Row", row))

    def _entry(self, row: Row) -> Entry:
        position, time, kind, text, previous, own, _ = row
        try:
            payload = json.loads(text)
        except (TypeError, ValueError):
            raise self._fault(position, "was changed: its payload is not JSON") from None
        return Entry(position, time, kind, payload, previous, own)

    def _fault(self, index: int, what: str) -> LedgerError:
        return LedgerError(
            f"entry {index} {what}",
            where=self.where,
            remedy="Nothing from this entry on can be trusted; restore a backup.",
        )
