"""The ledger is a chain that only grows, and shows any change."""

import hashlib
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.errors import LedgerError
from unsilent.ledger import GENESIS, Ledger


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "run" / "ledger.db")
    for i in range(5):
        made.append("finding" if i % 2 else "release", {"round": i, "x": [1.5, "é", None]})
    return made


def edit(ledger, *statements):
    """Change the file behind the ledger's back, as an attacker with the disk would."""
    connection = sqlite3.connect(ledger.where)
    connection.executescript(
        "DROP TRIGGER unsilent_ledger_update; DROP TRIGGER unsilent_ledger_delete;"
        + ";".join(statements)
    )
    connection.close()


def test_entries_come_back_as_they_went_in(ledger):
    entries = ledger.entries()
    assert [e.index for e in entries] == [1, 2, 3, 4, 5]
    assert entries[3].payload == {"round": 3, "x": [1.5, "é", None]}
    assert [e.index for e in ledger.entries("finding")] == [2, 4]
    assert [e.index for e in ledger.entries(since=3)] == [4, 5]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(entries[0].time)).total_seconds()) < 60
    assert ledger.append("end", {}) == ledger.entries()[-1]


def test_the_chain_is_sha256_of_canonical_json(ledger):
    previous = "sha256:" + "0" * 64
    for e in ledger.entries():
        content = {
            "index": e.index,
            "time": e.time,
            "kind": e.kind,
            "payload": dict(e.payload),
            "previous": previous,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert e.previous == previous
        assert e.hash == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        previous = e.hash
    assert ledger.head == previous
    assert ledger.verify() == 5


def test_an_empty_ledger_is_whole(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    assert (ledger.head, ledger.verify(), ledger.entries()) == (GENESIS, 0, [])


def test_opened_again_it_goes_on(ledger):
    Ledger(ledger.where).append("end", {})
    assert ledger.verify() == 6


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("UPDATE unsilent_ledger SET payload = '{\"round\":7}' WHERE position = 3", 3),
        ("UPDATE unsilent_ledger SET payload = 'x' WHERE position = 2", 2),
        ("UPDATE unsilent_ledger SET kind = 'release' WHERE position = 4", 4),
        ("UPDATE unsilent_ledger SET time = '2020-01-01T00:00:00+00:00' WHERE position = 1", 1),
        ("UPDATE unsilent_ledger SET previous = 'sha256:1' WHERE position = 5", 5),
        ("DELETE FROM unsilent_ledger WHERE position = 2", 2),
        ("DELETE FROM unsilent_ledger WHERE position = 1", 1),
    ],
)
def test_the_first_bad_entry_is_named(ledger, statement, entry):
    edit(ledger, statement)
    with pytest.raises(LedgerError, match=rf"ledger\.db: entry {entry} .*restore a backup"):
        ledger.verify()


def test_a_removed_and_renumbered_entry_shows(ledger):
    edit(
        ledger,
        "DELETE FROM unsilent_ledger WHERE position = 3",
        "UPDATE unsilent_ledger SET position = position - 1 WHERE position > 3",
    )
    with pytest.raises(LedgerError, match="entry 3 does not follow"):
        ledger.verify()


def test_cut_off_newest_entries_show_against_a_noted_head(ledger):
    head = ledger.head
    ledger.append("end", {})
    assert ledger.verify(head) == 6
    edit(ledger, "DELETE FROM unsilent_ledger WHERE position > 4")
    assert ledger.verify() == 4
    with pytest.raises(LedgerError, match="noted head"):
        ledger.verify(head)


def test_nothing_is_added_to_a_changed_head(ledger):
    edit(ledger, "UPDATE unsilent_ledger SET kind = 'finding' WHERE position = 5")
    with pytest.raises(LedgerError, match="entry 5 was changed"):
        ledger.append("end", {})


@pytest.mark.parametrize(
    "statement", ["UPDATE unsilent_ledger SET kind = 'x'", "DELETE FROM unsilent_ledger"]
)
def test_the_database_refuses_update_and_delete(ledger, statement):
    connection = sqlite3.connect(ledger.where)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
    assert ledger.verify() == 5


def test_writers_at_once_keep_one_chain(tmp_path):
    def write(writer):
        ledger = Ledger(tmp_path / "ledger.db")
        for i in range(10):
            ledger.append("note", {"writer": writer, "i": i})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.verify() == 40
    for writer in range(4):
        own = [e.payload["i"] for e in ledger.entries() if e.payload["writer"] == writer]
        assert own == list(range(10))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=30)
@given(payload=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values))
def test_any_json_survives(tmp_path_factory, payload):
    ledger = Ledger(tmp_path_factory.mktemp("json") / "ledger.db")
    ledger.append("note", payload)
    assert ledger.entries()[0].payload == payload
    assert ledger.verify() == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), {1, 2}, "\ud800"])
def test_a_payload_that_is_not_json(ledger, bad):
    with pytest.raises(LedgerError, match="not JSON"):
        ledger.append("note", {"x": bad})
    with pytest.raises(LedgerError, match="lower-case"):
        ledger.append("Bad Kind", {})
    assert ledger.verify() == 5
