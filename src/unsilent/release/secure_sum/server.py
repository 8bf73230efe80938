"""The server's side of a set-up: adverts to a roster, sealed shares to boxes, and a session.

The server holds no secret. A message is from whom the transport says: one that names another
client, is damaged, late or of another set-up is discarded with the reason, and the client that
sent it counts as having dropped out. Clients that drop out during the set-up are not in the
session, as long as enough are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import primitives
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.extract import extract
from unsilent.release.secure_sum.messages_set_up import (
    Advert,
    Confirmation,
    KeyBoxes,
    KeyShares,
    key_box_size,
)
from unsilent.release.secure_sum.roster import Roster, Session, members_of_all, session_digest
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import items_of


@dataclass(frozen=True)
class Discarded:
    """A message that was not used.

    Attributes:
        sender: Identity of who sent it, as the transport says.
        reason: Why, for a person.
    """

    sender: bytes
    reason: str


class Inbox:
    """Messages of one stage: the first of each sender counts, and the faulty are discarded."""

    def __init__(self) -> None:
        self.discarded: list[Discarded] = []
        self._taken: dict[tuple[str, bytes], bytes] = {}

    def discard(self, sender: bytes, reason: str) -> bool:
        """Note why a message is not used; False."""
        self.discarded.append(Discarded(sender, reason))
        return False

    def repeated(self, stage: str, sender: bytes, data: bytes) -> bool | None:
        """None for a sender's first message of a stage; else whether it is the same again."""
        first = self._taken.get((stage, sender))
        if first is None:
            return None
        return first == data or self.discard(sender, f"a second, different {stage}")

    def take(self, stage: str, sender: bytes, data: bytes) -> bool:
        """Count a sender's message of a stage; True."""
        self._taken[stage, sender] = data
        return True


