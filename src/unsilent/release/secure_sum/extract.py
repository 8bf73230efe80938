"""What one client is sent of a sparse graph's roster: its neighbours' keys, proven to be in it.

A client needs the keys of its neighbours, the values that the graph is drawn from and who signs,
and has to be sure that all others know the same roster (Bell et al. 2020, section 4). The roster's
digest is therefore over terms, list of clients (``enrolment``) and the root of a tree over all
adverts. Which clients a client must be shown follows from that digest and the drawers' values, and
each is shown with a proof. Who is shown another key, a key at another place or other neighbours
knows another digest, with which no box of the others opens. A client that is made up has no
advert to show: each honest neighbour of its place refuses, and no one chooses who these are.

All rounds' public keys stay listed: were they derived from one, the key of a client that dropped
out of one round would open its masks of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import draw
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled, Enrolment
from unsilent.release.secure_sum.graph import neighbours_of
from unsilent.release.secure_sum.merkle import leaf, root_with
from unsilent.release.secure_sum.messages_set_up import Advert
from unsilent.release.secure_sum.roster import Roster, base_of, drawn_digest
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import HASH, Kind, Reader, Writer, items_of


@dataclass(frozen=True, eq=False, repr=False)
class Extract:
    """One client's part of a roster. ``Roster`` has what is asked of it, of all clients.

    Attributes:
        terms: The terms.
        root: Of the tree over the adverts.
        enrolment: The list of clients, and who of it is in the roster.
        grown: Proof that the list holds the one that this client knew.
        adverts: Of this client, the drawers and its neighbours, by number.
        others: Of further signers, the identity, by number.
        reveals: Of the drawers, in order; none before the graph is drawn.
    """

    terms: Terms
    root: bytes
    enrolment: Enrolment
    grown: tuple[bytes, ...]
    adverts: Mapping[int, Advert]
    others: Mapping[int, bytes]
    reveals: tuple[Reveal, ...]

    def __len__(self) -> int:
        return len(self.enrolment.entries)

    @cached_property
    def base(self) -> bytes:
        """As ``Roster.base``."""
        return base_of(self.terms, len(self), self.root, self.enrolment)

    @cached_property
    def digest(self) -> bytes:
        """As ``Roster.digest``."""
        return drawn_digest(self.base, self.reveals)

    @cached_property
    def drawers(self) -> tuple[int, ...]:
        """As ``Roster.drawers``."""
        return draw.drawers_of(self.base, len(self), self.terms.parameters)

    @cached_property
    def signers(self) -> tuple[int, ...]:
        """As ``Roster.signers``."""
        return draw.signers_of(self.digest, len(self), self.terms.parameters)

    def row(self, place: int) -> tuple[int, ...]:
        """As ``Roster.row``."""
        if len(self.reveals) != len(self.drawers):
            raise SecureSumError("the graph is not drawn yet", where="secure sum")
        parameters = self.terms.parameters
        return neighbours_of(self.digest, parameters.clients, parameters.degree, place)

    @cached_property
    def identities(self) -> dict[int, bytes]:
        """Of all that are shown, by number."""
        return {**{at: a.identity for at, a in self.adverts.items()}, **self.others}

    @cached_property
    def places(self) -> dict[bytes, int]:
        """The number of each identity that is shown."""
        return {identity: place for place, identity in self.identities.items()}

    @property
    def unproven(self) -> tuple[int, ...]:
        """Numbers of those shown whose advert's signature does not verify."""
        return tuple(at for at, a in self.adverts.items() if not _is_signed(a, self.terms))

    @property
    def keys_differ(self) -> bool:
        """Whether no key and no identity is shown twice."""
        keys = [key for a in self.adverts.values() for key in (a.channel, *items_of(a.keys))]
        keys += self.identities.values()
        return len(set(keys)) == len(keys)

    @property
    def broken_reveals(self) -> tuple[int, ...]:
        """As ``Roster.broken_reveals``."""
        pairs = zip(self.drawers, self.reveals, strict=False)
        return tuple(at for at, one in pairs if not _holds(one, self.base, self.adverts[at]))

    def is_of(self, place: int) -> bool:
        """Whether exactly those are shown whom the client with that number must know."""
        shown, signing = shown_to(self, place)
        return set(self.adverts) == shown and set(self.others) == signing

    @classmethod
    def from_bytes(cls, data: bytes, terms: Terms) -> Extract:
        """Read a client's part of a roster of these terms; signatures are not checked here.

        Raises:
            SecureSumError: It is damaged, for other terms, or not proven.
        """
        reader = Reader(Kind.EXTRACT, data)
        if reader.raw(HASH) != terms.digest:
            raise reader.fault("is for another plan, layout or other parameters")
        enrolment = Enrolment.take(reader, terms.everyone)
        count = len(enrolment.entries)
        if not 1 <= count <= terms.parameters.clients:
            raise reader.fault("holds a number out of range")
        grown = _hashes(reader)
        reveals = tuple(Reveal.take(reader) for _ in range(reader.number(0, count)))
        size = Advert.size(terms)
        adverts: dict[int, Advert] = {}
        for _ in range(reader.number(1, count)):
            at = reader.number(0, count - 1)
            adverts[at] = Advert.from_body(reader.raw(size), terms)
        others: dict[int, tuple[bytes, bytes]] = {}
        for _ in range(reader.number(0, count)):
            at = reader.number(0, count - 1)
            others[at] = reader.raw(HASH), reader.raw(HASH)
        in_roster, in_list = _hashes(reader), _hashes(reader)
        reader.end()
        items = {at: leaf(a.content) for at, a in adverts.items()}
        items |= {at: leaf(identity + rest) for at, (identity, rest) in others.items()}
        known = {at: a.identity for at, a in adverts.items()}
        known |= {at: identity for at, (identity, _) in others.items()}
        entries = {int(enrolment.entries[at]): leaf(each) for at, each in known.items()}
        try:
            listed = root_with(enrolment.size, entries, in_list)
            root = root_with(count, items, in_roster)
        except SecureSumError:
            raise reader.fault("holds proofs that are none") from None
        if listed != enrolment.root:
            raise reader.fault("shows clients that are not in its list")
        bare = {at: identity for at, (identity, _) in others.items()}
        return cls(terms, root, enrolment, tuple(grown), adverts, bare, reveals)


