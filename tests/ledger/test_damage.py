"""A file that is no ledger, or no longer one, is refused in one line."""

import sqlite3

import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import Ledger


def filled(path, entries=40):
    ledger = Ledger(path)
    for i in range(entries):
        ledger.append("note", {"i": i, "text": "x" * 300})
    return path


@pytest.mark.parametrize("data", [b"no database", b"SQLite format 3\x00" + b"\x01" * 500])
def test_a_file_that_is_not_a_database(tmp_path, data):
    path = tmp_path / "ledger.db"
    path.write_bytes(data)
    with pytest.raises(LedgerError, match=r"ledger\.db: .*name another file"):
        Ledger(path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_truncated_file(tmp_path, keep):
    path = filled(tmp_path / "ledger.db")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(LedgerError, match=r"ledger\.db: .*restore a backup"):
        Ledger(path).verify()


def test_a_database_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mail (id INTEGER)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="something else"):
        Ledger(path)
    assert path.read_bytes() == before


def test_places_where_no_ledger_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="folder cannot be made"):
        Ledger(tmp_path / "file" / "ledger.db")
    with pytest.raises(LedgerError, match="unable to open"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match="in memory"):
        Ledger("sqlite://")
    with pytest.raises(LedgerError, match="cannot hold a ledger"):
        Ledger("nosuchdatabase://host/name")
    with pytest.raises(LedgerError, match="not a database URL"):
        Ledger("://")


def test_a_url_is_a_path_too(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/ledger.db").append("note", {})
    assert Ledger(tmp_path / "ledger.db").verify() == 1
