"""What each message of a monitoring round holds.

Bonawitz et al. 2017, figure 4, rounds 2 to 4: ``Masked`` up; with the consistency check
``Survivors`` down and ``Agreement`` up; ``Request`` down, ``ShareAnswer`` up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.release.secure_sum.primitives import SEAL_SIZE, SIGNATURE_SIZE
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer, put_boxes, take_boxes

CHECK = 16
"""Bytes of a seed's key-check value."""

SEED_BOX = HASH + SEAL_SIZE
"""Bytes of a sealed share of a round's seed."""

_AGREEMENT_LABEL = b"unsilent/secure-sum/agreement/1"


@dataclass(frozen=True, eq=False)
class Masked:
    """Message A: a client's masked vector, and shares of its own mask's seed.

    Attributes:
        session: The session.
        round: The monitoring round.
        sender: The client's place in the roster.
        check: Key-check value of the seed.
        vector: (length,) the vector plus all its masks, mod 2^32.
        boxes: (member neighbours, box) bytes, in the neighbours' order.
    """

    session: bytes
    round: int
    sender: int
    check: bytes
    vector: NDArray[np.uint32]
    boxes: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The message."""
        writer = Writer(Kind.MASKED).raw(self.session).number(self.round).number(self.sender)
        writer.raw(self.check, self.vector.astype("<u4", copy=False).tobytes())
        return writer.raw(self.boxes.tobytes()).done()

    @classmethod
    def from_bytes(cls, data: bytes, neighbours: int, length: int) -> Masked:
        """Read a message of a client with so many member neighbours."""
        reader = Reader(Kind.MASKED, data)
        session, round_number, sender = reader.raw(HASH), reader.number(), reader.number()
        check, vector = reader.raw(CHECK), reader.numbers(length)
        boxes = reader.rows(neighbours, SEED_BOX)
        reader.end()
        return cls(session, round_number, sender, check, vector, boxes)


@dataclass(frozen=True)
class Survivors:
    """Who survived and who dropped out, as the server says; each client is asked to sign it.

    Attributes:
        session: The session.
        round: The monitoring round.
        survivors: (present,) S: whose masked vector came.
        dropped: (present,) D: the other members.
    """

    session: bytes
    round: int
    survivors: NDArray[np.bool_]
    dropped: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """The message."""
        return self.put(Writer(Kind.SURVIVORS)).done()

    @classmethod
    def from_bytes(cls, data: bytes, present: int) -> Survivors:
        """Read a message for a roster of so many clients."""
        reader = Reader(Kind.SURVIVORS, data)
        found = cls.take(reader, present)
        reader.end()
        return found

    @property
    def statement(self) -> bytes:
        """What a client signs: S, from which D follows."""
        return (
            _AGREEMENT_LABEL
            + Writer(Kind.SURVIVORS)
            .raw(self.session)
            .number(self.round)
            .flags(self.survivors)
            .done()
        )

    def put(self, writer: Writer) -> Writer:
        """Write it within a message."""
        writer.raw(self.session).number(self.round)
        return writer.flags(self.survivors).flags(self.dropped)

    @classmethod
    def take(cls, reader: Reader, present: int) -> Survivors:
        """Read it within a message."""
        return cls(reader.raw(HASH), reader.number(), reader.flags(present), reader.flags(present))


@dataclass(frozen=True)
class Agreement:
    """A client's signature of who survived."""

    session: bytes
    round: int
    sender: int
    signature: bytes

    def to_bytes(self) -> bytes:
        """The message."""
        writer = Writer(Kind.AGREEMENT).raw(self.session).number(self.round).number(self.sender)
        return writer.raw(self.signature).done()

    @classmethod
    def from_bytes(cls, data: bytes) -> Agreement:
        """Read a signature; it is not checked here."""
        reader = Reader(Kind.AGREEMENT, data)
        found = cls(reader.raw(HASH), reader.number(), reader.number(), reader.raw(SIGNATURE_SIZE))
        reader.end()
        return found


@dataclass(frozen=True, eq=False)
class Request:
    """The server's half of message B: who survived, the boxes to one client, the signatures.

    Attributes:
        about: Survivors and dropped.
        senders: Whose boxes these are, rising: the client's surviving neighbours.
        boxes: (senders, box) bytes.
        signers: Who signed ``about``, rising; empty without the consistency check.
        signatures: (signers, 64) bytes.
    """

    about: Survivors
    senders: tuple[int, ...]
    boxes: NDArray[np.uint8]
    signers: tuple[int, ...]
    signatures: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The message."""
        writer = self.about.put(Writer(Kind.REQUEST))
        put_boxes(writer, self.senders, self.boxes)
        return put_boxes(writer, self.signers, self.signatures).done()

    @classmethod
    def from_bytes(cls, data: bytes, present: int) -> Request:
        """Read a message for a roster of so many clients."""
        reader = Reader(Kind.REQUEST, data)
        about = Survivors.take(reader, present)
        senders, boxes = take_boxes(reader, present, SEED_BOX)
        signers, signatures = take_boxes(reader, present, SIGNATURE_SIZE)
        reader.end()
        return cls(about, senders, boxes, signers, signatures)


@dataclass(frozen=True, eq=False)
class ShareAnswer:
    """The client's half of message B: one share for each member neighbour.

    Attributes:
        session: The session.
        round: The monitoring round.
        sender: The client's place in the roster.
        shares: (member neighbours, 32) bytes in the neighbours' order: of a survivor's seed, of
            one that dropped out its round key.
    """

    session: bytes
    round: int
    sender: int
    shares: NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The message."""
        writer = Writer(Kind.ANSWER).raw(self.session).number(self.round).number(self.sender)
        return writer.raw(self.shares.tobytes()).done()

    @classmethod
    def from_bytes(cls, data: bytes, neighbours: int) -> ShareAnswer:
        """Read a message of a client with so many member neighbours."""
        reader = Reader(Kind.ANSWER, data)
        session, round_number, sender = reader.raw(HASH), reader.number(), reader.number()
        shares = reader.rows(neighbours, HASH)
        reader.end()
        return cls(session, round_number, sender, shares)
