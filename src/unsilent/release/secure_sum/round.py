"""The server's side of one monitoring round: masked vectors in, their sum out.

Bonawitz et al. 2017, figure 4, rounds 2 to 4. The server puts together the seeds of those who
survived and the round keys of those who did not, and takes their masks off the total. Both are
checked, a seed by the check value that came with the vector and a key by its public half, so a
wrong share ends in a reason and never in a wrong sum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import masks, primitives
from unsilent.release.secure_sum.messages_round import (
    SEED_BOX,
    Agreement,
    Masked,
    Request,
    ShareAnswer,
    Survivors,
)
from unsilent.release.secure_sum.primitives import SIGNATURE_SIZE
from unsilent.release.secure_sum.roster import Session
from unsilent.release.secure_sum.server import Discarded, Inbox
from unsilent.release.secure_sum.shares import Shares
from unsilent.release.secure_sum.wire import rows_of

_Message = TypeVar("_Message", Masked, Agreement, ShareAnswer)


class Round:
    """One monitoring round of a session.

    Call ``add``…, ``close``, with the consistency check ``agreement_requests`` and
    ``add_agreement``…, then ``requests``, ``add_answer``…, ``total``. Each ``add…`` returns
    whether the message counts; ``discarded`` says why others do not.

    Args:
        session: The set-up.
        round_number: One of its terms' rounds.

    Raises:
        SecureSumError: It is none of them.
    """

    def __init__(self, session: Session, round_number: int) -> None:
        if round_number not in session.terms.rounds:
            raise SecureSumError(f"round {round_number} is not a monitoring round of this session")
        self.session = session
        self.number = round_number
        self._parameters = session.terms.parameters
        self._inbox = Inbox()
        self._masked: dict[int, Masked] = {}
        self._about: Survivors | None = None
        self._signatures: dict[int, bytes] = {}
        self._answers: dict[int, ShareAnswer] = {}

    @property
    def discarded(self) -> tuple[Discarded, ...]:
        """Messages that were not used, and why."""
        return tuple(self._inbox.discarded)

    def add(self, sender: bytes, data: bytes) -> bool:
        """Take message A; False if it is discarded."""

        def read(neighbours: int) -> Masked:
            return Masked.from_bytes(data, neighbours, self.session.terms.length)

        if self._about is not None and sender not in self.survivors:
            return self._inbox.discard(sender, "its vector came after the drop-outs were announced")
        return self._take("vector", sender, data, read, self._masked)

    def close(self) -> tuple[bytes, ...]:
        """Fix who survived; a vector that comes later is discarded.

        Returns:
            The identities of those who survived.

        Raises:
            SecureSumError: Too few vectors came.
        """
        if self._about is None:
            count, needed = len(self._masked), self._parameters.least
            if count < needed:
                raise self._lacking(f"{count} vectors came, fewer than the {needed} needed")
            survivors = np.zeros(len(self.session.roster), dtype=np.bool_)
            survivors[list(self._masked)] = True
            dropped = self.session.members & ~survivors
            self._about = Survivors(self.session.digest, self.number, survivors, dropped)
        return self.survivors

    @property
    def survivors(self) -> tuple[bytes, ...]:
        """The identities of those whose vector counts, once the round is closed."""
        return self.session.identities(self._story().survivors)

    def agreement_requests(self) -> dict[bytes, bytes]:
        """The message that asks each survivor of those who sign to sign who survived."""
        message, about = self._story().to_bytes(), self._story()
        adverts = self.session.roster.adverts
        signing = [place for place in self._signing if about.survivors[place]]
        return {adverts[place].identity: message for place in signing}

    @cached_property
    def _signing(self) -> frozenset[int]:
        return frozenset(self.session.roster.signers)

    def add_agreement(self, sender: bytes, data: bytes) -> bool:
        """Take a survivor's signature; False if the message is discarded."""
        statement = self._story().statement
        found: dict[int, Agreement] = {}
        if not self._take(
            "agreement", sender, data, lambda _: Agreement.from_bytes(data), found, survivor=True
        ):
            return False
        for place, agreement in found.items():
            if place not in self._signing:
                return self._inbox.discard(sender, "it is not among those that sign")
            if not primitives.verify(sender, agreement.signature, statement):
                return self._inbox.discard(sender, "its signature is not of this round's survivors")
            self._signatures[place] = agreement.signature
        return True

    def requests(self) -> dict[bytes, bytes]:
        """The server's half of message B, to each survivor.

        Raises:
            SecureSumError: Too few signed who survived.
        """
        about, session = self._story(), self.session
        signers = sorted(self._signatures) if self._parameters.consistency else []
        if self._parameters.consistency:
            needed = self._parameters.quorum
            if len(signers) < needed:
                raise self._lacking(f"{len(signers)} of {needed} needed clients signed")
            signers = signers[:needed]
        signatures = rows_of([self._signatures[signer] for signer in signers], SIGNATURE_SIZE)
        table, back = session.roster.graph.table, session.roster.graph.back
        boxes = np.zeros((len(session.roster), table.shape[1], SEED_BOX), dtype=np.uint8)
        for place, masked in self._masked.items():
            boxes[place, session.columns[place]] = masked.boxes
        found: dict[bytes, bytes] = {}
        for place in self._masked:
            columns = session.columns[place]
            columns = columns[about.survivors[table[place, columns]]]
            senders = table[place, columns]
            request = Request(
                about,
                tuple(senders.tolist()),
                boxes[senders, back[place, columns]],
                tuple(signers),
                signatures,
            )
            found[session.roster.adverts[place].identity] = request.to_bytes()
        return found

    def add_answer(self, sender: bytes, data: bytes) -> bool:
        """Take a client's half of message B; False if it is discarded."""
        self._story()
        return self._take(
            "answer",
            sender,
            data,
            lambda neighbours: ShareAnswer.from_bytes(data, neighbours),
            self._answers,
            survivor=True,
        )

    def total(self) -> tuple[NDArray[np.int64], tuple[bytes, ...]]:
        """The sum of the survivors' vectors, and their identities.

        Returns:
            (length,) numbers in -2^31..2^31-1, and the identities.

        Raises:
            SecureSumError: Shares are missing or wrong; no sum can be made.
        """
        about, session = self._story(), self.session
        length = session.terms.length
        shares = Shares(session, {place: a.shares for place, a in self._answers.items()})
        total = np.zeros(length, dtype=np.uint32)
        for masked in self._masked.values():
            total += masked.vector
        surviving = np.flatnonzero(about.survivors)
        seeds = self._seeds(shares, surviving)
        total -= masks.total_mask(length, seeds, ())
        # A drop-out with no surviving neighbour left no mask behind.
        neighbours = {
            int(gone): self._surviving_neighbours(int(gone))
            for gone in np.flatnonzero(about.dropped)
        }
        gone = np.array([g for g, others in neighbours.items() if len(others)], dtype=np.int64)
        keys = self._keys(shares, gone)
        for place, key in zip(gone.tolist(), keys, strict=True):
            total -= self._left_by(place, key, neighbours[place])
        centred = total.astype(np.int64)
        return np.where(centred >= 2**31, centred - 2**32, centred), self.survivors

    # --- within -----------------------------------------------------------------------------

    def _seeds(self, shares: Shares, surviving: NDArray[np.int64]) -> list[bytes]:
        """What the own masks of these clients grow from."""
        seeds: dict[int, bytes] = {}

        def right(place: int, secret: bytes) -> bool:
            seed, check = masks.self_seed(secret, self.session.digest, self.number, place)
            seeds[place] = seed
            return check == self._masked[place].check

        shares.combine(surviving, right)
        return [seeds[place] for place in surviving.tolist()]

    def _keys(self, shares: Shares, gone: NDArray[np.int64]) -> list[bytes]:
        """The private round keys of these clients."""

        def right(place: int, secret: bytes) -> bool:
            public = self.session.roster.round_key(place, self.number)
            return primitives.public_key(secret) == public

        return shares.combine(gone, right)

    def _left_by(self, gone: int, key: bytes, others: list[int]) -> NDArray[np.uint32]:
        """What the masks with one that dropped out add to the total."""
        publics = (self.session.roster.round_key(other, self.number) for other in others)
        agreed = primitives.agree_with_each(key, publics)
        seeds = [
            masks.pair_seed(secret, self.session.digest, self.number, gone, other)
            for secret, other in zip(agreed, others, strict=True)
        ]
        pairs = list(zip(others, seeds, strict=True))
        # The lower number of a pair adds.
        return masks.total_mask(
            self.session.terms.length,
            (seed for other, seed in pairs if other < gone),
            (seed for other, seed in pairs if other > gone),
        )

    def _surviving_neighbours(self, place: int) -> list[int]:
        others = self.session.roster.graph.table[place][self.session.columns[place]]
        return others[self._story().survivors[others]].tolist()

    def _take(
        self,
        stage: str,
        sender: bytes,
        data: bytes,
        read: Callable[[int], _Message],
        into: dict[int, _Message],
        *,
        survivor: bool = False,
    ) -> bool:
        """Check that a message is from whom it says, for this session and round, and keep it."""
        inbox, session = self._inbox, self.session
        again = inbox.repeated(stage, sender, data)
        if again is not None:
            return again
        place = session.roster.places.get(sender)
        if place is None or not session.members[place]:
            return inbox.discard(sender, "it does not take part")
        if survivor and not self._story().survivors[place]:
            return inbox.discard(sender, "it is not among the survivors")
        try:
            message = read(len(session.columns[place]))
        except SecureSumError as error:
            return inbox.discard(sender, error.line())
        if message.sender != place:
            return inbox.discard(sender, f"its {stage} is said to be another client's")
        if (message.session, message.round) != (session.digest, self.number):
            return inbox.discard(sender, f"its {stage} is for another session or round")
        into[place] = message
        return inbox.take(stage, sender, data)

    def _story(self) -> Survivors:
        if self._about is None:
            raise SecureSumError(f"round {self.number} is not closed yet", where="secure sum")
        return self._about

    def _lacking(self, what: str) -> SecureSumError:
        return SecureSumError(
            what,
            where=f"round {self.number}",
            remedy="The round has no sum. Wait longer (monitor.timeout), allow for drop-outs in "
            "privacy.dropout, or enrol more clients.",
        )
