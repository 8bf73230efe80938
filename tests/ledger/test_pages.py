"""Readers page and follow a long ledger without checking all of it."""

import random
import time

import pytest

from unsilent.errors import LedgerError
from unsilent.ledger import START, Ledger, Verified


@pytest.fixture
def ledger(place):
    made = Ledger(place.where)
    for i in range(1, 31):
        made.append("finding" if i % 3 == 0 else "note", {"round": i // 10, "i": i})
    made.append("end", {"round": "none"})
    return made


def test_pages_go_back_to_the_first_entry_without_gap(ledger):
    seen, before = [], None
    while page := ledger.page(before, limit=7):
        seen += [entry.index for entry in page]
        before = page[-1].index
    assert seen == list(range(31, 0, -1))


def test_pages_of_a_kind_and_of_a_round(ledger):
    assert [e.index for e in ledger.page(kind="finding", limit=3)] == [30, 27, 24]
    assert [e.index for e in ledger.page(round=1, limit=50)] == list(range(19, 9, -1))
    assert [e.index for e in ledger.page(16, kind="finding", round=1)] == [15, 12]
    assert ledger.page(kind="nothing") == ledger.page(round=9) == ledger.page(1) == []
    assert ledger.entries()[-1].round is None


def test_a_page_added_to_meanwhile_does_not_shift(ledger):
    first = ledger.page(limit=5)
    ledger.append("note", {"round": 4})
    second = ledger.page(first[-1].index, limit=5)
    assert [e.index for e in first + second] == list(range(31, 21, -1))


def test_following_the_tail(place, ledger):
    reader = Ledger(place.where, read_only=True)
    last = reader.size
    assert reader.entries(since=last) == []
    ledger.append("note", {"round": 4})
    ledger.append("finding", {"round": 4})
    assert [e.index for e in reader.entries(since=last)] == [32, 33]
    assert [e.index for e in reader.entries(since=last, limit=1)] == [32]
    assert reader.kinds() == {"end": 1, "finding": 11, "note": 21}


def test_a_reader_writes_nothing(place, ledger):
    reader = Ledger(place.where, read_only=True)
    with pytest.raises(LedgerError, match=r"read-?only"):
        reader.append("note", {})
    assert ledger.verify() == 31


def test_a_reader_of_nothing(place):
    with pytest.raises(LedgerError, match=r"no such file|no ledger is here"):
        Ledger(place.where, read_only=True)


def test_a_reader_verifies_bit_by_bit(place, ledger):
    reader = Ledger(place.where, read_only=True)
    done = START
    for expected in (10, 20, 30, 31, 31):
        done = reader.verify_next(done, limit=10)
        assert done.count == expected
    assert done.head == ledger.head
    ledger.append("note", {})
    assert reader.verify_next(done) == Verified(32, ledger.head)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM unsilent_ledger WHERE position > 19", "entry 20 is missing"),
        ("UPDATE unsilent_ledger SET kind = 'x' WHERE position = 20", "entry 20 was changed"),
        ("UPDATE unsilent_ledger SET kind = 'x' WHERE position = 25", "entry 25 was changed"),
        ("DELETE FROM unsilent_ledger WHERE position = 21", "entry 21 is missing"),
    ],
)
def test_what_changes_between_two_bits_shows(place, ledger, statement, fault):
    done = ledger.verify_next(limit=20)
    place.tamper(statement)
    with pytest.raises(LedgerError, match=fault):
        ledger.verify_next(done)


def test_a_hundred_thousand_entries_page_quickly(place):
    ledger = Ledger(place.where)
    kinds = ("system", "privacy_event", "sum", "findings")
    chance = random.Random(1)
    filler = "".join(chance.choices("0123456789abcdef", k=200))
    # Written past the ledger, which syncs each entry: only the reading is timed.
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
    names = " ".join(f"WHEN {k} THEN '{kind}'" for k, kind in enumerate(kinds))
    place.execute(
        "INSERT INTO unsilent_ledger (position, time, kind, payload, previous, hash, round) "
        f"{count} SELECT i, 't', CASE i % 4 {names} END, "
        f"'{{\"round\":' || (i / 4) || ',\"x\":\"{filler}\"}}', 'p' || i, 'h' || i, i / 4 FROM n"
    )
    reads = {
        "open": lambda: Ledger(place.where, read_only=True),
        "newest": lambda: ledger.page(limit=100),
        "middle": lambda: ledger.page(50_000, limit=100),
        "kind": lambda: ledger.page(50_000, limit=100, kind="findings"),
        "rare kind": lambda: ledger.page(kind="stopped", limit=100),
        "round": lambda: ledger.page(round=12_345, limit=100),
        "kind and round": lambda: ledger.page(kind="sum", round=12_345),
        "tail": lambda: ledger.entries(since=99_990),
        "size": lambda: ledger.size,
        "kinds": ledger.kinds,
    }
    assert [e.kind for e in reads["round"]()] == ["findings", "sum", "privacy_event", "system"]
    for name, read in reads.items():
        start = time.process_time()
        read()
        assert time.process_time() - start < 0.3, name
