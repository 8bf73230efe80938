"""Where a ledger lives: its table, the triggers that keep it append-only, and how it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from unsilent.errors import LedgerError

WRITE = "unsilent_write"
"""Execution option of a connection that is going to write."""

_BUSY_SECONDS = 60

METADATA = MetaData()
TABLE = Table(
    "unsilent_ledger",
    METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("time", String(40), nullable=False),
    Column("kind", String(64), nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("previous", String(71), nullable=False, unique=True),
    Column("hash", String(71), nullable=False, unique=True),
)
for _action in ("UPDATE", "DELETE"):
    event.listen(
        TABLE,
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
    event.listen(TABLE, "after_create", DDL(_statement).execute_if(dialect="postgresql"))


def parse_url(where: Path | str) -> URL:
    """The URL of a path, whose folder is made, or of a URL. Raises LedgerError."""
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


def open_engine(url: URL, sqlite: bool, where: str) -> Engine:
    """An engine that keeps no connection open. Raises LedgerError if a driver is missing."""
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
    write = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
