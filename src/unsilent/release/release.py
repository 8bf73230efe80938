"""Release: what leaves a client, and what clients' releases sum to.

Releases of one layout and one round form a commutative monoid: addition is associative and
commutative, ``Release.zero`` is its identity, and adding and serializing commute. A client's
release and the sum of a thousand are the same type.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ReleaseError
from unsilent.release.layout import Layout

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAGIC = b"unsilRel"
_VERSION = 1
_HEADER = struct.Struct("<8sHIId32sI")
_CHECK = struct.Struct("<I")
# Whole numbers up to here are exact in float64, so that sums do not depend on their order.
_LARGEST = 2**53
_LARGEST_COUNT = 2**32 - 1


@dataclass(frozen=True, eq=False)
class Release:
    """One integer vector and what is known about it.

    Attributes:
        layout: Digest of the layout, ``sha256:…``.
        round: The monitoring round, counted from 1.
        clients: How many clients' vectors are summed in it.
        vector: (n_coordinates,) int64, read-only, noise included.
        noise_variance: Variance of the privacy noise really present in each coordinate: the sum
            of the shares, in integer units squared, held as a whole number (the step is 1e-6 of
            C squared at scale 1024) so that addition is exact.
    """

    layout: str
    round: int
    clients: int
    vector: NDArray[np.int64]
    noise_variance: float

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.layout):
            raise ReleaseError("a release's layout is not a sha256 digest")
        if not 1 <= self.round <= _LARGEST_COUNT or not 0 <= self.clients <= _LARGEST_COUNT:
            raise ReleaseError("a release's round or number of clients is out of range")
        if not math.isfinite(self.noise_variance) or not 0 <= self.noise_variance < _LARGEST:
            raise ReleaseError("a release's noise variance is out of range")
        vector = np.array(self.vector)
        if vector.ndim != 1 or vector.size == 0 or vector.dtype.kind not in "iu":
            raise ReleaseError("a release's vector is not a row of integers")
        if int(vector.max()) > _LARGEST or int(vector.min()) < -_LARGEST:
            raise ReleaseError("a release's vector is out of range")
        vector = vector.astype(np.int64, copy=False)
        vector.setflags(write=False)
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "noise_variance", float(round(self.noise_variance)))

    @classmethod
    def zero(cls, layout: Layout, round_number: int) -> Release:
        """The identity of addition: no client, no noise."""
        vector = np.zeros(len(layout.coordinates), dtype=np.int64)
        return cls(layout.digest, round_number, 0, vector, 0.0)

    def __add__(self, other: Release) -> Release:
        """The sum of two releases. Raises ReleaseError if layout or round differ."""
        if self.layout != other.layout or self.vector.shape != other.vector.shape:
            raise ReleaseError(
                "releases of different layouts cannot be added",
                where=f"round {self.round}",
                remedy="Give server and clients the same plan.",
            )
        if self.round != other.round:
            raise ReleaseError(f"releases of rounds {self.round} and {other.round} cannot be added")
        return Release(
            self.layout,
            self.round,
            self.clients + other.clients,
            self.vector + other.vector,
            self.noise_variance + other.noise_variance,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Release) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The release as a few hundred bytes: header, little-endian int64 vector, CRC-32."""
        head = _HEADER.pack(
            _MAGIC,
            _VERSION,
            self.round,
            self.clients,
            self.noise_variance,
            bytes.fromhex(self.layout.removeprefix("sha256:")),
            self.vector.size,
        )
        body = head + self.vector.astype("<i8").tobytes()
        return body + _CHECK.pack(zlib.crc32(body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Release:
        """Read a release; raises ReleaseError if it is damaged or of another version."""
        remedy = "Ask for it again; server and clients need the same version of unsilent."
        if len(data) < _HEADER.size + _CHECK.size or not data.startswith(_MAGIC):
            raise ReleaseError("not a release", remedy=remedy)
        _, version, round_number, clients, variance, digest, size = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise ReleaseError(f"a release of version {version}, not {_VERSION}", remedy=remedy)
        body, check = data[: -_CHECK.size], data[-_CHECK.size :]
        if len(body) != _HEADER.size + 8 * size or _CHECK.pack(zlib.crc32(body)) != check:
            raise ReleaseError("a damaged release", remedy=remedy)
        if not math.isfinite(variance) or variance != math.floor(variance):
            raise ReleaseError("a release's noise variance is not a whole number", remedy=remedy)
        vector = np.frombuffer(body, dtype="<i8", offset=_HEADER.size).astype(np.int64)
        return cls(f"sha256:{digest.hex()}", round_number, clients, vector, variance)
