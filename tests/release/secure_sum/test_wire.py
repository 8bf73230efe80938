"""Any bytes are read as what they are or refused: never another exception, never a wrong sum."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.release.secure_sum.world import World, terms_of
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import Round, Session
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.extract import Extract, extract
from unsilent.release.secure_sum.messages_round import (
    Agreement,
    Masked,
    Request,
    ShareAnswer,
    Survivors,
)
from unsilent.release.secure_sum.messages_set_up import Advert, Confirmation, KeyBoxes, KeyShares
from unsilent.release.secure_sum.roster import Roster
from unsilent.release.secure_sum.wire import Kind, Reader, Writer


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """One message of each kind, and how it is read."""
    world = World(tmp_path_factory.mktemp("world"), consistency=True)
    session = world.set_up()
    terms, client = world.terms, world.clients[0]
    vectors = world.vectors()
    one = Round(session, 1)
    for each, vector in zip(world.clients, vectors, strict=True):
        one.add(each.identity, each.mask(1, vector))
    one.close()
    story = one.agreement_requests()[client.identity]
    for each in world.clients:
        one.add_agreement(each.identity, each.agree(story))
    request = one.requests()[client.identity]
    boxes = np.ones((3, 124), dtype=np.uint8)
    flags = np.array([True] * 7 + [False])
    sparse = World(tmp_path_factory.mktemp("sparse"), clients=12, degree=4, threshold=3, least=6)
    sparse.set_up()
    part = extract(sparse.session.roster, sparse.enrolled, 5, 0)
    fresh = World(tmp_path_factory.mktemp("fresh"), consistency=True)
    return {
        "advert": (fresh.clients[0].advertise(), lambda d: Advert.from_bytes(d, terms)),
        "roster": (session.roster.to_bytes(), lambda d: Roster.from_bytes(d, terms)),
        "key shares": (world.key_shares[0], lambda d: KeyShares.from_bytes(d, 7, terms)),
        "key boxes": (
            KeyBoxes(bytes(32), flags, (1, 4, 6), boxes).to_bytes(),
            lambda d: KeyBoxes.from_bytes(d, 8, terms),
        ),
        "confirmation": (Confirmation(bytes(32), 5).to_bytes(), Confirmation.from_bytes),
        "masked": (client.mask(1, vectors[0]), lambda d: Masked.from_bytes(d, 7, 5)),
        "survivors": (story, lambda d: Survivors.from_bytes(d, 8)),
        "agreement": (client.agree(story), Agreement.from_bytes),
        "request": (request, lambda d: Request.from_bytes(d, 8)),
        "answer": (client.unmask(request), lambda d: ShareAnswer.from_bytes(d, 7)),
        "reveal": (Reveal(bytes(32), bytes(64)).to_bytes(bytes(32), 5), Reveal.from_bytes),
        "session": (session.to_bytes(), lambda d: Session.from_bytes(d, terms)),
        "extract": (part, lambda d: Extract.from_bytes(d, sparse.terms)),
        "enrolment": (sparse.enrolled.to_bytes(), Enrolled.from_bytes),
    }


KINDS = [kind.words for kind in Kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_read_as_it_was_written(said, kind):
    data, read = said[kind]
    message = read(data)
    terms = terms_of(consistency=True)
    if kind == "reveal":
        roster, sender, message = message
        assert message.to_bytes(roster, sender) == data
    elif kind == "extract":
        # Only the server writes one, of a whole roster.
        assert message.is_of(5) and message.digest == read(data).digest
    else:
        assert (message.to_bytes(terms) if kind == "advert" else message.to_bytes()) == data


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_another_length_is_refused(said, kind):
    data, read = said[kind]
    for other in (*(data[:n] for n in range(min(len(data), 200))), data[:-1], data + b"\0"):
        with pytest.raises(SecureSumError, match=kind):
            read(other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_another_kind_is_refused(said, kind):
    _, read = said[kind]
    for other, (data, _) in said.items():
        if other != kind:
            with pytest.raises(SecureSumError):
                read(data)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(KINDS), st.data())
def test_any_change_is_read_or_refused(said, kind, data):
    message, read = said[kind]
    at = data.draw(st.integers(0, len(message) - 1))
    new = data.draw(st.binary(min_size=1, max_size=8))
    changed = message[:at] + new + message[at + len(new) :]
    try:
        read(changed)
    except SecureSumError as error:
        assert kind in str(error)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_refused_by_client_and_server(said, noise):
    for _, read in said.values():
        for data in (noise, b"unSS\1" + noise):
            if len(data) < 300:
                try:
                    read(data)
                except SecureSumError:
                    continue


@pytest.mark.parametrize(
    ("field", "value"),
    [("count", 9), ("twice", (1, 1, 6)), ("order", (4, 1, 6)), ("stranger", (1, 4, 8))],
)
def test_boxes_of_impossible_senders_are_refused(said, field, value):
    data, read = said["key boxes"]
    at = 8 + 32 + 1
    if field == "count":
        changed = data[:at] + value.to_bytes(4, "little") + data[at + 4 :]
    else:
        senders = np.array(value, dtype="<u4").tobytes()
        changed = data[: at + 4] + senders + data[at + 16 :]
    with pytest.raises(SecureSumError, match="key boxes"):
        read(changed)


def test_bits_beyond_the_clients_are_refused():
    data = Writer(Kind.SURVIVORS).raw(b"\xff").done()
    with pytest.raises(SecureSumError, match="do not exist"):
        Reader(Kind.SURVIVORS, data).flags(7)
    assert Reader(Kind.SURVIVORS, data).flags(8).all()


def test_numbers_are_little_endian_whatever_the_machine():
    data = Writer(Kind.ANSWER).number(0x01020304).done()
    assert data == b"unSS\x02\x0a\0\0" + b"\x04\x03\x02\x01"
