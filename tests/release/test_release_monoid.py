"""Releases are a commutative monoid, and adding and serializing commute."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import ReleaseError
from unsilent.release import Coordinate, Layout, Release

LAYOUT = Layout((Coordinate("SF-1", 0.3, 0.9), Coordinate("clipped", 1.0, 0.2)), joint=False)


@st.composite
def releases(draw):
    vector = draw(st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=2))
    return Release(
        LAYOUT.digest,
        3,
        draw(st.integers(0, 10**6)),
        np.array(vector),
        draw(st.floats(0, 1e12)),
    )


def same(a, b):
    """Field by field, and not by the class's own equality alone."""
    fields = ("layout", "round", "clients", "noise_variance")
    equal = all(getattr(a, f) == getattr(b, f) for f in fields)
    return equal and a.vector.tolist() == b.vector.tolist() and a == b and hash(a) == hash(b)


@given(releases(), releases(), releases())
def test_addition_is_associative(a, b, c):
    assert same((a + b) + c, a + (b + c))


@given(releases(), releases())
def test_addition_is_commutative(a, b):
    assert same(a + b, b + a)


@given(releases())
def test_zero_is_the_identity(a):
    zero = Release.zero(LAYOUT, 3)
    assert same(a + zero, a)
    assert same(zero + a, a)


@given(releases(), releases())
def test_adding_and_serializing_commute(a, b):
    again = Release.from_bytes(a.to_bytes()) + Release.from_bytes(b.to_bytes())
    assert same(again, Release.from_bytes((a + b).to_bytes()))
    assert again.to_bytes() == (a + b).to_bytes()


def test_a_sum_counts_clients_and_variance():
    a = Release(LAYOUT.digest, 1, 1, np.array([5, -2]), 100.0)
    b = Release(LAYOUT.digest, 1, 2, np.array([-1, 7]), 250.0)
    total = sum([a, b], start=Release.zero(LAYOUT, 1))
    assert (total.clients, total.noise_variance, total.vector.tolist()) == (3, 350.0, [4, 5])
    assert a != b
    assert a != "a"


def test_different_layouts_or_rounds_do_not_add():
    a = Release(LAYOUT.digest, 1, 1, np.array([5, -2]), 1.0)
    wide = Layout((Coordinate("SF-1", 0.4, 0.9), Coordinate("clipped", 1.0, 0.2)), joint=False)
    with pytest.raises(ReleaseError, match="different layouts"):
        a + Release(wide.digest, 1, 1, np.array([5, -2]), 1.0)
    with pytest.raises(ReleaseError, match="rounds 1 and 2"):
        a + Release(LAYOUT.digest, 2, 1, np.array([5, -2]), 1.0)


@given(releases(), st.data())
def test_any_changed_byte_is_noticed(a, data):
    raw = bytearray(a.to_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ReleaseError):
        Release.from_bytes(bytes(raw))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_release(raw):
    with pytest.raises(ReleaseError):
        Release.from_bytes(raw)
    with pytest.raises(ReleaseError):
        Release.from_bytes(b"unsilRel" + raw)


@pytest.mark.parametrize(
    "fields",
    [
        {"layout": "sha256:1"},
        {"round": 0},
        {"clients": -1},
        {"noise_variance": -1.0},
        {"noise_variance": float("nan")},
        {"vector": np.array([0.5, 1.0])},
        {"vector": np.array([2**60, 0])},
        {"vector": np.zeros((2, 2), np.int64)},
    ],
)
def test_impossible_releases_cannot_be_built(fields):
    good = {
        "layout": LAYOUT.digest,
        "round": 1,
        "clients": 1,
        "vector": np.array([1, 2]),
        "noise_variance": 4.0,
    }
    Release(**good)
    with pytest.raises(ReleaseError):
        Release(**(good | fields))


def test_a_release_cannot_be_changed_afterwards():
    mine = np.array([1, 2])
    release = Release(LAYOUT.digest, 1, 1, mine, 4.0)
    mine[0] = 9
    assert release.vector.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        release.vector[0] = 9
