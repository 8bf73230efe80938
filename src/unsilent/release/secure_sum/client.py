"""The client's side of the secure sum.

Bonawitz et al. 2017 (figure 4) on the graph of Bell et al. 2020 (section 3.3), with advertising and
sharing keys done ahead for all monitoring rounds of a plan. A message is on the client's disk
before it is returned, and asked the same again the client returns the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import own_part, primitives, rules
from unsilent.release.secure_sum.extract import Extract
from unsilent.release.secure_sum.messages_round import Agreement, Request, Survivors
from unsilent.release.secure_sum.messages_set_up import Advert, Confirmation, KeyBoxes
from unsilent.release.secure_sum.roster import Roster, members_of_all, session_digest
from unsilent.release.secure_sum.state import ClientFiles, RoundState, SetUpState, Stage
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import bits, items_of


class SecureClient:
    """One client's part in the secure sums of one plan.

    A set-up is ``advertise``, for some on a sparse graph ``reveal``, ``share``, ``accept``; each
    monitoring round then ``mask``, with the consistency check ``agree``, and ``unmask``. A client
    that is killed at any point goes on from its folder. Setting up anew closes the earlier set-up:
    rounds that were masked in it, or are before one that was, are not masked again.

    Args:
        terms: Of the client's own plan.
        folder: The client's own folder, kept between messages.
        pinned: The plan's public signing keys, 64 hexadecimal digits each; none to let a key
            count from its first use.
        random: Gives that many uniform bytes; another source is for tests only.

    Raises:
        SecureSumError: The folder cannot be used.
    """

    def __init__(
        self,
        terms: Terms,
        folder: Path,
        *,
        pinned: Sequence[str] = (),
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.terms = terms
        self._pinned = frozenset(bytes.fromhex(key) for key in pinned)
        self._random = random
        self._files = ClientFiles(folder, terms.plan, terms.are)
        with self._files.held():
            self._signing_key = self._files.signing_key()
        self.identity: bytes = primitives.public_signing_key(self._signing_key)

    def __repr__(self) -> str:
        return f"SecureClient({self.identity.hex()[:16]})"

    # --- set-up -----------------------------------------------------------------------------

    def advertise(self) -> bytes:
        """New public keys for a set-up; those of a set-up that no roster came for, once more.

        Raises:
            SecureSumError: The client's files are damaged or cannot be written.
        """
        with self._files.held():
            before = self._files.set_up()
            current = before and (before.stage, before.terms) == (
                Stage.ADVERTISED,
                self.terms.digest,
            )
            # A value that was revealed is no secret: the next graph is drawn from another one.
            if before and current and not before.base:
                return before.advert
            sparse = not self.terms.parameters.complete
            draws = self._draws(before) if before and sparse else 0
            rules.draws_are_few(draws)
            self._close_rounds()
            known, met = (before.known, before.enrolment) if before else (b"", b"")
            after = own_part.advertised(self.terms, self._signing_key, self._random, met)
            self._files.put_set_up(replace(after, known=known, draws=draws))
            return after.advert

    def reveal(self, roster: bytes) -> bytes:
        """This client's value for the draw of a sparse graph, for this roster and no other.

        Raises:
            SecureSumError: The roster is damaged or breaks a rule; nothing was revealed.
        """
        given = self._given(roster)
        with self._files.held():
            state = self._set_up(Stage.ADVERTISED)
            rules.roster_is_the_first(state.base, given.base)
            if not state.base:
                self._check_roster(given, state, items_of(state.known))
                rules.is_drawer(given, given.places[self.identity])
                rules.all_are_shown(given, given.places[self.identity])
                # Before it is sent: a value that is out is never committed to again.
                self._files.put_set_up(replace(state, base=given.base, draws=state.draws + 1))
            own = given.places[self.identity]
            return own_part.revealed(state, given.base, own, self._signing_key)

    def share(self, roster: bytes) -> bytes:
        """Shares of this client's round keys, sealed for each neighbour.

        Raises:
            SecureSumError: The roster is damaged or breaks a rule; nothing was shared.
        """
        given = self._given(roster)
        with self._files.held():
            state = self._set_up(Stage.ADVERTISED)
            rules.roster_is_the_first(state.roster, given.digest)
            if state.shares:
                return state.shares
            rules.roster_is_the_first(state.base, given.base)
            known = items_of(state.known)
            self._check_roster(given, state, known)
            rules.all_have_revealed(given)
            rules.all_are_shown(given, given.places[self.identity])
            rules.reveals_hold(given)
            self._check_neighbours(given)
            seen = b"".join(sorted({*known, *given.places}))
            own = given.places[self.identity]
            after = own_part.shared(state, given, own, seen, self._random)
            self._files.put_set_up(after)
            return after.shares

    def accept(self, boxes: bytes) -> bytes:
        """Open the neighbours' shares, and confirm the session.

        Raises:
            SecureSumError: The message is damaged or breaks a rule, or a box does not open.
        """
        with self._files.held():
            state = self._set_up(Stage.SHARED)
            given = KeyBoxes.from_bytes(boxes, state.present, self.terms)
            rules.session_is_ours(state.roster, given.roster)
            session = session_digest(given.roster, given.members)
            rules.members_are_the_first(state.session, session)
            if state.confirmation:
                return state.confirmation
            neighbours = own_part.neighbours(state)
            here = members_of_all(neighbours, given.members)
            rules.is_member(given.members, state.own)
            rules.enough_are_there(int(given.members.sum()), self.terms)
            rules.has_enough_neighbours(int(here.sum()), self.terms)
            rules.boxes_are_complete(neighbours[here].tolist(), given.senders)
            held = own_part.opened_keys(state, given)
            found = own_part.rounds_of(state, self.terms, session, here, held)
            for number, fresh in found.items():
                if not rules.round_has_begun(self._files.round(number)):
                    self._files.put_round(number, fresh)
            confirmation = Confirmation(session, state.own).to_bytes()
            self._files.put_set_up(
                own_part.ready(state, session, given.members, here, confirmation)
            )
            return confirmation

    # --- a monitoring round -----------------------------------------------------------------

    def check_ready(self, round_number: int) -> None:
        """What a client asks before it measures: whether it could mask a vector in this round.

        Raises:
            SecureSumError: It could not; what it would measure would be of no use.
        """
        with self._files.held():
            setting = self._set_up(Stage.READY)
            state = self._round(round_number)
            rules.round_is_not_masked_elsewhere(setting.session, state.session, round_number)

    def mask(self, round_number: int, vector: NDArray[np.int64]) -> bytes:
        """Message A: the vector under all its masks. Earlier rounds are closed by it.

        Args:
            round_number: A monitoring round.
            vector: (length,) numbers of magnitude at most ``terms.largest_entry``.

        Raises:
            SecureSumError: A rule is broken; nothing was sent.
        """
        rules.entries_are_in_range(vector, self.terms)
        content = hashlib.sha256(vector.astype("<i8", copy=False).tobytes()).digest()
        with self._files.held():
            setting = self._set_up(Stage.READY)
            state = self._round(round_number)
            rules.round_is_not_masked_elsewhere(setting.session, state.session, round_number)
            if state.masked:
                rules.vector_is_the_first(state.vector, content, round_number)
                return state.masked
            self._close_before(round_number)
            masked = own_part.masked(setting, state, self.terms, round_number, vector, self._random)
            self._files.put_round(
                round_number,
                replace(state, stage=Stage.MASKED, peers=b"", vector=content, masked=masked),
            )
            return masked

    def agree(self, request: bytes) -> bytes:
        """Sign who survived a round.

        Raises:
            SecureSumError: The message is damaged or breaks a rule; nothing was signed.
        """
        with self._files.held():
            setting = self._set_up(Stage.READY)
            about = Survivors.from_bytes(request, setting.present)
            state = self._checked_story(setting, about)
            if state.agreement:
                return state.agreement
            signature = primitives.sign(self._signing_key, about.statement)
            agreement = Agreement(about.session, about.round, setting.own, signature).to_bytes()
            story = _story(about)
            self._files.put_round(about.round, replace(state, story=story, agreement=agreement))
            return agreement

    def unmask(self, request: bytes) -> bytes:
        """Message B: of each neighbour that survived a share of its seed, of the others' keys.

        The round's secrets are gone from the folder before this returns.

        Raises:
            SecureSumError: The message is damaged or breaks a rule, or a box does not open.
        """
        with self._files.held():
            setting = self._set_up(Stage.READY)
            given = Request.from_bytes(request, setting.present)
            about = given.about
            state = self._checked_story(setting, about)
            if state.answer:
                return state.answer
            if self.terms.parameters.consistency:
                identities = own_part.signers(setting)
                rules.survivors_are_agreed(
                    about, given.signers, given.signatures, identities, self.terms
                )
            neighbours = own_part.neighbours(setting)
            surviving = about.survivors[neighbours]
            rules.boxes_are_complete(neighbours[surviving].tolist(), given.senders)
            answer = own_part.answered(setting, state, given)
            self._files.put_round(
                about.round, replace(state, story=_story(about), answer=answer).closed()
            )
            return answer

    # --- within -----------------------------------------------------------------------------

    def _set_up(self, least: Stage) -> SetUpState:
        state = self._files.set_up()
        if state is None or state.terms != self.terms.digest or state.stage < least:
            raise SecureSumError(
                "this client has not come so far in a set-up of this plan",
                where="secure sum",
                remedy="Nothing was sent. Set up anew.",
            )
        return state

    def _round(self, number: int) -> RoundState:
        state = self._files.round(number) if number in self.terms.rounds else None
        closed = state is not None and state.stage == Stage.CLOSED
        rules.round_is_open(state is not None, closed, number)
        return state or RoundState(Stage.CLOSED, b"")

    def _given(self, roster: bytes) -> Roster | Extract:
        """The roster, or this client's part of it where all are not neighbours."""
        complete = self.terms.parameters.complete
        return (Roster if complete else Extract).from_bytes(roster, self.terms)

    def _check_roster(
        self, given: Roster | Extract, state: SetUpState, known: Sequence[bytes]
    ) -> None:
        advert = Advert.from_bytes(state.advert, self.terms)
        rules.enough_are_there(len(given), self.terms)
        rules.advert_is_ours(given, advert.body, self.identity)
        rules.keys_are_pinned(given, self._pinned)
        rules.clients_are_listed(state.enrolment, self._pinned, given)
        rules.clients_are_not_swapped(known, given)
        rules.keys_are_proven(given)
        rules.keys_differ(given)

    def _check_neighbours(self, given: Roster | Extract) -> None:
        row = given.row(given.places[self.identity])
        rules.has_enough_neighbours(sum(other < len(given) for other in row), self.terms)

    def _checked_story(self, setting: SetUpState, about: Survivors) -> RoundState:
        """The round, if what the server says of it keeps every rule."""
        rules.session_is_ours(setting.session, about.session)
        state = self._round(about.round)
        rules.session_is_ours(state.session, about.session)
        rules.round_is_masked(bool(state.masked), about.round)
        rules.story_is_the_first(state.story, _story(about), about.round)
        rules.sides_are_disjoint(about)
        rules.everyone_is_on_a_side(about, own_part.members(setting))
        rules.is_survivor(about, setting.own)
        rules.enough_survived(about, self.terms)
        neighbours = own_part.neighbours(setting).tolist()
        rules.enough_neighbours_survived(about, neighbours, self.terms)
        return state

    def _draws(self, before: SetUpState) -> int:
        """How many values this client has revealed since it last masked a round."""
        for number in self._files.rounds():
            state = self._files.round(number)
            if state and state.masked and state.session == before.session:
                return 0
        return before.draws

    def _close_before(self, round_number: int) -> None:
        """Drop the secrets of earlier rounds; those before a closed one are closed already."""
        for number in reversed([r for r in self._files.rounds() if r < round_number]):
            state = self._files.round(number)
            if state is None or state.stage >= Stage.ANSWERED:
                return
            self._files.put_round(number, state.closed())

    def _close_rounds(self) -> None:
        """End the earlier set-up: rounds that were masked are closed, and the others forgotten."""
        for number in self._files.rounds():
            state = self._files.round(number)
            if state is not None and state.stage == Stage.MASKED:
                self._files.put_round(number, state.closed())
            elif state is not None and state.stage == Stage.READY:
                self._files.drop_round(number)


def _story(about: Survivors) -> bytes:
    return bits(about.survivors) + bits(about.dropped)
