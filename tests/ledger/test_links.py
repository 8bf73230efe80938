"""A chain is checked by its rows' text; what that says is what parsing every row would say."""

import json
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from unsilent.errors import LedgerError
from unsilent.ledger import GENESIS, START, Entry, Verified
from unsilent.ledger.links import follow
from unsilent.ledger.table import round_of

TIME = "2026-01-01T00:00:00.000000+00:00"


def fault(index, what):
    return LedgerError(f"entry {index} {what}")


def row_of(payload, text=None, number="its own", kind="note", time=TIME, index=1, previous=GENESIS):
    """A row with the right hash of a payload, however its text is written."""
    entry = Entry(index, time, kind, payload, previous, "")
    entry = replace(entry, hash=entry.expected_hash())
    if text is None:
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    number = round_of(payload) if number == "its own" else number
    return (index, time, kind, text, previous, entry.hash, number)


def is_whole(*rows):
    try:
        checked, _ = follow(START, rows, fault)
    except LedgerError:
        return False
    assert checked == Verified(len(rows), rows[-1][5])
    return True


HOLDERS = [
    {"round": 5},
    {"round": -5},
    {"round": 0, "z": [1, -2.5e-3]},
    {"a": {"round": 6}, "round": 5, "sensitivity": 1024.0, "sigma": 1e300},
    {"a": 1, "b": {"round": 5}},
    {"a": [{"b": 1, "round": 5}]},
    {"a": ',"round":5}', "b": 'x"round":5}'},
    {'a,"round': 5},
    {"a": '{"round":5}'},
    {"round": 5, "vector": [1, 2, -3]},
    {"round": 5, "x": {"round": 6, "vector": []}},
    {"round": 5, "x": [{"round": 6}]},
    {"round": True},
    {"round": 5.0},
    {"round": 5e0, "z": 1},
    {"round": "5"},
    {"round": None},
    {"round": [5]},
    {"round": 2**63 - 1},
    {"round": 2**63},
    {"round": -(2**63)},
    {"Round": 5, "xround": 6},
    {},
    [],
    5,
    "round",
    [{"round": 5}],
]


@pytest.mark.parametrize("payload", HOLDERS)
def test_the_round_of_a_row_is_the_one_that_its_payload_names(payload):
    named = round_of(payload)
    for number in {None, 0, 1, 5, 6, -5, 2**63 - 1, named}:
        assert is_whole(row_of(payload, number=number)) == (number == named)


words = st.text(st.sampled_from('round:"\\,{}[]5 é'), max_size=9)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([1.5, 1e300, 2**64]) | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.just("round"), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(words | st.just("round"), values, max_size=4), st.integers(-9, 9))
@example({"round": 1, 'a"': {"round": 2}}, 2)
def test_any_payload_names_its_own_round_alone(payload, number):
    assert is_whole(row_of(payload))
    assert is_whole(row_of(payload, number=number)) == (round_of(payload) == number)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 2),
        (0, None),
        (1, "2026-01-01T00:00:00.000001+00:00"),
        (1, b"2026-01-01T00:00:00.000000+00:00"),
        (1, f'{TIME}","x":"'),
        (1, None),
        (2, "notes"),
        (2, 'note","x":"'),
        (2, 5),
        (3, '{"round":6,"x":"y"}'),
        (3, '{"round":5,"x":"y"},"more":{}'),
        (3, b'{"round":5,"x":"y"}'),
        (3, None),
        (3, ""),
        (4, "sha256:" + "1" * 64),
        (4, None),
        (5, "sha256:" + "1" * 64),
        (5, None),
        (6, 6),
        (6, None),
        (6, "5"),
    ],
)
def test_whatever_is_put_into_a_row_shows(place, value):
    first = row_of({"round": 5, "x": "y"})
    second = row_of({"round": 6}, index=2, previous=first[5])
    assert is_whole(first, second)
    altered = (*first[:place], value, *first[place + 1 :])
    assert not is_whole(altered, second)
    assert not is_whole(altered)


def test_a_row_of_other_letters_that_says_the_same_is_whole():
    payload = {"round": 5, "x": "é"}
    assert is_whole(row_of(payload, '{"x": "\\u00e9", "round": 5}'))
    assert is_whole(row_of(payload, time='"', kind="ü"))
    assert not is_whole(row_of(payload, '{"x": "\\u00e8", "round": 5}'))


def test_rows_change_places_only_with_a_trace():
    first = row_of({"a": 1})
    second = row_of({"a": 2}, index=2, previous=first[5])
    third = row_of({"a": 3}, index=3, previous=second[5])
    assert is_whole(first, second, third)
    for order in [(second, first, third), (first, third), (second, third), (first, first)]:
        assert not is_whole(*order)
    for index, row in enumerate(order := (first, third, second), 1):
        order = (*order[: index - 1], (index, *row[1:]), *order[index:])
    assert not is_whole(*order)
