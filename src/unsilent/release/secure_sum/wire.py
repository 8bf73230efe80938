"""The secure sum's messages as bytes: versioned, of fixed layout, checked in full before use.

Every message opens with the same eight bytes: a mark, the version and the kind. Its length is
known to whoever reads it, from the terms and from the counts it opens with; a message that is
shorter, longer, of another kind or with a count out of range is refused as a whole. Numbers are
little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError

VERSION = 2
HASH = 32
"""Bytes of a digest, an identity, a key and a share."""

_MARK = b"unSS"
_HEAD = struct.Struct("<4sBB2x")
_NUMBER = struct.Struct("<I")
_REMEDY = "It is ignored; server and clients need the same version of unsilent and the same plan."


class Kind(IntEnum):
    """What a message is."""

    ADVERT = 1
    ROSTER = 2
    KEY_SHARES = 3
    KEY_BOXES = 4
    CONFIRMATION = 5
    MASKED = 6
    SURVIVORS = 7
    AGREEMENT = 8
    REQUEST = 9
    ANSWER = 10
    SESSION = 11
    REVEAL = 12
    EXTRACT = 13
    ENROLMENT = 14

    @property
    def words(self) -> str:
        """The kind for a person."""
        return self.name.lower().replace("_", " ")


class Writer:
    """Puts one message together."""

    def __init__(self, kind: Kind) -> None:
        self._parts = [_HEAD.pack(_MARK, VERSION, kind)]

    def raw(self, *parts: bytes) -> Writer:
        """Bytes whose length the reader knows."""
        self._parts.extend(parts)
        return self

    def number(self, value: int) -> Writer:
        """A number in 0..2^32-1."""
        self._parts.append(_NUMBER.pack(value))
        return self

    def flags(self, flags: NDArray[np.bool_]) -> Writer:
        """One bit for each client, the first in the lowest bit."""
        self._parts.append(np.packbits(flags, bitorder="little").tobytes())
        return self

    def done(self) -> bytes:
        """The message."""
        return b"".join(self._parts)


class Reader:
    """Takes one message apart; every fault is a SecureSumError that names the kind of message.

    Args:
        kind: What the message must be.
        data: The message as it came.
    """

    def __init__(self, kind: Kind, data: bytes) -> None:
        self._kind = kind
        self._data = data
        self._at = _HEAD.size
        if len(data) < _HEAD.size or not data.startswith(_MARK):
            raise self.fault("is not a message of a secure sum")
        _, version, found = _HEAD.unpack_from(data)
        if version != VERSION:
            raise self.fault(f"has version {version}, not {VERSION}")
        if found != kind or data[6:8] != b"\0\0":
            raise self.fault("is a message of another kind")

    def raw(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise self.fault("is truncated")
        self._at, start = end, self._at
        return self._data[start:end]

    def number(self, least: int = 0, most: int = 2**32 - 1) -> int:
        """A number in ``least..most``."""
        (value,) = _NUMBER.unpack(self.raw(_NUMBER.size))
        if not least <= value <= most:
            raise self.fault("holds a number out of range")
        return value

    def flags(self, count: int) -> NDArray[np.bool_]:
        """(count,) bits; those that fill the last byte are zero."""
        bits = np.unpackbits(
            np.frombuffer(self.raw(-(-count // 8)), dtype=np.uint8), bitorder="little"
        ).astype(np.bool_)
        if bool(bits[count:].any()):
            raise self.fault("names clients that do not exist")
        return bits[:count]

    def rows(self, count: int, size: int) -> NDArray[np.uint8]:
        """(count, size) bytes, read-only."""
        return np.frombuffer(self.raw(count * size), dtype=np.uint8).reshape(count, size)

    def numbers(self, count: int) -> NDArray[np.uint32]:
        """(count,) numbers, read-only."""
        return np.frombuffer(self.raw(4 * count), dtype="<u4").astype(np.uint32, copy=False)

    def end(self) -> None:
        """Refuse a message that goes on."""
        if self._at != len(self._data):
            raise self.fault("is too long")

    def fault(self, what: str) -> SecureSumError:
        """The error for this message."""
        return SecureSumError(f"the message {what}", where=self._kind.words, remedy=_REMEDY)


def bits(flags: NDArray[np.bool_]) -> bytes:
    """Flags as they are hashed and signed."""
    return np.packbits(flags, bitorder="little").tobytes()


def rows_of(data: bytes | Sequence[bytes], size: int) -> NDArray[np.uint8]:
    """(rows, size) bytes, read-only, of rows that lie one after the other."""
    joined = data if isinstance(data, bytes) else b"".join(data)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, size)


def items_of(data: bytes, size: int = HASH) -> list[bytes]:
    """Equally long items that lie one after the other."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def put_boxes(writer: Writer, senders: tuple[int, ...], boxes: NDArray[np.uint8]) -> Writer:
    """Write whose boxes follow, and the boxes."""
    writer.number(len(senders)).raw(np.array(senders, dtype="<u4").tobytes())
    return writer.raw(boxes.tobytes())


def take_boxes(
    reader: Reader, present: int, size: int
) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
    """Read what ``put_boxes`` wrote: senders, rising, and their boxes of that size."""
    senders = tuple(reader.numbers(reader.number(0, present)).tolist())
    rising = all(a < b for a, b in pairwise(senders))
    if not rising or (senders and senders[-1] >= present):
        raise reader.fault("names clients that do not exist, or one of them twice")
    return senders, reader.rows(len(senders), size)
