"""Ledger: what happened in a run, append-only and hash-chained.

Each entry holds the hash of the one before, so a changed, removed or inserted entry shows. SQLite
by default, any SQLAlchemy URL instead; in SQLite and PostgreSQL triggers refuse UPDATE and DELETE.
The chain alone cannot show that its newest entries were cut off: keep ``head`` elsewhere and pass
it to ``verify``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.exc import DBAPIError, OperationalError

from unsilent.errors import LedgerError
from unsilent.files import digest_json
from unsilent.ledger_table import METADATA, TABLE, WRITE, open_engine, parse_url

GENESIS = "sha256:" + "0" * 64
"""What the first entry holds as the hash of the one before."""

_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_ADVISORY_KEY = 0x756E73696C  # "unsil"


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

    def expected_hash(self) -> str:
        """The hash that the entry's content has."""
        return digest_json(
            {
                "index": self.index,
                "time": self.time,
                "kind": self.kind,
                "payload": self.payload,
                "previous": self.previous,
            }
        )


class Ledger:
    """An append-only chain of entries in a database.

    Args:
        where: Path of an SQLite file, made if absent, or an SQLAlchemy URL.

    Raises:
        LedgerError: The file is not a ledger, is damaged, or the database cannot be reached.
    """

    def __init__(self, where: Path | str) -> None:
        url = parse_url(where)
        self.where = url.render_as_string(hide_password=True)
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite:
            if url.database in (None, "", ":memory:"):
                raise LedgerError("a ledger in memory keeps nothing", remedy="Name a file.")
            self.where = str(url.database)
        self._engine = open_engine(url, sqlite, self.where)
        with self._guarded():
            if sqlite:
                self._open_file(Path(str(url.database)))
            with self._writing() as connection:
                METADATA.create_all(connection)

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Add an entry; it is on disk when this returns, and two writers keep one chain.

        Args:
            kind: Lower-case letters, digits, dots, dashes and underscores, at most 64.
            payload: JSON data without NaN or infinity.
        """
        if not _KIND.fullmatch(kind):
            raise LedgerError(f"kind {kind!r} is not a lower-case name", where=self.where)
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
        with self._guarded(), self._writing() as connection:
            last = self._last(connection)
            if last is not None and last.hash != last.expected_hash():
                raise self._fault(last.index, "was changed")
            draft = Entry(
                index=last.index + 1 if last else 1,
                time=datetime.now(UTC).isoformat(timespec="microseconds"),
                kind=kind,
                payload=json.loads(text),
                previous=last.hash if last else GENESIS,
                hash="",
            )
            entry = Entry(**{**vars(draft), "hash": draft.expected_hash()})
            connection.execute(
                insert(TABLE).values(
                    position=entry.index,
                    time=entry.time,
                    kind=kind,
                    payload=text,
                    previous=entry.previous,
                    hash=entry.hash,
                )
            )
        return entry

    def entries(self, kind: str | None = None, since: int = 0) -> list[Entry]:
        """Entries with an index above ``since``, oldest first, of one kind or of all."""
        query = select(TABLE).where(TABLE.c.position > since).order_by(TABLE.c.position)
        if kind is not None:
            query = query.where(TABLE.c.kind == kind)
        with self._guarded(), self._engine.begin() as connection:
            return [self._entry(row) for row in connection.execute(query).mappings()]

    @property
    def head(self) -> str:
        """Hash of the newest entry, ``GENESIS`` if there is none."""
        with self._guarded(), self._engine.begin() as connection:
            last = self._last(connection)
        return last.hash if last else GENESIS

    def verify(self, head: str | None = None) -> int:
        """Check the whole chain and return how many entries it has.

        Args:
            head: A head noted earlier; it must still be in the chain.

        Raises:
            LedgerError: Names the first entry that was changed, removed or inserted.
        """
        previous, count = GENESIS, 0
        found = head in (None, GENESIS)
        with self._guarded(), self._engine.begin() as connection:
            rows = connection.execution_options(yield_per=1000).execute(
                select(TABLE).order_by(TABLE.c.position)
            )
            for row in rows.mappings():
                count += 1
                if row["position"] != count:
                    raise self._fault(count, "is missing")
                entry = self._entry(row)
                if entry.previous != previous:
                    raise self._fault(count, "does not follow the one before")
                if entry.hash != entry.expected_hash():
                    raise self._fault(count, "was changed")
                previous = entry.hash
                found = found or previous == head
        if not found:
            raise LedgerError(
                f"the noted head is not among its {count} entries",
                where=self.where,
                remedy="The newest entries were cut off, or this is another ledger.",
            )
        return count

    def _open_file(self, path: Path) -> None:
        """Check an SQLite file, refuse another program's, and turn on write-ahead logging."""
        with self._engine.connect() as connection:
            # quick_check walks every page, so a file cut short shows now and not in mid-run.
            state = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        if state != "ok":
            raise self._damaged("the database is damaged")
        if names and TABLE.name not in names:
            raise LedgerError(
                "a database of something else", where=str(path), remedy="Name another file."
            )
        raw = self._engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        finally:
            raw.close()

    def _last(self, connection: Connection) -> Entry | None:
        query = select(TABLE).order_by(TABLE.c.position.desc()).limit(1)
        row = connection.execute(query).mappings().first()
        return None if row is None else self._entry(row)

    def _entry(self, row: RowMapping) -> Entry:
        try:
            payload = json.loads(row["payload"])
        except (TypeError, ValueError):
            raise self._fault(row["position"], "was changed: its payload is not JSON") from None
        return Entry(
            row["position"], row["time"], row["kind"], payload, row["previous"], row["hash"]
        )

    @contextmanager
    def _writing(self) -> Generator[Connection, None, None]:
        with (
            self._engine.connect().execution_options(**{WRITE: True}) as connection,
            connection.begin(),
        ):
            if connection.dialect.name == "postgresql":
                # Held to the end of the transaction; also keeps two from making the table.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_KEY})")
            yield connection

    @contextmanager
    def _guarded(self) -> Generator[None, None, None]:
        try:
            yield
        except DBAPIError as error:
            # Only the driver's own words: the statement's parameters may hold a payload.
            reason = str(error.orig).splitlines()[0] if str(error.orig) else "no reason given"
            if isinstance(error, OperationalError):
                raise LedgerError(
                    reason,
                    where=self.where,
                    remedy="Check that it can be reached and written, has space left, and is not "
                    "held by another program.",
                ) from None
            raise self._damaged(reason) from None

    def _fault(self, index: int, what: str) -> LedgerError:
        return LedgerError(
            f"entry {index} {what}",
            where=self.where,
            remedy="Nothing from this entry on can be trusted; restore a backup.",
        )

    def _damaged(self, what: str) -> LedgerError:
        return LedgerError(
            what,
            where=self.where,
            remedy="If it is not a ledger, name another file; else restore a backup, or move it "
            "away to start a new one.",
        )
