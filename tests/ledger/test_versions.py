"""A ledger of an older version is brought up to date, and its chain stays as it was."""

import json

import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import GENESIS, Entry, Ledger

# What version 1 made, as its releases wrote it.
FIRST = {
    "sqlite": (
        "CREATE TABLE unsilent_ledger (position BIGINT NOT NULL, time VARCHAR(40) NOT NULL, "
        "kind VARCHAR(64) NOT NULL, payload TEXT NOT NULL, previous VARCHAR(71) NOT NULL, "
        "hash VARCHAR(71) NOT NULL, PRIMARY KEY (position), UNIQUE (previous), UNIQUE (hash))",
        "CREATE INDEX ix_unsilent_ledger_kind ON unsilent_ledger (kind)",
        "CREATE TRIGGER unsilent_ledger_update BEFORE UPDATE ON unsilent_ledger "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
        "CREATE TRIGGER unsilent_ledger_delete BEFORE DELETE ON unsilent_ledger "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    ),
    "postgresql": (
        "CREATE TABLE unsilent_ledger (position BIGINT NOT NULL, time VARCHAR(40) NOT NULL, "
        "kind VARCHAR(64) NOT NULL, payload TEXT NOT NULL, previous VARCHAR(71) NOT NULL, "
        "hash VARCHAR(71) NOT NULL, PRIMARY KEY (position), UNIQUE (previous), UNIQUE (hash))",
        "CREATE INDEX ix_unsilent_ledger_kind ON unsilent_ledger (kind)",
        "CREATE OR REPLACE FUNCTION unsilent_ledger_keep() RETURNS trigger AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER unsilent_ledger_keep BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON unsilent_ledger FOR EACH STATEMENT EXECUTE FUNCTION unsilent_ledger_keep()",
    ),
}
PAYLOADS = [{"x": 1}, {"round": 1}, {"round": 2, "y": "é"}, {"round": "2"}, {"round": True}]


@pytest.fixture
def first(place):
    """A ledger as version 1 left it; the head of its chain."""
    if place.schema:
        place.execute(f"CREATE SCHEMA {place.schema}")
    rows, previous = [], GENESIS
    for index, payload in enumerate(PAYLOADS, start=1):
        time = f"2026-01-0{index}T00:00:00+00:00"
        hashed = Entry(index, time, "note", payload, previous, "").expected_hash()
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        rows.append(
            "INSERT INTO unsilent_ledger VALUES "
            f"({index}, '{time}', 'note', '{text}', '{previous}', '{hashed}')"
        )
        previous = hashed
    place.execute(*FIRST[place.kind], *rows)
    return previous


def names(place):
    """Columns, indexes and triggers of a ledger in the database."""
    if place.kind == "sqlite":
        found = place.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
        return [name for name, _ in found], place.execute("PRAGMA table_info(unsilent_ledger)")
    return [
        place.execute(f"SELECT {what} WHERE {key} = '{place.schema}' ORDER BY 1")
        for what, key in (
            ("indexname FROM pg_indexes", "schemaname"),
            ("trigger_name FROM information_schema.triggers", "trigger_schema"),
            (
                "column_name || ' ' || data_type || ' ' || is_nullable "
                "FROM information_schema.columns",
                "table_schema",
            ),
        )
    ]


def test_the_chain_stays_and_goes_on(place, first):
    ledger = Ledger(place.where)
    assert ledger.verify(first) == 5
    assert [e.payload for e in ledger.entries()] == PAYLOADS
    assert [e.index for e in ledger.page(round=2)] == [3]
    ledger.append("note", {"round": 2})
    assert [e.index for e in Ledger(place.where).page(round=2)] == [6, 3]
    assert ledger.verify(first) == 6


def test_it_is_append_only_again(place, first):
    Ledger(place.where)
    with pytest.raises(Exception, match="append-only"):
        place.execute("UPDATE unsilent_ledger SET round = 1 WHERE position = 1")
    with pytest.raises(Exception, match="append-only"):
        place.execute("DELETE FROM unsilent_ledger")


def test_a_reader_brings_it_up_to_date_too(place, first):
    assert [e.index for e in Ledger(place.where, read_only=True).page(round=1)] == [2]


def test_an_old_one_ends_as_a_new_one_is_made(place, first, request, tmp_path):
    from tests.ledger.conftest import Place, new_schema

    Ledger(place.where)
    if place.kind == "sqlite":
        fresh = Place(str(tmp_path / "fresh.db"))
    else:
        fresh = new_schema(request.getfixturevalue("postgres"))
    Ledger(fresh.where)
    assert names(place) == names(fresh)


def test_one_of_a_newer_version_is_left_alone(place):
    ledger = Ledger(place.where)
    place.execute("INSERT INTO unsilent_ledger_version VALUES (3)")
    for read_only in (True, False):
        with pytest.raises(LedgerError, match=r"newer version.*Update unsilent"):
            Ledger(place.where, read_only=read_only)
    assert ledger.verify() == 0