class SetUp:
    """Collects one set-up.

    Call ``add_advert``…, ``roster``, on a sparse graph ``draw_requests`` and ``add_reveal``…,
    ``share_requests``, ``add_shares``…, ``boxes``, ``add_confirmation``…, then
    ``session``. Each ``add_…`` returns whether the message counts; ``discarded`` says why others
    do not.

    Args:
        terms: Of the server's plan.
        pinned: The plan's public signing keys, 64 hexadecimal digits each, if it lists them: a
            client with another would make all others refuse.
        enrolled: Of a sparse graph, the list of all clients that the plan has met. ``roster``
            extends it; it is to be on disk before anyone is shown a part of the roster.
    """

    def __init__(
        self, terms: Terms, *, pinned: Sequence[str] = (), enrolled: Enrolled | None = None
    ) -> None:
        self.terms = terms
        self._pinned = frozenset(bytes.fromhex(key) for key in pinned)
        self.enrolled = Enrolled() if enrolled is None else enrolled
        self._inbox = Inbox()
        self._adverts: dict[bytes, Advert] = {}
        self._keys: set[bytes] = set()
        self._unlisted = 0
        # A key that agrees on nothing would make its owner's neighbours refuse, in some round.
        self._probe, _ = primitives.new_key()
        self._roster: Roster | None = None
        self._reveals: dict[int, Reveal] = {}
        self._shares: dict[int, KeyShares] = {}
        self._members: NDArray[np.bool_] | None = None
        self._confirmed: set[int] = set()

    @property
    def discarded(self) -> tuple[Discarded, ...]:
        """Messages that were not used, and why."""
        return tuple(self._inbox.discarded)

    def add_advert(self, sender: bytes, data: bytes) -> bool:
        """Take a client's keys; False if the message is discarded."""
        inbox = self._inbox
        again = inbox.repeated("advert", sender, data)
        if again is not None:
            return again
        if self._roster is not None:
            return inbox.discard(sender, "its keys came after the roster was made")
        try:
            advert = Advert.from_bytes(data, self.terms)
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        if advert.identity != sender:
            return inbox.discard(sender, "its keys are said to be another client's")
        if self._pinned and sender not in self._pinned:
            return inbox.discard(sender, "it is not among the plan's keys")
        if not advert.is_signed(self.terms):
            return inbox.discard(sender, "its keys are not signed by it")
        keys = [advert.channel, *items_of(advert.keys)]
        try:
            primitives.agree_with_each(self._probe, keys)
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        if len({*self._keys, *keys}) != len(self._keys) + len(keys):
            return inbox.discard(sender, "one of its keys is there already")
        if not self.terms.parameters.complete and not self._can_be_listed(advert):
            return inbox.discard(sender, "it fits no list of the plan's clients that it knows")
        if len(self._adverts) == self.terms.parameters.clients:
            return inbox.discard(sender, "all of the plan's clients are there already")
        self._adverts[sender] = advert
        self._unlisted += sender not in self.enrolled.places
        self._keys.update(keys)
        return inbox.take("advert", sender, data)

    def roster(self) -> bytes:
        """Everyone whose keys came; later keys are discarded.

        Raises:
            SecureSumError: Too few came.
        """
        if self._roster is None:
            self._enough(len(self._adverts), "sent their keys")
            if not self.terms.parameters.complete:
                # Pinned keys are the list, in order, whoever of them is there.
                self.enrolled.extend(sorted(self._pinned or self._adverts))
            listed = None if self.terms.parameters.complete else self.enrolled
            self._roster = Roster.of(self.terms, self._adverts.values(), listed)
        return self._roster.to_bytes()

    def draw_requests(self) -> dict[bytes, bytes]:
        """The message to each client that helps to draw a sparse graph; none if it is complete."""
        roster = self._made_roster()
        return {roster.adverts[place].identity: self._part(place) for place in roster.drawers}

    def add_reveal(self, sender: bytes, data: bytes) -> bool:
        """Take a drawer's value; False if the message is discarded."""
        inbox, roster = self._inbox, self._made_roster()
        again = inbox.repeated("value", sender, data)
        if again is not None:
            return again
        place = roster.places.get(sender)
        if place not in roster.drawers:
            return inbox.discard(sender, "it is not among those that draw the graph")
        try:
            base, number, reveal = Reveal.from_bytes(data)
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        advert = roster.adverts[place]
        if (base, number) != (roster.base, place):
            return inbox.discard(sender, "its value is for another roster or of another client")
        if not reveal.holds(roster.base, sender, advert.commitment):
            return inbox.discard(sender, "its value is not what it committed to")
        self._reveals[place] = reveal
        return inbox.take("value", sender, data)

    def undrawn(self) -> tuple[bytes, ...]:
        """Identities of the drawers whose value did not come."""
        roster = self._made_roster()
        missing = [place for place in roster.drawers if place not in self._reveals]
        return tuple(roster.adverts[place].identity for place in missing)

    def share_requests(self) -> dict[bytes, bytes]:
        """The message to each client in the roster, with which the graph is known.

        All get the roster where all are neighbours, and else each its part of it.

        Raises:
            SecureSumError: A value that it is drawn from did not come: begin anew.
        """
        roster, missing = self._made_roster(), self.undrawn()
        if missing:
            raise SecureSumError(
                f"{len(missing)} of the {len(roster.drawers)} clients that draw the graph did not "
                "reveal their value",
                where="secure sum",
                remedy="Set up anew, without them if they are lost.",
            )
        if not roster.reveals:
            roster = roster.drawn(self._reveals[place] for place in roster.drawers)
            self._roster = roster
        if self.terms.parameters.complete:
            return dict.fromkeys(roster.places, roster.to_bytes())
        return {identity: self._part(place) for identity, place in roster.places.items()}

    def _part(self, place: int) -> bytes:
        roster = self._made_roster()
        return extract(roster, self.enrolled, place, roster.adverts[place].met)

    def _can_be_listed(self, advert: Advert) -> bool:
        """Whether the list has room for a client, and holds what the client knows of it."""
        listed = self.enrolled.places
        room = self.terms.everyone - len(listed) - self._unlisted
        here = advert.identity in listed or room > 0
        return bool(self._pinned) or (here and advert.met <= len(listed))

    def add_shares(self, sender: bytes, data: bytes) -> bool:
        """Take a client's sealed shares; False if the message is discarded."""
        inbox, roster = self._inbox, self._made_roster()
        again = inbox.repeated("key shares", sender, data)
        if again is not None:
            return again
        place = roster.places.get(sender)
        if place is None:
            return inbox.discard(sender, "it is not in the roster")
        if self._members is not None:
            return inbox.discard(sender, "its shares came after the boxes were made")
        there = np.ones(len(roster), dtype=np.bool_)
        neighbours = len(roster.members_neighbours(place, there))
        try:
            shares = KeyShares.from_bytes(data, neighbours, self.terms)
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        if shares.sender != place:
            return inbox.discard(sender, "its shares are said to be another client's")
        if shares.roster != roster.digest:
            return inbox.discard(sender, "its shares are for another roster")
        self._shares[place] = shares
        return inbox.take("key shares", sender, data)

    def boxes(self) -> dict[bytes, bytes]:
        """The message to each client that takes part; later shares are discarded.

        Raises:
            SecureSumError: Too few shared their keys.
        """
        roster = self._made_roster()
        if self._members is None:
            members = self._joined(roster)
            self._enough(int(members.sum()), "shared their keys")
            self._members = members
        table, back = roster.graph.table, roster.graph.back
        size = key_box_size(self.terms)
        there = np.ones(len(roster), dtype=np.bool_)
        boxes = np.zeros((*table[: len(roster)].shape, size), dtype=np.uint8)
        for place, shares in self._shares.items():
            boxes[place, roster.members_neighbours(place, there)] = shares.boxes
        found: dict[bytes, bytes] = {}
        for place in np.flatnonzero(self._members).tolist():
            columns = roster.members_neighbours(place, self._members)
            senders = table[place, columns]
            message = KeyBoxes(
                roster.digest,
                self._members,
                tuple(senders.tolist()),
                boxes[senders, back[place, columns]],
            )
            found[roster.adverts[place].identity] = message.to_bytes()
        return found

    def add_confirmation(self, sender: bytes, data: bytes) -> bool:
        """Take a client's confirmation; False if the message is discarded."""
        inbox, roster = self._inbox, self._made_roster()
        if self._members is None:
            return inbox.discard(sender, "it confirmed before there was a session")
        place = roster.places.get(sender)
        if place is None or not self._members[place]:
            return inbox.discard(sender, "it does not take part")
        try:
            confirmation = Confirmation.from_bytes(data)
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        if confirmation.sender != place:
            return inbox.discard(sender, "its confirmation is said to be another client's")
        if confirmation.session != session_digest(roster.digest, self._members):
            return inbox.discard(sender, "its confirmation is for another session")
        self._confirmed.add(place)
        return True

    def session(self) -> Session:
        """The session. Who did not confirm is taken for a drop-out of every round.

        Raises:
            SecureSumError: Too few confirmed.
        """
        roster = self._made_roster()
        if self._members is None:
            raise SecureSumError("the set-up has not come so far", where="secure sum")
        self._enough(len(self._confirmed), "confirmed the set-up")
        confirmed = np.zeros(len(roster), dtype=np.bool_)
        confirmed[list(self._confirmed)] = True
        return Session(roster, self._members, confirmed)

    def _joined(self, roster: Roster) -> NDArray[np.bool_]:
        """Who shared, without those who have too few neighbours left to hold their secrets."""
        members = np.zeros(len(roster), dtype=np.bool_)
        members[list(self._shares)] = True
        table = roster.graph.table[: len(roster)]
        while True:
            held = members_of_all(table, members).sum(axis=1)
            alone = members & (held < self.terms.parameters.threshold)
            if not alone.any():
                return members
            members &= ~alone

    def _made_roster(self) -> Roster:
        if self._roster is None:
            raise SecureSumError("there is no roster yet", where="secure sum")
        return self._roster

    def _enough(self, count: int, did: str) -> None:
        needed = self.terms.parameters.least
        if count < needed:
            raise SecureSumError(
                f"{count} clients {did}, fewer than the {needed} that are needed",
                where="secure sum",
                remedy="Wait longer (monitor.timeout), or allow for drop-outs in privacy.dropout.",
            )
