"""What each message of a set-up holds.

Bonawitz et al. 2017, figure 4, rounds 0 and 1, here for all monitoring rounds at once: ``Advert``
up, the roster down (``roster.py``), ``KeyShares`` up, ``KeyBoxes`` down, ``Confirmation`` up. On a
sparse graph some clients reveal a value to draw it from before they share (``draw.py``).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unsilent.release.secure_sum.primitives import SEAL_SIZE, SIGNATURE_SIZE, verify
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer, put_boxes, take_boxes

_ADVERT_LABEL = b"unsilent/secure-sum/advert/2"


def key_box_size(terms: Terms) -> int:
    """Bytes of the sealed shares of all rounds' keys."""
    return HASH * len(terms.rounds) + SEAL_SIZE


@dataclass(frozen=True)
class Advert:
    """A client's public keys for one set-up, signed.

    Attributes:
        identity: Ed25519 key of the client.
        channel: X25519 key that opens the boxes to this client, and nothing else.
        keys: (rounds * 32) X25519 keys, one for each monitoring round's pairwise masks.
        signature: Of all else here and the terms, by ``identity``.
        commitment: To the client's value for the draw of a sparse graph; empty on a complete one.
        met: Of a sparse graph's, how long the list of clients was that it last saw; not signed.
    """

    identity: bytes
    channel: bytes
    keys: bytes
    signature: bytes
    commitment: bytes = b""
    met: int = 0

    @staticmethod
    def size(terms: Terms) -> int:
        """Bytes of ``body``."""
        committed = 0 if terms.parameters.complete else 1
        return HASH * (2 + len(terms.rounds) + committed) + SIGNATURE_SIZE

    @staticmethod
    def statement(
        terms: Terms, identity: bytes, channel: bytes, keys: bytes, commitment: bytes = b""
    ) -> bytes:
        """What the signature is of."""
        return _ADVERT_LABEL + terms.digest + identity + channel + keys + commitment

    def is_signed(self, terms: Terms) -> bool:
        """Whether its identity signed it for these terms."""
        statement = self.statement(terms, self.identity, self.channel, self.keys, self.commitment)
        return verify(self.identity, self.signature, statement)

    @property
    def body(self) -> bytes:
        """The advert within a roster."""
        return self.identity + self.channel + self.keys + self.commitment + self.signature

    @property
    def content(self) -> bytes:
        """What stands for it in the tree over a roster: whose it is, and its digest."""
        return self.identity + hashlib.sha256(self.body).digest()

    @classmethod
    def from_body(cls, body: bytes, terms: Terms) -> Advert:
        """Take ``body`` apart; its length is right."""
        keys = 2 * HASH + HASH * len(terms.rounds)
        return cls(
            body[:HASH],
            body[HASH : 2 * HASH],
            body[2 * HASH : keys],
            body[-SIGNATURE_SIZE:],
            body[keys:-SIGNATURE_SIZE],
        )

    def to_bytes(self, terms: Terms) -> bytes:
        """The advert as a message."""
        writer = Writer(Kind.ADVERT).raw(terms.digest, self.body)
        return (writer if terms.parameters.complete else writer.number(self.met)).done()

    @classmethod
    def from_bytes(cls, data: bytes, terms: Terms) -> Advert:
        """Read an advert for these terms; its signature is not checked here."""
        reader = Reader(Kind.ADVERT, data)
        if reader.raw(HASH) != terms.digest:
            raise reader.fault("is for another plan, layout or other parameters")
        advert = cls.from_body(reader.raw(cls.size(terms)), terms)
        met = 0 if terms.parameters.complete else reader.number(0, terms.everyone)
        reader.end()
        return replace(advert, met=met)


@dataclass(frozen=True)
class KeyShares:
    """A client's sealed shares of its rounds' private keys, one box for each neighbour.

    Attributes:
        roster: H0.
        sender: The client's place in the roster.
        boxes: (present neighbours, box) bytes, in the neighbours' order.
    """

    roster: bytes
    sender: int
    boxes: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The message."""
        writer = Writer(Kind.KEY_SHARES).raw(self.roster).number(self.sender)
        return writer.raw(self.boxes.tobytes()).done()

    @classmethod
    def from_bytes(cls, data: bytes, neighbours: int, terms: Terms) -> KeyShares:
        """Read a message of a client with so many present neighbours."""
        reader = Reader(Kind.KEY_SHARES, data)
        roster, sender = reader.raw(HASH), reader.number()
        boxes = reader.rows(neighbours, key_box_size(terms))
        reader.end()
        return cls(roster, sender, boxes)


@dataclass(frozen=True)
class KeyBoxes:
    """Who takes part, and the boxes to one client.

    Attributes:
        roster: H0.
        members: (present,) who shared their keys.
        senders: Whose boxes these are, rising.
        boxes: (senders, box) bytes.
    """

    roster: bytes
    members: NDArray[np.bool_]
    senders: tuple[int, ...]
    boxes: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The message."""
        writer = Writer(Kind.KEY_BOXES).raw(self.roster).flags(self.members)
        return put_boxes(writer, self.senders, self.boxes).done()

    @classmethod
    def from_bytes(cls, data: bytes, present: int, terms: Terms) -> KeyBoxes:
        """Read a message for a roster of so many clients."""
        reader = Reader(Kind.KEY_BOXES, data)
        roster, members = reader.raw(HASH), reader.flags(present)
        senders, boxes = take_boxes(reader, present, key_box_size(terms))
        reader.end()
        return cls(roster, members, senders, boxes)


@dataclass(frozen=True)
class Confirmation:
    """A client holds its neighbours' shares and takes part in this session."""

    session: bytes
    sender: int

    def to_bytes(self) -> bytes:
        """The message."""
        return Writer(Kind.CONFIRMATION).raw(self.session).number(self.sender).done()

    @classmethod
    def from_bytes(cls, data: bytes) -> Confirmation:
        """Read a confirmation."""
        reader = Reader(Kind.CONFIRMATION, data)
        found = cls(reader.raw(HASH), reader.number())
        reader.end()
        return found
