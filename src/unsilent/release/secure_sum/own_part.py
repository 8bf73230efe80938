"""What a client computes, from its record and a checked message: no rule and no disk here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import masks, primitives
from unsilent.release.secure_sum.draw import Reveal, commitment_to
from unsilent.release.secure_sum.enrolment import seen_in
from unsilent.release.secure_sum.extract import Extract
from unsilent.release.secure_sum.messages_round import Masked, Request, ShareAnswer
from unsilent.release.secure_sum.messages_set_up import Advert, KeyBoxes, KeyShares
from unsilent.release.secure_sum.roster import Roster
from unsilent.release.secure_sum.shamir import split
from unsilent.release.secure_sum.state import RoundState, SetUpState, Stage
from unsilent.release.secure_sum.terms import Terms
from unsilent.release.secure_sum.wire import HASH, bits, items_of, rows_of

Random = Callable[[int], bytes]


def neighbours(state: SetUpState) -> NDArray[np.int64]:
    """Numbers of the client's neighbours."""
    return _unpacked(state.neighbours)


def members(state: SetUpState) -> NDArray[np.bool_]:
    """(present,) who takes part."""
    packed = np.frombuffer(state.members, dtype=np.uint8)
    return np.unpackbits(packed, bitorder="little", count=state.present).astype(np.bool_)


def signers(state: SetUpState) -> dict[int, bytes]:
    """Identities of those whose signatures count, by number."""
    identities = items_of(state.identities)
    places = _unpacked(state.signers).tolist() if state.signers else range(len(identities))
    return dict(zip(places, identities, strict=True))


def advertised(
    terms: Terms, signing_key: bytes, random: Random, enrolment: bytes = b""
) -> SetUpState:
    """A set-up with new keys and, on a sparse graph, a value for its draw.

    ``enrolment`` is what the client knows of the list of clients.
    """
    identity = primitives.public_signing_key(signing_key)
    channel, channel_public = primitives.new_key()
    pairs = [primitives.new_key() for _ in terms.rounds]
    keys = b"".join(public for _, public in pairs)
    value = b"" if terms.parameters.complete else random(HASH)
    commitment = commitment_to(identity, value) if value else b""
    statement = Advert.statement(terms, identity, channel_public, keys, commitment)
    signature = primitives.sign(signing_key, statement)
    met, _ = seen_in(enrolment)
    advert = Advert(identity, channel_public, keys, signature, commitment, met)
    return SetUpState(
        Stage.ADVERTISED,
        terms.digest,
        known=b"",
        channel=channel,
        keys=b"".join(private for private, _ in pairs),
        advert=advert.to_bytes(terms),
        value=value,
        enrolment=enrolment,
    )


def revealed(state: SetUpState, roster: bytes, own: int, signing_key: bytes) -> bytes:
    """The client's value for the draw, signed for this roster."""
    signature = primitives.sign(signing_key, Reveal.statement(roster, state.value))
    return Reveal(state.value, signature).to_bytes(roster, own)


def shared(
    state: SetUpState, roster: Roster | Extract, own: int, known: bytes, random: Random
) -> SetUpState:
    """The set-up once the round keys are shared among the neighbours."""
    terms = roster.terms
    parameters = terms.parameters
    row = np.array(roster.row(own), dtype=np.int64)
    columns = np.flatnonzero(row < len(roster))
    others = [int(other) for other in row[columns]]
    signers = roster.signers if parameters.consistency else ()
    drawn = isinstance(roster, Extract)
    adverts = [roster.adverts[other] for other in others]
    agreed = primitives.agree_with_each(state.channel, (advert.channel for advert in adverts))
    channels = [
        masks.channel_key(secret, roster.digest, own, other)
        for secret, other in zip(agreed, others, strict=True)
    ]
    shares = split(rows_of(state.keys, HASH), parameters.degree, parameters.threshold, random)
    boxes = [
        primitives.seal(
            channel, shares[column].tobytes(), masks.key_context(roster.digest, own, other)
        )
        for channel, column, other in zip(channels, columns, others, strict=True)
    ]
    message = KeyShares(roster.digest, own, rows_of(boxes, len(boxes[0])))
    return replace(
        state,
        stage=Stage.SHARED,
        known=known,
        channel=b"",
        roster=roster.digest,
        base=roster.base,
        shares=message.to_bytes(),
        own=own,
        present=len(roster),
        identities=b"".join(roster.identities[signer] for signer in signers),
        enrolment=roster.enrolment.seen if roster.enrolment else b"",
        signers=_packed(signers) if drawn else b"",
        neighbours=_packed(others),
        columns=_packed(columns),
        channels=b"".join(channels),
        peers=b"".join(advert.keys for advert in adverts),
    )


