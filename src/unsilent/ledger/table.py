"""The ledger's table, the triggers that keep it append-only, and its versions.

A ledger is made by taking all steps in order, and one of an older version takes those it lacks, in
one transaction with the writer's lock held. No step changes what an entry's hash covers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.schema import CreateIndex, DropIndex

_METADATA = MetaData()
TABLE = Table(
    "unsilent_ledger",
    _METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("time", String(40), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous", String(71), nullable=False, unique=True),
    Column("hash", String(71), nullable=False, unique=True),
    Column("round", BigInteger),
)
_BY_KIND = Index("unsilent_ledger_by_kind", TABLE.c.kind, TABLE.c.position)
_BY_ROUND = Index("unsilent_ledger_by_round", TABLE.c.round, TABLE.c.position)

_FIRST = Table(
    TABLE.name,
    MetaData(),
    *(Column(c.name, c.type, primary_key=c.primary_key, autoincrement=False, nullable=c.nullable,
             unique=c.unique, index=c.name == "kind")
      for c in TABLE.columns if c.name != "round"),
)  # fmt: skip
_VERSIONS = Table(
    "unsilent_ledger_version", MetaData(), Column("version", Integer, primary_key=True)
)

_FORBID = {
    "sqlite": tuple(
        f"CREATE TRIGGER unsilent_ledger_{action.lower()} BEFORE {action} ON unsilent_ledger "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        for action in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION unsilent_ledger_keep() RETURNS trigger AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER unsilent_ledger_keep BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON unsilent_ledger FOR EACH STATEMENT EXECUTE FUNCTION unsilent_ledger_keep()",
    ),
}
_ALLOW = {
    "sqlite": ("DROP TRIGGER unsilent_ledger_update", "DROP TRIGGER unsilent_ledger_delete"),
    "postgresql": ("DROP TRIGGER unsilent_ledger_keep ON unsilent_ledger",),
}


def round_of(payload: object) -> int | None:
    """The training round that a payload names: its ``round``, where that is an integer."""
    if not isinstance(payload, Mapping):
        return None
    named = cast("Mapping[str, Any]", payload).get("round")
    if not isinstance(named, int) or isinstance(named, bool):
        return None
    return named if abs(named) < 2**63 else None


def version_of(connection: Connection) -> int:
    """How many steps the ledger here has taken; 0 where there is none."""
    tables = inspect(connection)
    if not tables.has_table(TABLE.name):
        return 0
    # The first version kept no record of its number.
    if not tables.has_table(_VERSIONS.name):
        return 1
    return int(connection.execute(select(func.max(_VERSIONS.c.version))).scalar_one())


def bring_up(connection: Connection) -> None:
    """Make the ledger, or take the steps it lacks. The connection holds the writer's lock."""
    for version in range(version_of(connection) + 1, VERSION + 1):
        _STEPS[version - 1](connection)
        connection.execute(insert(_VERSIONS).values(version=version))


def _make(connection: Connection) -> None:
    """Version 1: the chain."""
    _FIRST.create(connection)
    _VERSIONS.create(connection)
    _run(connection, _FORBID)


def _add_round(connection: Connection) -> None:
    """Version 2: the round of each entry, and indexes that page by kind and by round."""
    _VERSIONS.create(connection, checkfirst=True)
    connection.exec_driver_sql("ALTER TABLE unsilent_ledger ADD COLUMN round BIGINT")
    _run(connection, _ALLOW)
    done = 0
    rows = select(TABLE.c.position, TABLE.c.payload).order_by(TABLE.c.position).limit(1000)
    while batch := connection.execute(rows.where(TABLE.c.position > done)).all():
        for position, payload in batch:
            fill = update(TABLE).where(TABLE.c.position == position)
            connection.execute(fill.values(round=_round_in(payload)))
        done = batch[-1].position
    _run(connection, _FORBID)
    for old in _FIRST.indexes:
        connection.execute(DropIndex(old))
    for new in (_BY_KIND, _BY_ROUND):
        connection.execute(CreateIndex(new))


def _round_in(payload: str) -> int | None:
    try:
        return round_of(json.loads(payload))
    except ValueError:
        return None


def _run(connection: Connection, statements: Mapping[str, tuple[str, ...]]) -> None:
    for statement in statements[connection.dialect.name]:
        connection.exec_driver_sql(statement)


_STEPS: tuple[Callable[[Connection], Any], ...] = (_make, _add_round)
VERSION = len(_STEPS)
"""The version that this program reads and writes."""
