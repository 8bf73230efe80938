"""How a sparse graph's seed is drawn, so that neither server nor clients choose it.

Commit, then reveal (Blum 1983, "Coin flipping by telephone"): each client's advert commits to a
random value. Once the roster fixes all of these, some clients, the *drawers*, reveal theirs, each
for this roster only; the graph is drawn from the roster and all of their values. Unless all drawers
side with the server, nobody knows the seed before the last honest one has revealed, and then a
value cannot be left out or changed: without one there is no graph, and all begin anew. That is what
remains to a server, to throw a graph away, and ``parameters.MOST_DRAWS`` bounds how often.

Not all clients reveal, since the first one that is lost would end the draw. Who does follows from
the roster, which a server can vary before it shows it to anyone; there are so many drawers that
2^80 rosters hold none whose drawers all side with it, but for probability 2^-40.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from unsilent.release.secure_sum.graph import sample
from unsilent.release.secure_sum.parameters import SPARSE_RECKONS_WITH, Parameters
from unsilent.release.secure_sum.primitives import SIGNATURE_SIZE, verify
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer

_COMMITMENT_LABEL = b"unsilent/secure-sum/commitment/1"
_REVEAL_LABEL = b"unsilent/secure-sum/reveal/1"
_DRAWER_LABEL = b"unsilent/secure-sum/drawer/2"
_SIGNER_LABEL = b"unsilent/secure-sum/signer/1"
_TRIED = 80 + 40  # bits: rosters that a server may try, and what is left of a chance


@dataclass(frozen=True)
class Reveal:
    """A drawer's value for one roster, signed.

    Attributes:
        value: 32 bytes, of which its advert holds the commitment.
        signature: Of the roster and the value, by the drawer's identity.
    """

    value: bytes
    signature: bytes

    @staticmethod
    def statement(roster: bytes, value: bytes) -> bytes:
        """What the signature is of: the roster without any values, and this one."""
        return _REVEAL_LABEL + roster + value

    def holds(self, roster: bytes, identity: bytes, commitment: bytes) -> bool:
        """Whether it is what that client committed to, and meant for this roster."""
        return commitment == commitment_to(identity, self.value) and verify(
            identity, self.signature, self.statement(roster, self.value)
        )

    @property
    def body(self) -> bytes:
        """The value and signature within a message."""
        return self.value + self.signature

    @classmethod
    def take(cls, reader: Reader) -> Reveal:
        """Read one within a message."""
        return cls(reader.raw(HASH), reader.raw(SIGNATURE_SIZE))

    def to_bytes(self, roster: bytes, sender: int) -> bytes:
        """The message of the client with that number."""
        return Writer(Kind.REVEAL).raw(roster).number(sender).raw(self.body).done()

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[bytes, int, Reveal]:
        """Read a message: roster, sender and reveal; nothing is checked here."""
        reader = Reader(Kind.REVEAL, data)
        roster, sender, found = reader.raw(HASH), reader.number(), cls.take(reader)
        reader.end()
        return roster, sender, found


def commitment_to(identity: bytes, value: bytes) -> bytes:
    """What binds a client to its value and hides it: SHA-256 of both."""
    return hashlib.sha256(_COMMITMENT_LABEL + identity + value).digest()


def drawers_of(roster: bytes, present: int, parameters: Parameters) -> tuple[int, ...]:
    """Numbers of the clients that must reveal their values, rising; none on a complete graph.

    Args:
        roster: Digest of the roster without any values.
        present: How many are in it.
        parameters: Say how many there are.
    """
    if parameters.complete:
        return ()
    count = min(number_of_drawers(parameters), present)
    return sample(_DRAWER_LABEL + roster, present, count)


def signers_of(drawn: bytes, present: int, parameters: Parameters) -> tuple[int, ...]:
    """Numbers of the clients that sign who is in a sum, rising: all, or those that are drawn.

    Args:
        drawn: Digest of the roster with the drawers' values.
        present: How many are in it.
        parameters: Say how many sign.
    """
    if not parameters.signers:
        return tuple(range(present))
    return sample(_SIGNER_LABEL + drawn, present, min(parameters.signers, present))


@lru_cache(maxsize=64)
def number_of_drawers(parameters: Parameters) -> int:
    """The fewest of which, in 2^80 rosters, some are honest but for probability 2^-40."""
    # Whole numbers: every platform must find the same.
    clients, least = parameters.clients, parameters.least
    reckoned = round(SPARSE_RECKONS_WITH * 100)
    colluders = max(parameters.colluders, -(-clients * reckoned // 100), 1)
    return next(
        (n for n in range(1, clients) if least**n >= colluders**n << _TRIED),
        clients,
    )
