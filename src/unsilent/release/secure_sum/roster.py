"""Who is in a set-up, with which keys, beside whom: the public half of a session.

The graph is drawn from the roster's digest H0, so that every client recomputes it and all who share
H0 share the graph. Where all are neighbours the server sends all the roster, and H0 is its SHA-256.
On a sparse graph H0 is over the root of a tree over the adverts, each client gets its own part with
proofs (``extract``), and the values that drawers revealed are part of H0 (``draw``), so that no one
chooses it. Clients that the plan
enrolled but that are not in the roster count as having dropped out before the start: the graph is
over all of the plan's clients, and so are the bounds behind its parameters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.draw import Reveal, drawers_of, signers_of
from unsilent.release.secure_sum.enrolment import Enrolled, Enrolment
from unsilent.release.secure_sum.graph import neighbours
from unsilent.release.secure_sum.merkle import Tree, leaf
from unsilent.release.secure_sum.messages_set_up import Advert
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer, bits, items_of

_ROSTER_LABEL = b"unsilent/secure-sum/roster/1"
_BASE_LABEL = b"unsilent/secure-sum/roster/2"
_DRAWN_LABEL = b"unsilent/secure-sum/drawn/1"
_SESSION_LABEL = b"unsilent/secure-sum/session/1"


@dataclass(frozen=True, eq=False)
class Graph:
    """The neighbours of each client, as arrays.

    Attributes:
        table: (clients, degree) each client's neighbours, rising. The holder of a share at column
            c has the point c + 1.
        back: (clients, degree) at which column of its neighbour's row a client is itself.
    """

    table: NDArray[np.int64]
    back: NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Roster:
    """Adverts in the order of their identities; a client's place in it is its number.

    Build one by ``of`` or ``from_bytes``.

    Attributes:
        terms: The terms.
        adverts: In order; of a sparse graph in that of the list of clients.
        reveals: Of the drawers, in order, once a sparse graph is drawn.
        enrolment: Of a sparse graph, the list of clients and who of it is here.
    """

    terms: Terms
    adverts: tuple[Advert, ...]
    reveals: tuple[Reveal, ...] = ()
    enrolment: Enrolment | None = None

    @classmethod
    def of(
        cls, terms: Terms, adverts: Iterable[Advert], enrolled: Enrolled | None = None
    ) -> Roster:
        """The roster of these adverts, for a sparse graph with the list that they are in."""
        if enrolled is None:
            return cls(terms, tuple(sorted(adverts, key=lambda advert: advert.identity)))
        ordered = tuple(sorted(adverts, key=lambda advert: enrolled.places[advert.identity]))
        standing = enrolled.standing([advert.identity for advert in ordered])
        return cls(terms, ordered, enrolment=standing)

    @classmethod
    def from_bytes(cls, data: bytes, terms: Terms) -> Roster:
        """Read a roster for these terms; signatures are not checked here.

        Raises:
            SecureSumError: It is damaged, for other terms, not in order, or names a client or a
                key twice.
        """
        return _read(data, terms)

    def to_bytes(self) -> bytes:
        """The roster as a message."""
        writer = self._undrawn()
        if not self.terms.parameters.complete:
            writer.raw(self.standing.to_bytes())
            writer.number(len(self.reveals)).raw(*(reveal.body for reveal in self.reveals))
        return writer.done()

    def __len__(self) -> int:
        return len(self.adverts)

    @cached_property
    def digest(self) -> bytes:
        """H0: of a sparse graph's roster with the drawers' values, but not their signatures.

        A drawer has one value, and many signatures of it.
        """
        if self.terms.parameters.complete:
            return self.base
        return drawn_digest(self.base, self.reveals)

    @cached_property
    def base(self) -> bytes:
        """Digest of the roster without any values: what drawers reveal theirs for."""
        if self.terms.parameters.complete:
            return hashlib.sha256(_ROSTER_LABEL + self._undrawn().done()).digest()
        return base_of(self.terms, len(self), self.tree.root, self.standing)

    @property
    def standing(self) -> Enrolment:
        """The list of clients that a sparse graph's roster stands on."""
        if self.enrolment is None:
            raise SecureSumError("a roster without the list of its clients", where="secure sum")
        return self.enrolment

    @cached_property
    def tree(self) -> Tree:
        """Over the adverts of a sparse graph."""
        return Tree([leaf(advert.content) for advert in self.adverts])

    @cached_property
    def drawers(self) -> tuple[int, ...]:
        """Numbers of those who must reveal a value; none on a complete graph."""
        return drawers_of(self.base, len(self), self.terms.parameters)

    @cached_property
    def signers(self) -> tuple[int, ...]:
        """Numbers of those whose signatures of who survived count."""
        return signers_of(self.digest, len(self), self.terms.parameters)

    @property
    def identities(self) -> dict[int, bytes]:
        """Of all, by number."""
        return {place: identity for identity, place in self.places.items()}

    def row(self, place: int) -> tuple[int, ...]:
        """A client's neighbours, rising, absent ones among them."""
        return tuple(self.graph.table[place].tolist())

    @cached_property
    def broken_reveals(self) -> tuple[int, ...]:
        """Numbers of the drawers whose value is not what they committed to for this roster."""
        pairs = zip(self.drawers, self.reveals, strict=False)
        return tuple(
            place
            for place, reveal in pairs
            if not reveal.holds(
                self.base, self.adverts[place].identity, self.adverts[place].commitment
            )
        )

    def drawn(self, reveals: Iterable[Reveal]) -> Roster:
        """The same roster with the drawers' values."""
        return Roster(self.terms, self.adverts, tuple(reveals), self.enrolment)

    def _undrawn(self) -> Writer:
        writer = Writer(Kind.ROSTER).raw(self.terms.digest).number(len(self.adverts))
        return writer.raw(*(advert.body for advert in self.adverts))

    @cached_property
    def places(self) -> dict[bytes, int]:
        """The number of each identity."""
        return {advert.identity: place for place, advert in enumerate(self.adverts)}

    @property
    def graph(self) -> Graph:
        """The graph over all of the plan's clients; those from ``len(self)`` on are absent.

        Raises SecureSumError while a sparse one is not drawn.
        """
        parameters = self.terms.parameters
        if len(self.reveals) != len(self.drawers):
            raise SecureSumError("the graph is not drawn yet", where="secure sum")
        return _graph(self.digest, parameters.clients, parameters.degree)

    def round_key(self, place: int, round_number: int) -> bytes:
        """A client's public key for one of the terms' rounds."""
        at = self.terms.rounds.index(round_number) * HASH
        return self.adverts[place].keys[at : at + HASH]

    @cached_property
    def unproven(self) -> tuple[int, ...]:
        """Numbers of the clients whose advert's signature does not verify."""
        return tuple(place for place, a in enumerate(self.adverts) if not a.is_signed(self.terms))

    @cached_property
    def keys_differ(self) -> bool:
        """Whether no key is in it twice."""
        keys = [key for a in self.adverts for key in (a.channel, *items_of(a.keys))]
        return len(set(keys)) == len(keys)

    def members_neighbours(self, place: int, members: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Columns of a client's row in the graph at which there are members.

        Args:
            place: The client.
            members: (present,) who takes part.
        """
        return np.flatnonzero(members_of_all(self.graph.table[place], members))


def base_of(terms: Terms, count: int, root: bytes, enrolment: Enrolment) -> bytes:
    """Digest of a sparse graph's roster without any values.

    Args:
        terms: The terms.
        count: How many are in it.
        root: Of the tree over their adverts.
        enrolment: The list of clients, and who of it is here.
    """
    numbers = count.to_bytes(4, "little") + enrolment.to_bytes()
    return hashlib.sha256(_BASE_LABEL + terms.digest + root + numbers).digest()


def drawn_digest(base: bytes, reveals: Iterable[Reveal]) -> bytes:
    """H0 of a sparse graph's roster."""
    values = b"".join(reveal.value for reveal in reveals)
    return hashlib.sha256(_DRAWN_LABEL + base + values).digest()


def members_of_all(clients: NDArray[np.int64], members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of these clients are members; the absent are not."""
    known = clients < len(members)
    return known & members[np.where(known, clients, 0)]


@dataclass(frozen=True, eq=False, repr=False)
class Session:
    """One set-up as the server keeps it: roster, members, who confirmed. It holds no secret.

    Attributes:
        roster: All clients that were asked to share their keys.
        members: (present,) who did, and so is in everybody's masks.
        confirmed: (present,) who is known to hold its neighbours' shares.
    """

    roster: Roster
    members: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]

    @property
    def terms(self) -> Terms:
        """The terms."""
        return self.roster.terms

    @cached_property
    def digest(self) -> bytes:
        """What a session's rounds are bound to: SHA-256 of H0 and the members."""
        return session_digest(self.roster.digest, self.members)

    @cached_property
    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """For each client, the columns of its row in the graph at which there are members."""
        at = members_of_all(self.roster.graph.table, self.members)
        return tuple(np.flatnonzero(row) for row in at[: len(self.roster)])

    def identities(self, which: NDArray[np.bool_]) -> tuple[bytes, ...]:
        """Identities of the clients that are flagged."""
        return tuple(self.roster.adverts[i].identity for i in np.flatnonzero(which))

    def to_bytes(self) -> bytes:
        """The session for the server's own disk."""
        body = Writer(Kind.SESSION).flags(self.members).flags(self.confirmed).done()
        roster = self.roster.to_bytes()
        check = hashlib.sha256(body + roster).digest()
        return body[:8] + len(self.roster).to_bytes(4, "little") + body[8:] + check + roster

    @classmethod
    def from_bytes(cls, data: bytes, terms: Terms) -> Session:
        """Read a stored session of these terms; raises SecureSumError if it is damaged."""
        reader = Reader(Kind.SESSION, data)
        count = reader.number(1, terms.parameters.clients)
        members, confirmed = reader.flags(count), reader.flags(count)
        body = Writer(Kind.SESSION).flags(members).flags(confirmed).done()
        check = reader.raw(HASH)
        roster = data[8 + 4 + len(body) - 8 + HASH :]
        if hashlib.sha256(body + roster).digest() != check:
            raise reader.fault("is damaged")
        found = Roster.from_bytes(roster, terms)
        if len(found) != count:
            raise reader.fault("is damaged")
        return cls(found, members, confirmed)


def session_digest(roster: bytes, members: NDArray[np.bool_]) -> bytes:
    """SHA-256 of H0 and the members."""
    return hashlib.sha256(_SESSION_LABEL + roster + bits(members)).digest()


# In a simulation one process plays many clients of one roster: reading it, its signatures and its
# graph are the same for each of them.
@lru_cache(maxsize=2)
def _read(data: bytes, terms: Terms) -> Roster:
    reader = Reader(Kind.ROSTER, data)
    if reader.raw(HASH) != terms.digest:
        raise reader.fault("is for another plan, layout or other parameters")
    count = reader.number(1, terms.parameters.clients)
    size = Advert.size(terms)
    adverts = tuple(Advert.from_body(reader.raw(size), terms) for _ in range(count))
    reveals: tuple[Reveal, ...] = ()
    enrolment = None
    if not terms.parameters.complete:
        enrolment = Enrolment.take(reader, terms.everyone)
        reveals = tuple(Reveal.take(reader) for _ in range(reader.number(0, count)))
        if len(enrolment.entries) != count or len({a.identity for a in adverts}) != count:
            raise reader.fault("is not of the clients in its list, each once")
    elif any(a.identity >= b.identity for a, b in pairwise(adverts)):
        raise reader.fault("is not in the order of the identities, each once")
    reader.end()
    return Roster(terms, adverts, reveals, enrolment)


@lru_cache(maxsize=2)
def _graph(seed: bytes, clients: int, degree: int) -> Graph:
    rows = neighbours(seed, clients, degree)
    if any(len(row) != degree for row in rows):
        raise SecureSumError("the graph does not give each client the same number of neighbours")
    table = np.array(rows, dtype=np.int64)
    own = np.arange(clients)[:, None]
    # Rows and columns rise, so the edges (own, other) are sorted and each can be looked up.
    edges = (own * clients + table).ravel()
    back = np.searchsorted(edges, table * clients + own) % degree
    table.setflags(write=False)
    back.setflags(write=False)
    return Graph(table, back)
