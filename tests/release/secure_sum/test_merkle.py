"""A digest of a list proves what is in it, and that it only grew."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.merkle import Tree, has_grown, leaf, root_with


def leaves(count: int) -> list[bytes]:
    return [leaf(bytes([number])) for number in range(count)]


@given(st.integers(1, 70), st.sets(st.integers(0, 69), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_is_in_a_list_is_proven_and_nothing_else(count: int, asked: set[int]) -> None:
    places = {place % count for place in asked}
    all_of_it = leaves(count)
    tree = Tree(all_of_it)
    proof = tree.proof(places)
    items = {place: all_of_it[place] for place in places}
    assert root_with(count, items, proof) == tree.root
    other = {**items, min(places): leaf(b"other")}
    assert root_with(count, other, proof) != tree.root
    for wrong in (proof[:-1], [*proof, bytes(32)]):
        if wrong != proof:
            with pytest.raises(SecureSumError):
                root_with(count, items, wrong)
    with pytest.raises(SecureSumError):
        root_with(count, {count: leaf(b"")}, proof)


def test_the_tree_is_that_of_rfc_6962() -> None:
    a, b, c = leaves(3)
    assert leaf(b"x") == hashlib.sha256(b"\0x").digest()
    left = hashlib.sha256(b"\1" + a + b).digest()
    assert Tree([a, b, c]).root == hashlib.sha256(b"\1" + left + c).digest()


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 39))
@settings(max_examples=80, deadline=None)
def test_a_list_that_grew_is_told_from_one_that_was_changed(
    fewer: int, more: int, changed: int
) -> None:
    before, after = sorted((fewer, more))
    tree = Tree(leaves(after))
    old = (before, Tree(leaves(before)).root if before else b"")
    proof = tree.grown(before)
    assert has_grown(old, (after, tree.root), proof)
    if not before:
        return
    other = leaves(before)
    other[changed % before] = leaf(b"swapped")
    assert not has_grown((before, Tree(other).root), (after, tree.root), proof)
    for at in range(len(proof)):
        broken = [*proof[:at], bytes(32), *proof[at + 1 :]]
        assert not has_grown(old, (after, tree.root), broken)
    assert not has_grown(old, (after, tree.root), proof[:-1])
    assert not has_grown(old, (before - 1, tree.root), proof)
