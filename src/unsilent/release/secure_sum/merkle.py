"""Merkle trees: one digest for a list, proofs that some items are in it, and that it only grew.

The trees of RFC 6962 (section 2.1): a list of n is split after the largest power of two below n,
so that each whole block of 2^j items that begins at a multiple of its size is a node of every
longer list's tree. A proof is the digests of the blocks that its reader cannot work out, from left
to right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.wire import HASH

_Block = tuple[int, int]
"""First item of a block, and the one after its last."""


def leaf(item: bytes) -> bytes:
    """Digest of an item; that of no two blocks."""
    return hashlib.sha256(b"\0" + item).digest()


class Tree:
    """The tree over a list of digests of items.

    Args:
        leaves: At least one.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = list(leaves)
        self._known: dict[_Block, bytes] = {}
        self.root: bytes = self._digest((0, len(self._leaves)))

    def __len__(self) -> int:
        return len(self._leaves)

    def proof(self, places: Collection[int]) -> list[bytes]:
        """What ``root_with`` needs beside the items at these places."""
        return [self._digest(block) for block in _others((0, len(self)), sorted(places))]

    def grown(self, size: int) -> list[bytes]:
        """What ``has_grown`` needs of the first ``size`` items, and of those after them."""
        if not size:
            return []
        rest = [block for block in _blocks((0, len(self)), size) if block[0] >= size]
        return [self._digest(block) for block in (*_peaks(size), *rest)]

    def _digest(self, block: _Block) -> bytes:
        first, end = block
        if end - first == 1:
            return self._leaves[first]
        found = self._known.get(block)
        if found is None:
            left, right = _halves(block)
            found = self._known[block] = _node(self._digest(left), self._digest(right))
        return found


def root_with(size: int, items: Mapping[int, bytes], proof: Sequence[bytes]) -> bytes:
    """The root of a list of that size with these items, by place, in it.

    Args:
        size: Of the list, at least 1.
        items: Digests of items, by ``leaf``, at least one.
        proof: As ``Tree.proof`` gives it.

    Raises:
        SecureSumError: An item has no place in such a list, or the proof is not of its length.
    """
    places = sorted(items)
    if not places or not 0 <= places[0] <= places[-1] < size:
        raise SecureSumError("items with no place in the list that is proven")
    given = iter(proof)
    root = _folded((0, size), places, items, given)
    _at_end(given)
    return root


def has_grown(before: tuple[int, bytes], after: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Whether a list holds another one whole, as its beginning.

    Args:
        before: Size and root of the shorter list; size 0 is the beginning of every list.
        after: Of the longer one.
        proof: As ``Tree.grown`` gives it.
    """
    (fewer, old), (size, new) = before, after
    if fewer == 0:
        return not proof
    if fewer > size or len(proof) < len(_peaks(fewer)):
        return False
    peaks = dict(zip(_peaks(fewer), proof, strict=False))
    given = iter(proof[len(peaks) :])
    try:
        begun = _joined((0, fewer), peaks, fewer, iter(()))
        whole = _joined((0, size), peaks, fewer, given)
        _at_end(given)
    except SecureSumError:
        return False
    return (begun, whole) == (old, new)


def _folded(
    block: _Block, places: Sequence[int], items: Mapping[int, bytes], given: Iterator[bytes]
) -> bytes:
    if not places:
        return _next(given)
    if block[1] - block[0] == 1:
        return items[places[0]]
    left, right = _halves(block)
    here = [place for place in places if place < left[1]]
    first = _folded(left, here, items, given)
    return _node(first, _folded(right, places[len(here) :], items, given))


def _joined(
    block: _Block, peaks: Mapping[_Block, bytes], size: int, given: Iterator[bytes]
) -> bytes:
    """Digest of a block, of whole blocks of the first ``size`` items and of others that follow."""
    if block in peaks:
        return peaks[block]
    if block[0] >= size:
        return _next(given)
    left, right = _halves(block)
    return _node(_joined(left, peaks, size, given), _joined(right, peaks, size, given))


def _others(block: _Block, places: Sequence[int]) -> Iterator[_Block]:
    """The largest blocks without any of these places, from left to right."""
    if not places:
        yield block
    elif block[1] - block[0] > 1:
        left, right = _halves(block)
        here = [place for place in places if place < left[1]]
        yield from _others(left, here)
        yield from _others(right, places[len(here) :])


def _blocks(block: _Block, size: int) -> Iterator[_Block]:
    """The largest blocks that lie on one side of place ``size``, from left to right."""
    if block[1] <= size or block[0] >= size:
        yield block
    else:
        left, right = _halves(block)
        yield from _blocks(left, size)
        yield from _blocks(right, size)


def _peaks(size: int) -> list[_Block]:
    """The whole blocks of powers of two that a list of that size is made of, the largest first."""
    found: list[_Block] = []
    first = 0
    while first < size:
        length = 1 << ((size - first).bit_length() - 1)
        found.append((first, first + length))
        first += length
    return found


def _halves(block: _Block) -> tuple[_Block, _Block]:
    first, end = block
    middle = first + (1 << ((end - first - 1).bit_length() - 1))
    return (first, middle), (middle, end)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _next(given: Iterator[bytes]) -> bytes:
    digest = next(given, None)
    if digest is None or len(digest) != HASH:
        raise SecureSumError("a proof is too short")
    return digest


def _at_end(given: Iterator[bytes]) -> None:
    if next(given, None) is not None:
        raise SecureSumError("a proof is too long")
