"""All clients that a plan has met: a list that only grows, of which each client knows the digest.

Where a client gets some adverts only, it cannot see by itself that over all set-ups there are no
more keys than the plan has clients, nor that no client is in a roster twice. Both follow from this
list: its beginning never changes (``merkle.has_grown``), it is no longer than the plan is large,
and a roster is made of some of its entries, in their order, by flags that all clients get.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unsilent.release.secure_sum.merkle import Tree, leaf
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer, bits, items_of


@dataclass(frozen=True, eq=False, repr=False)
class Enrolment:
    """The list as a roster stands on it.

    Attributes:
        root: Of the tree over its identities.
        present: (size,) which of them are in the roster; a client's number is its rank.
    """

    root: bytes
    present: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """How long the list is."""
        return len(self.present)

    @cached_property
    def entries(self) -> NDArray[np.int64]:
        """(in the roster,) each client's place in the list."""
        return np.flatnonzero(self.present)

    @property
    def seen(self) -> bytes:
        """What a client keeps of it: size and root."""
        return self.size.to_bytes(4, "little") + self.root

    def to_bytes(self) -> bytes:
        """All of it, as it is hashed and sent."""
        return self.seen + bits(self.present)

    @classmethod
    def take(cls, reader: Reader, most: int) -> Enrolment:
        """Read one within a message: of at most so many clients."""
        size = reader.number(1, most)
        return cls(reader.raw(HASH), reader.flags(size))


def seen_in(kept: bytes) -> tuple[int, bytes]:
    """Size and root of what a client kept; 0 and nothing before its first roster."""
    return int.from_bytes(kept[:4], "little"), kept[4:]


class Enrolled:
    """The list as the server keeps it, on disk before an entry is first shown to anyone.

    Args:
        identities: In order, each once.
    """

    def __init__(self, identities: Iterable[bytes] = ()) -> None:
        self.places: dict[bytes, int] = {}
        self.extend(identities)

    def extend(self, identities: Iterable[bytes]) -> None:
        """Append those that are not in it yet."""
        for identity in identities:
            self.places.setdefault(identity, len(self.places))
        self.tree = Tree([leaf(identity) for identity in self.places] or [leaf(b"")])

    def standing(self, identities: Sequence[bytes]) -> Enrolment:
        """The list as a roster of these identities stands on it."""
        present = np.zeros(len(self.places), dtype=np.bool_)
        present[[self.places[identity] for identity in identities]] = True
        return Enrolment(self.tree.root, present)

    def to_bytes(self) -> bytes:
        """The list for the server's own disk."""
        body = b"".join(self.places)
        return Writer(Kind.ENROLMENT).raw(hashlib.sha256(body).digest(), body).done()

    @classmethod
    def from_bytes(cls, data: bytes) -> Enrolled:
        """Read a stored list. Raises SecureSumError if it is damaged."""
        reader = Reader(Kind.ENROLMENT, data)
        check, body = reader.raw(HASH), data[8 + HASH :]
        if len(body) % HASH or hashlib.sha256(body).digest() != check:
            raise reader.fault("is damaged")
        return cls(items_of(body))


def pinned_root(pinned: Iterable[bytes]) -> bytes:
    """Root of the list of a plan that pins its clients' keys: these, in order."""
    return Tree([leaf(identity) for identity in sorted(pinned)]).root
