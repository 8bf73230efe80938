"""The ledger is a chain that only grows, and shows any change."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unsilent.errors import LedgerError
from unsilent.ledger import GENESIS, Ledger


@pytest.fixture
def ledger(place):
    made = Ledger(place.where)
    for i in range(5):
        made.append("finding" if i % 2 else "release", {"round": i, "x": [1.5, "é", None]})
    return made


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


def test_an_empty_ledger_is_whole(place):
    ledger = Ledger(place.where)
    assert (ledger.head, ledger.verify(), ledger.entries()) == (GENESIS, 0, [])


def test_opened_again_it_goes_on(place, ledger):
    Ledger(place.where).append("end", {})
    assert ledger.verify() == 6


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("UPDATE unsilent_ledger SET payload = '{\"round\":7}' WHERE position = 3", 3),
        ("UPDATE unsilent_ledger SET payload = 'x' WHERE position = 2", 2),
        ("UPDATE unsilent_ledger SET kind = 'release' WHERE position = 4", 4),
        ("UPDATE unsilent_ledger SET round = 7 WHERE position = 4", 4),
        ("UPDATE unsilent_ledger SET time = '2020-01-01T00:00:00+00:00' WHERE position = 1", 1),
        ("UPDATE unsilent_ledger SET previous = 'sha256:1' WHERE position = 5", 5),
        ("DELETE FROM unsilent_ledger WHERE position = 2", 2),
        ("DELETE FROM unsilent_ledger WHERE position = 1", 1),
    ],
)
def test_the_first_bad_entry_is_named(place, ledger, statement, entry):
    place.tamper(statement)
    with pytest.raises(LedgerError, match=rf": entry {entry} .*restore a backup"):
        ledger.verify()


def test_a_removed_and_renumbered_entry_shows(place, ledger):
    place.tamper(
        "DELETE FROM unsilent_ledger WHERE position = 3",
        "UPDATE unsilent_ledger SET position = position - 1 WHERE position > 3",
    )
    with pytest.raises(LedgerError, match="entry 3 does not follow"):
        ledger.verify()


def test_cut_off_newest_entries_show_against_a_noted_head(place, ledger):
    head = ledger.head
    ledger.append("end", {})
    assert ledger.verify(head) == 6
    place.tamper("DELETE FROM unsilent_ledger WHERE position > 4")
    assert ledger.verify() == 4
    with pytest.raises(LedgerError, match="noted head"):
        ledger.verify(head)


def test_nothing_is_added_to_a_changed_head(place, ledger):
    place.tamper("UPDATE unsilent_ledger SET kind = 'finding' WHERE position = 5")
    with pytest.raises(LedgerError, match="entry 5 was changed"):
        ledger.append("end", {})


@pytest.mark.parametrize(
    "statement", ["UPDATE unsilent_ledger SET kind = 'x'", "DELETE FROM unsilent_ledger"]
)
def test_the_database_refuses_update_and_delete(place, ledger, statement):
    with pytest.raises(Exception, match="append-only"):
        place.execute(statement)
    assert ledger.verify() == 5


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


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payload=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values))
def test_any_json_survives(place, payload):
    ledger = Ledger(place.where)
    made = ledger.append("note", payload)
    (entry,) = ledger.entries(since=made.index - 1)
    assert entry.payload == payload
    assert ledger.verify() == made.index


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), {1, 2}, "\ud800"])
def test_a_payload_that_is_not_json(ledger, bad):
    with pytest.raises(LedgerError, match="not JSON"):
        ledger.append("note", {"x": bad})
    with pytest.raises(LedgerError, match="lower-case"):
        ledger.append("Bad Kind", {})
    assert ledger.verify() == 5


def test_a_payload_that_says_the_same_in_other_letters_is_unchanged(place, ledger):
    place.tamper(
        """UPDATE unsilent_ledger SET payload = '{"x": [1.5, "é", null], "round": 2}' """
        "WHERE position = 3"
    )
    assert ledger.verify() == 5


@pytest.mark.parametrize(
    "text",
    [
        """{"round":2,"x":[1.5,"é",null]},"more":{}""",
        """{"round":2,"x":[1.5,"é",null],"y":1}""",
        """{"round":2,"x":[1.5,"é"]}""",
        """{"round":2,"x":[1.5""",
    ],
)
def test_a_payload_that_says_more_or_less_is_changed(place, ledger, text):
    place.tamper(f"UPDATE unsilent_ledger SET payload = '{text}' WHERE position = 3")
    with pytest.raises(LedgerError, match="entry 3 was changed"):
        ledger.verify()
