"""Where a ledger lives: an SQLite file or a PostgreSQL database, opened, locked and guarded.

A PostgreSQL URL may end in ``?schema=NAME``, so that one database holds the ledgers of many runs.
A URL never holds a password: libpq takes it from ``~/.pgpass`` or the environment.
"""

from __future__ import annotations

import os
import re
import weakref
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from unsilent.errors import LedgerError
from unsilent.ledger.table import TABLE, VERSION, bring_up, version_of

_WRITE = "unsilent_write"
_BUSY_SECONDS = 60
_CONNECT_SECONDS = 15
_ADVISORY_KEY = 0x756E736C  # "unsl"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Store:
    """One ledger's database, which threads may share; a process that forks leaves its own be.

    Args:
        where: Path of an SQLite file, or a URL.
        read_only: Never write; the ledger must be there. Opening then looks at no entry.

    Raises:
        LedgerError: Not a ledger, damaged, of a newer version, or not to be reached.
    """

    def __init__(self, where: Path | str, *, read_only: bool = False) -> None:
        url = parse_url(where)
        self._sqlite = url.get_backend_name() == "sqlite"
        self._schema = str(url.query.get("schema", ""))
        self.where = str(url.database) if self._sqlite else shown(url)
        if self._sqlite:
            self._find_folder(Path(self.where), read_only)
        self._engine = self._open(url, read_only)
        if read_only:
            self._expect_ledger(where)
            return
        with self._guarded():
            if self._sqlite:
                self._check_file()
        with self.writing() as connection:
            if self._schema:
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            if version_of(connection) > VERSION:
                raise self._newer()
            bring_up(connection)

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file, whose path is ``where``."""
        return self._sqlite

    @contextmanager
    def reading(self) -> Generator[Connection, None, None]:
        """A transaction that reads. Raises LedgerError for the database's own errors."""
        with self._guarded(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection, None, None]:
        """A transaction that writes, one at a time over all processes; on disk when it ends."""
        with (
            self._guarded(),
            self._engine.connect().execution_options(**{_WRITE: True}) as connection,
            connection.begin(),
        ):
            if not self._sqlite:
                # Held to the end of the transaction; also keeps two from making the table.
                own = zlib.crc32(self._schema.encode()) & 0x7FFFFFFF
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_KEY}, {own})")
            yield connection

    def _find_folder(self, path: Path, read_only: bool) -> None:
        if read_only:
            if not path.is_file():
                raise LedgerError("no such file", where=self.where)
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"its folder cannot be made ({error.strerror})", where=self.where
            ) from None

    def _open(self, url: URL, read_only: bool) -> Engine:
        options: dict[str, Any] = {"poolclass": NullPool}
        if not self._sqlite:
            url, settings = _libpq(url, self._schema, read_only)
            options = {
                "connect_args": settings,
                "pool_pre_ping": True,
                # A stricter level would look at the chain as it was before the lock was had.
                "isolation_level": "READ COMMITTED",
            }
        try:
            engine = create_engine(url, **options)
        except (ImportError, NoSuchModuleError):
            raise LedgerError(
                f"no driver for {url.get_backend_name()} databases",
                where=self.where,
                remedy="pip install 'unsilent[postgres]'.",
            ) from None
        if self._sqlite:

            def on_connect(connection: Any, _record: Any) -> None:
                # The driver would begin transactions late and by itself; ours begin where they
                # are written.
                connection.isolation_level = None
                connection.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
                connection.execute(f"PRAGMA query_only={int(read_only)}")
                connection.execute("PRAGMA synchronous=FULL")

            if read_only:
                event.listen(engine, "do_connect", _as_it_lies)
            event.listen(engine, "connect", on_connect)
            event.listen(engine, "begin", _on_begin)
        else:
            _close_at_the_end(self, engine)
        return engine

    def _expect_ledger(self, where: Path | str) -> None:
        with self.reading() as connection:
            version = version_of(connection)
        if version == 0:
            raise LedgerError(
                "no ledger is here", where=self.where, remedy="Name that of a run that has begun."
            )
        if version > VERSION:
            raise self._newer()
        if version < VERSION:
            Store(where)

    def _check_file(self) -> None:
        """Check an SQLite file, refuse another program's, and turn on write-ahead logging."""
        with self._engine.connect() as connection:
            # quick_check walks every page, so a file cut short shows now and not in mid-run.
            state = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
        if state != "ok":
            raise self._damaged("the database is damaged")
        if names and TABLE.name not in names:
            raise LedgerError(
                "a database of something else", where=self.where, remedy="Name another file."
            )
        raw = self._engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
        finally:
            raw.close()

    @contextmanager
    def _guarded(self) -> Generator[None, None, None]:
        try:
            yield
        except DBAPIError as error:
            # Only the driver's own words: the statement's parameters may hold a payload.
            reason = str(error.orig).splitlines()[0] if str(error.orig) else "no reason given"
            if self._sqlite and not isinstance(error, OperationalError):
                raise self._damaged(reason) from None
            raise LedgerError(
                reason,
                where=self.where,
                remedy="Check that it can be reached and written, has space left, and is not held "
                "by another program.",
            ) from None

    def _newer(self) -> LedgerError:
        return LedgerError(
            "was written by a newer version", where=self.where, remedy="Update unsilent."
        )

    def _damaged(self, what: str) -> LedgerError:
        return LedgerError(
            what,
            where=self.where,
            remedy="If it is not a ledger, name another file; else restore a backup, or move it "
            "away to start a new one.",
        )