def shown_to(roster: Roster | Extract, place: int) -> tuple[set[int], set[int]]:
    """Of whom a client is shown the advert, and of whom no more than the identity."""
    if not roster.reveals:
        return {place}, set()
    present = len(roster)
    beside = {other for other in roster.row(place) if other < present}
    shown = {place, *roster.drawers, *beside}
    signing = set(roster.signers) - shown if roster.terms.parameters.consistency else set[int]()
    return shown, signing


def extract(roster: Roster, enrolled: Enrolled, place: int, met: int) -> bytes:
    """The message with a client's part of a roster.

    Args:
        roster: Of a sparse graph.
        enrolled: The list that it stands on.
        place: The client.
        met: How long the list was that the client knows.
    """
    shown, signing = shown_to(roster, place)
    return showing(roster, enrolled, met, shown, signing)


def showing(
    roster: Roster, enrolled: Enrolled, met: int, shown: set[int], signing: set[int]
) -> bytes:
    """The message that shows these clients' adverts, and of those who sign the identity."""
    enrolment = roster.standing
    writer = Writer(Kind.EXTRACT).raw(roster.terms.digest, enrolment.to_bytes())
    _put(writer, enrolled.tree.grown(met))
    writer.number(len(roster.reveals)).raw(*(reveal.body for reveal in roster.reveals))
    writer.number(len(shown))
    for at in sorted(shown):
        writer.number(at).raw(roster.adverts[at].body)
    writer.number(len(signing))
    for at in sorted(signing):
        writer.number(at).raw(roster.adverts[at].content)
    everyone = shown | signing
    _put(writer, roster.tree.proof(everyone))
    _put(writer, enrolled.tree.proof({int(enrolment.entries[at]) for at in everyone}))
    return writer.done()


def _put(writer: Writer, hashes: Sequence[bytes]) -> None:
    writer.number(len(hashes)).raw(*hashes)


def _hashes(reader: Reader) -> list[bytes]:
    # Read one by one: a count that is a lie ends where the message does.
    return [reader.raw(HASH) for _ in range(reader.number())]


# In a simulation one process plays many clients, who are shown the same.
@lru_cache(maxsize=4096)
def _is_signed(advert: Advert, terms: Terms) -> bool:
    return advert.is_signed(terms)


@lru_cache(maxsize=256)
def _holds(reveal: Reveal, base: bytes, advert: Advert) -> bool:
    return reveal.holds(base, advert.identity, advert.commitment)
