"""Both homes of a ledger: an SQLite file, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_DROP = {
    "sqlite": "DROP TRIGGER unsilent_ledger_update; DROP TRIGGER unsilent_ledger_delete",
    "postgresql": "DROP TRIGGER unsilent_ledger_keep ON unsilent_ledger",
}


@dataclass(frozen=True)
class Place:
    """Where one test's ledger is."""

    where: str
    schema: str = ""

    @property
    def kind(self) -> str:
        return "postgresql" if self.schema else "sqlite"

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as another program would; the rows of the last."""
        if not self.schema:
            connection = sqlite3.connect(self.where)
            try:
                for statement in statements:
                    rows = connection.execute(statement).fetchall()
                connection.commit()
                return rows
            finally:
                connection.close()
        import psycopg

        url = self.where.partition("&schema=")[0]
        with psycopg.connect(url, options=f"-csearch_path={self.schema}") as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def tamper(self, *statements: str) -> None:
        """Change the ledger behind its back, as an attacker with the database would."""
        self.execute(*_DROP[self.kind].split("; "), *statements)


def new_schema(url: str) -> Place:
    """A place of its own in a database."""
    schema = f"run_{secrets.token_hex(6)}"
    return Place(f"{url}&schema={schema}", schema)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for a ledger, once of each kind."""
    if request.param == "sqlite":
        return Place(str(tmp_path / "ledger.db"))
    return new_schema(request.getfixturevalue("postgres"))