def parse_url(where: Path | str) -> URL:
    """The URL of a path or of a URL. Raises LedgerError if no ledger can be there."""
    if not (isinstance(where, str) and "://" in where):
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except ArgumentError:
        raise LedgerError("not a database URL", remedy="Use a path or a URL.") from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise LedgerError(
            f"a {url.drivername} database cannot hold a ledger",
            where=shown(url),
            remedy="Use an SQLite file or a postgresql:// URL.",
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise LedgerError("a ledger in memory keeps nothing", remedy="Name a file.")
    if url.password is not None or "password" in url.query:
        raise LedgerError(
            "the URL holds a password, which would be shown and kept",
            where=shown(url),
            remedy="Leave it out, and put it in ~/.pgpass or the environment variable PGPASSWORD.",
        )
    schema = url.query.get("schema")
    if schema is not None and not (isinstance(schema, str) and _SCHEMA.fullmatch(schema)):
        raise LedgerError(
            "the schema's name is not lower-case letters, digits and underscores", where=shown(url)
        )
    return url


def shown(url: URL) -> str:
    """A URL as messages show it: without password and settings."""
    kept = {key: value for key, value in url.query.items() if key == "schema"}
    bare = URL.create(
        url.get_backend_name(), url.username, None, url.host, url.port, url.database, kept
    )
    return bare.render_as_string()


def _libpq(url: URL, schema: str, read_only: bool) -> tuple[URL, dict[str, Any]]:
    """The URL and settings of a connection to PostgreSQL."""
    settings = {
        # An entry is on disk when ``append`` returns, whatever the server's default.
        "synchronous_commit": "on",
        "lock_timeout": f"{_BUSY_SECONDS}s",
        "default_transaction_read_only": "on" if read_only else "off",
        **({"search_path": schema} if schema else {}),
    }
    given = url.query.get("options", "")
    chosen = " ".join([str(given), *(f"-c{name}={value}" for name, value in settings.items())])
    return url.difference_update_query(("schema", "options")), {
        "options": chosen.strip(),
        "application_name": "unsilent",
        "connect_timeout": _CONNECT_SECONDS,
    }


def _close_at_the_end(owner: Store, engine: Engine) -> None:
    """Close kept connections with their store, and never use or close a parent process's."""
    weakref.finalize(owner, engine.dispose)
    if hasattr(os, "register_at_fork"):
        kept = weakref.ref(engine)

        def forget() -> None:
            inherited = kept()
            if inherited is not None:
                inherited.dispose(close=False)

        os.register_at_fork(after_in_child=forget)


def _as_it_lies(
    _dialect: Any, _record: Any, arguments: list[Any], settings: dict[str, Any]
) -> None:
    """Read a file whose folder takes no files, which nobody is writing to, without making any.

    A reader of a write-ahead log makes two files beside it where there are none, as there are not
    once its writer has ended: an archive could not be read. Where one is, the newest entries may
    be in it, and it is read as ever.
    """
    path = Path(arguments[0])
    if os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists():
        return
    arguments[0] = f"file:{quote(str(path.absolute()))}?immutable=1"
    settings["uri"] = True


def _on_begin(connection: Connection) -> None:
    # A write that began as a read could not be upgraded while another writer is at work.
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
