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

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from unsilent.errors import LedgerError
from unsilent.files import digest_json

GENESIS = "sha256:" + "0" * 64
"""What the first entry holds as the hash of the one before."""

_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_BUSY_SECONDS = 60
_WRITE = "unsilent_write"

_METADATA = MetaData()
_TABLE = Table(
    "unsilent_ledger",
    _METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("time", String(40), nullable=False),
    Column("kind", String(64), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("previous", String(71), nullable=False, unique=True),
    Column("hash", String(71), nullable=False, unique=True),
)
for _action in ("UPDATE", "DELETE"):
    event.listen(
        _TABLE,
        "after_create",
        DDL(
            f"CREATE TRIGGER unsilent_ledger_{_action.lower()} BEFORE {_action} "
            "ON unsilent_ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        ).execute_if(dialect="sqlite"),
    )
for _statement in (
    "CREATE OR REPLACE FUNCTION unsilent_ledger_keep() RETURNS trigger AS "
    "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER unsilent_ledger_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON unsilent_ledger "
    "FOR EACH STATEMENT EXECUTE FUNCTION unsilent_ledger_keep()",
):
    event.listen(_TABLE, "after_create", DDL(_statement).execute_if(dialect="postgresql"))


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
        url = _url(where)
        self.where = url.render_as_string(hide_password=True)
        sqlite = url.get_backend_name() == "sqlite"
        if sqlite:
            if url.database in (None, "", ":memory:"):
                raise LedgerError("a ledger in memory keeps nothing", remedy="Name a file.")
            self.where = str(url.database)
        self._engine = _engine(url, sqlite, self.where)
        with self._guarded():
            if sqlite:
                self._open_file(Path(str(url.database)))
            with self._writing() as connection:
                _METADATA.create_all(connection)

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
                insert(_TABLE).values(
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
        query = select(_TABLE).where(_TABLE.c.position > since).order_by(_TABLE.c.position)
        if kind is not None:
            query = query.where(_TABLE.c.kind == kind)
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
                select(_TABLE).order_by(_TABLE.c.position)
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
        if names and _TABLE.name not in names:
            raise LedgerError(
                "a database of something else", where=str(path), remedy="Name another file."
            )
        raw = self._engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        finally:
            raw.close()

    def _last(self, connection: Connection) -> Entry | None:
        query = select(_TABLE).order_by(_TABLE.c.position.desc()).limit(1)
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
            self._engine.connect().execution_options(**{_WRITE: True}) as connection,
            connection.begin(),
        ):
            if connection.dialect.name == "postgresql" and connection.dialect.has_table(
                connection, _TABLE.name
            ):
                connection.exec_driver_sql(f"LOCK TABLE {_TABLE.name} IN EXCLUSIVE MODE")
            yield connection

    @contextmanager
    def _guarded(self) -> Generator[None, None, None]:
        try:
            yield
        except DBAPIError as error:
            # Only the driver's own words: the statement's parameters may hold a payload.
            reason = str(error.orig).splitlines()[0] if str(error.orig) else "no reason given"
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


def _url(where: Path | str) -> URL:
    if isinstance(where, str) and "://" in where:
        try:
            return make_url(where)
        except ArgumentError:
            raise LedgerError("not a database URL", remedy="Use a path or a URL.") from None
    path = Path(where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"its folder cannot be made ({error.strerror})", where=str(path)
        ) from None
    return URL.create("sqlite", database=str(path))


def _engine(url: URL, sqlite: bool, where: str) -> Engine:
    try:
        engine = create_engine(url, poolclass=NullPool)
    except (ImportError, NoSuchModuleError):
        raise LedgerError(
            f"no driver for {url.drivername} databases",
            where=where,
            remedy="Install one, such as psycopg for postgresql+psycopg URLs.",
        ) from None
    if sqlite:
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    # The driver would begin transactions late and by itself; ours begin where they are written.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous=FULL")


def _on_begin(connection: Connection) -> None:
    # A write that began as a read could not be upgraded while another writer is at work.
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