def opened_keys(state: SetUpState, given: KeyBoxes) -> NDArray[np.uint8]:
    """(senders, rounds * 32) the shares that the neighbours sealed."""
    return _opened(
        state,
        given.senders,
        given.boxes,
        lambda sender: masks.key_context(given.roster, sender, state.own),
        len(state.keys),
    )


def rounds_of(
    state: SetUpState,
    terms: Terms,
    session: bytes,
    here: NDArray[np.bool_],
    held: NDArray[np.uint8],
) -> dict[int, RoundState]:
    """Each round's secrets, once the session is known.

    Args:
        state: The set-up.
        terms: Its terms.
        session: The session.
        here: Which neighbours are members.
        held: (members among them, rounds * 32) their shares.
    """
    peers = rows_of(state.peers, len(state.keys))[here]
    found: dict[int, RoundState] = {}
    for position, number in enumerate(terms.rounds):
        at = slice(position * HASH, (position + 1) * HASH)
        found[number] = RoundState(
            Stage.READY,
            session,
            key=state.keys[at],
            peers=peers[:, at].tobytes(),
            held=held[:, at].tobytes(),
        )
    return found


def ready(
    state: SetUpState,
    session: bytes,
    taking_part: NDArray[np.bool_],
    here: NDArray[np.bool_],
    confirmation: bytes,
) -> SetUpState:
    """The set-up once each round has its secrets: of the neighbours, the members are left."""
    return replace(
        state,
        stage=Stage.READY,
        keys=b"",
        peers=b"",
        neighbours=_packed(neighbours(state)[here]),
        columns=_packed(_unpacked(state.columns)[here]),
        channels=rows_of(state.channels, HASH)[here].tobytes(),
        members=bits(taking_part),
        session=session,
        confirmation=confirmation,
    )


def masked(
    setting: SetUpState,
    state: RoundState,
    terms: Terms,
    round_number: int,
    vector: NDArray[np.int64],
    random: Random,
) -> bytes:
    """Message A: the vector under its masks, and shares of the own mask's secret."""
    parameters, own, session = terms.parameters, setting.own, setting.session
    others = neighbours(setting).tolist()
    agreed = primitives.agree_with_each(state.key, items_of(state.peers))
    seeds = [
        masks.pair_seed(secret, session, round_number, own, other)
        for secret, other in zip(agreed, others, strict=True)
    ]
    secret = random(HASH)
    own_seed, check = masks.self_seed(secret, session, round_number, own)
    hidden = vector.astype(np.uint32)
    hidden += masks.own_mask(len(vector), own_seed, own, others, seeds)
    shares = split(rows_of(secret, HASH), parameters.degree, parameters.threshold, random)
    channels = _channels(setting)
    boxes = [
        primitives.seal(
            channels[other],
            shares[column, 0].tobytes(),
            masks.seed_context(session, round_number, own, other),
        )
        for other, column in zip(others, _unpacked(setting.columns), strict=True)
    ]
    message = Masked(session, round_number, own, check, hidden, rows_of(boxes, len(boxes[0])))
    return message.to_bytes()


def answered(setting: SetUpState, state: RoundState, given: Request) -> bytes:
    """Message B: of each neighbour one share, by whether it survived."""
    about, own = given.about, setting.own
    opened = _opened(
        setting,
        given.senders,
        given.boxes,
        lambda sender: masks.seed_context(about.session, about.round, sender, own),
        HASH,
    )
    # One row a neighbour: of whoever survived, the share of its seed takes the place of its key's.
    shares = rows_of(state.held, HASH).copy()
    shares[about.survivors[neighbours(setting)]] = opened
    return ShareAnswer(about.session, about.round, own, shares).to_bytes()


def _opened(
    state: SetUpState,
    senders: Sequence[int],
    boxes: NDArray[np.uint8],
    context: Callable[[int], bytes],
    size: int,
) -> NDArray[np.uint8]:
    """(senders, size) what is in these boxes. Raises SecureSumError naming one that is false."""
    channels = _channels(state)
    found: list[bytes] = []
    for sender, box in zip(senders, boxes, strict=True):
        try:
            found.append(primitives.open_box(channels[sender], box.tobytes(), context(sender)))
        except SecureSumError as error:
            raise SecureSumError(
                error.what,
                where=f"box of client {sender} in the roster",
                remedy="Nothing of this client's was sent. That client, or the server, is faulty.",
            ) from None
    return rows_of(found, size)


def _channels(state: SetUpState) -> dict[int, bytes]:
    return dict(zip(neighbours(state).tolist(), items_of(state.channels), strict=True))


def _packed(values: NDArray[np.int64] | Sequence[int]) -> bytes:
    return np.array(values, dtype="<u4").tobytes()


def _unpacked(packed: bytes) -> NDArray[np.int64]:
    return np.frombuffer(packed, dtype="<u4").astype(np.int64)
