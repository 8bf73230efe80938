"""The server uses no message that is late, foreign, damaged or in another's name, and says why."""

from dataclasses import replace

import numpy as np
import pytest

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import Round, SecureClient, SetUp, primitives
from unsilent.release.secure_sum.messages_set_up import Advert


@pytest.fixture
def setup(world):
    """A set-up whose roster is made, without client 7."""
    federation = world()
    made = SetUp(federation.terms)
    for client in federation.clients[:7]:
        made.add_advert(client.identity, client.advertise())
    return federation, made, made.roster()


def reasons(part):
    return [one.reason for one in part.discarded]


def test_keys_in_anothers_name(world):
    federation = world()
    made = SetUp(federation.terms)
    first, second = federation.clients[:2]
    assert not made.add_advert(second.identity, first.advertise())
    assert reasons(made) == ["its keys are said to be another client's"]
    assert made.discarded[0].sender == second.identity


@pytest.mark.parametrize("at", [40, 80, 120, -1], ids=["identity", "channel", "round", "signature"])
def test_keys_that_someone_changed(world, at):
    federation = world()
    made = SetUp(federation.terms)
    client = federation.clients[0]
    data = bytearray(client.advertise())
    data[at] ^= 1
    assert not made.add_advert(client.identity, bytes(data))
    assert made.add_advert(client.identity, client.advertise())


def test_keys_of_another_plan(world):
    client = world(plan="9").clients[0]
    made = SetUp(world().terms)
    assert not made.add_advert(client.identity, client.advertise())
    assert "another plan, layout or other parameters" in reasons(made)[0]


def test_more_clients_than_the_plan_has(world, tmp_path):
    federation = world()
    made = SetUp(federation.terms)
    for client in federation.clients:
        assert made.add_advert(client.identity, client.advertise())
    more = SecureClient(federation.terms, tmp_path / "more")
    assert not made.add_advert(more.identity, more.advertise())
    assert reasons(made) == ["all of the plan's clients are there already"]


def test_keys_that_the_plan_does_not_list(world):
    federation = world()
    listed = [client.identity.hex() for client in federation.clients[1:]]
    made = SetUp(federation.terms, pinned=listed)
    for client in federation.clients:
        made.add_advert(client.identity, client.advertise())
    assert [(d.sender, d.reason) for d in made.discarded] == [
        (federation.clients[0].identity, "it is not among the plan's keys")
    ]


@pytest.mark.parametrize("low", [bytes(32), bytes([1]) + bytes(31)])
def test_a_key_that_agrees_on_nothing(world, low):
    federation = world()
    private, identity = primitives.new_signing_key()
    channel, keys = primitives.new_key()[1], low + primitives.new_key()[1] * 2
    statement = Advert.statement(federation.terms, identity, channel, keys)
    advert = Advert(identity, channel, keys, primitives.sign(private, statement))
    made = SetUp(federation.terms)
    assert not made.add_advert(identity, advert.to_bytes(federation.terms))
    assert "low order" in reasons(made)[0]


def test_a_key_that_is_there_already(world):
    federation = world()
    first = Advert.from_bytes(federation.clients[0].advertise(), federation.terms)
    private, identity = primitives.new_signing_key()
    statement = Advert.statement(federation.terms, identity, first.channel, first.keys)
    copy = replace(first, identity=identity, signature=primitives.sign(private, statement))
    made = SetUp(federation.terms)
    assert made.add_advert(first.identity, first.to_bytes(federation.terms))
    assert not made.add_advert(identity, copy.to_bytes(federation.terms))
    assert reasons(made) == ["one of its keys is there already"]


def test_a_box_that_does_not_open_is_named(world):
    """A liar can end a set-up, and is found."""
    federation = world()
    made = SetUp(federation.terms)
    for client in federation.clients:
        made.add_advert(client.identity, client.advertise())
    roster = made.roster()
    for place, client in enumerate(federation.clients):
        data = client.share(roster)
        made.add_shares(client.identity, data[:44] + bytes(len(data) - 44) if place == 3 else data)
    client = federation.clients[0]
    with pytest.raises(SecureSumError, match="box of client 3 in the roster"):
        client.accept(made.boxes()[client.identity])


def test_a_late_advert_and_a_second_one(setup):
    federation, made, roster = setup
    late = federation.clients[7]
    assert not made.add_advert(late.identity, late.advertise())
    client = federation.clients[0]
    client.share(roster)
    assert not made.add_advert(client.identity, client.advertise())
    assert reasons(made) == [
        "its keys came after the roster was made",
        "a second, different advert",
    ]
    assert made.roster() == roster


def test_shares_of_others_and_for_others(setup, world):
    federation, made, roster = setup
    first, second = federation.clients[:2]
    data = first.share(roster)
    assert not made.add_shares(second.identity, data)
    assert not made.add_shares(federation.clients[7].identity, data)
    assert not made.add_shares(first.identity, data[:8] + bytes(32) + data[40:])
    assert reasons(made) == [
        "its shares are said to be another client's",
        "it is not in the roster",
        "its shares are for another roster",
    ]
    assert made.add_shares(first.identity, data)
    assert not made.add_shares(first.identity, data[:-1] + bytes([data[-1] ^ 1]))


def test_shares_after_the_boxes(setup):
    federation, made, roster = setup
    shares = [client.share(roster) for client in federation.clients[:7]]
    for client, data in zip(federation.clients[:6], shares, strict=False):
        assert made.add_shares(client.identity, data)
    boxes = made.boxes()
    assert set(boxes) == {client.identity for client in federation.clients[:6]}
    late = federation.clients[6]
    assert not made.add_shares(late.identity, shares[6])
    assert not made.add_confirmation(late.identity, b"")
    assert reasons(made) == [
        "its shares came after the boxes were made",
        "it does not take part",
    ]


def test_a_set_up_with_too_few_ends_with_the_reason(world):
    federation = world()
    made = SetUp(federation.terms)
    for client in federation.clients[:5]:
        made.add_advert(client.identity, client.advertise())
    with pytest.raises(SecureSumError, match="5 clients sent their keys, fewer than the 6"):
        made.roster()
    with pytest.raises(SecureSumError, match="no roster yet"):
        made.boxes()


@pytest.fixture
def begun(world):
    """A round that six of eight clients sent their vector in."""
    federation = world()
    federation.set_up()
    one, vectors = Round(federation.session, 1), federation.vectors()
    data = [c.mask(1, v) for c, v in zip(federation.clients, vectors, strict=True)]
    for client, masked in zip(federation.clients[:6], data, strict=False):
        assert one.add(client.identity, masked)
    return federation, one, vectors, data


def finish(federation, one):
    one.close()
    for identity, request in one.requests().items():
        answer = federation.by_identity[identity].unmask(request)
        assert one.add_answer(identity, answer)
    return one.total()[0].tolist()


def test_a_vector_that_comes_late(begun):
    federation, one, vectors, data = begun
    one.close()
    late = federation.clients[6]
    assert not one.add(late.identity, data[6])
    assert reasons(one) == ["its vector came after the drop-outs were announced"]
    assert one.add(federation.clients[0].identity, data[0])
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


def test_a_vector_that_comes_twice(begun):
    federation, one, vectors, data = begun
    client = federation.clients[0]
    assert one.add(client.identity, data[0])
    assert not one.add(client.identity, data[1])
    assert reasons(one) == ["a second, different vector"]
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


def test_a_vector_for_another(begun):
    federation, one, vectors, data = begun
    assert not one.add(federation.clients[6].identity, data[7])
    assert not one.add(bytes(32), data[7])
    assert reasons(one) == ["its vector is said to be another client's", "it does not take part"]
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


def test_a_vector_of_another_round_or_session(begun):
    federation, one, vectors, data = begun
    client = federation.clients[6]
    other_round = client.mask(2, vectors[6])
    assert not one.add(client.identity, other_round)
    client = federation.clients[7]
    assert not one.add(client.identity, data[7][:8] + bytes(32) + data[7][40:])
    assert reasons(one) == ["its vector is for another session or round"] * 2
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d[:-1],
        lambda d: d + b"\0",
        lambda d: b"",
        lambda d: d[:7],
        lambda d: bytes(len(d)),
        lambda d: d[:4] + b"\1" + d[5:],
        lambda d: d * 2,
    ],
    ids=["truncated", "trailing", "empty", "only a head", "zeros", "another version", "twice"],
)
def test_a_vector_that_is_damaged(begun, change):
    federation, one, vectors, data = begun
    assert not one.add(federation.clients[6].identity, change(data[6]))
    assert reasons(one)[0].startswith("masked: the message ")
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


def test_answers_of_those_who_are_not_asked(begun):
    federation, one, vectors, _ = begun
    one.close()
    requests = one.requests()
    assert set(requests) == {client.identity for client in federation.clients[:6]}
    first, second = federation.clients[:2]
    answer = first.unmask(requests[first.identity])
    assert not one.add_answer(federation.clients[6].identity, answer)
    assert not one.add_answer(second.identity, answer)
    assert not one.add_answer(first.identity, answer[:-32])
    assert reasons(one)[:2] == [
        "it is not among the survivors",
        "its answer is said to be another client's",
    ]
    assert finish(federation, one) == vectors[:6].sum(axis=0).tolist()


def test_an_answer_that_comes_twice_counts_once(begun):
    federation, one, _, _ = begun
    total = finish(federation, one)
    first = federation.clients[0]
    again = first.unmask(one.requests()[first.identity])
    assert one.add_answer(first.identity, again)
    assert one.total()[0].tolist() == total


def test_nothing_is_asked_before_its_time(begun):
    federation, one, _, _ = begun
    for early in (one.requests, one.agreement_requests, one.total, lambda: one.survivors):
        with pytest.raises(SecureSumError, match="not closed yet"):
            early()
    with pytest.raises(SecureSumError, match="round 9 is not a monitoring round"):
        Round(federation.session, 9)


def test_too_few_vectors_end_the_round_with_the_reason(world):
    federation = world()
    federation.set_up()
    one = Round(federation.session, 1)
    for client in federation.clients[:5]:
        one.add(client.identity, client.mask(1, np.zeros(5, dtype=np.int64)))
    with pytest.raises(SecureSumError, match=r"round 1: 5 vectors came, fewer than the 6 needed"):
        one.close()


def test_signatures_that_do_not_count(world):
    federation = world(consistency=True, colluders=0)
    federation.set_up()
    vectors = federation.vectors()
    one = federation.round(1, vectors)
    assert one.total()[0].tolist() == vectors.sum(axis=0).tolist()
    one = Round(federation.session, 2)
    for client, vector in zip(federation.clients, vectors, strict=True):
        one.add(client.identity, client.mask(2, vector))
    one.close()
    requests = one.agreement_requests()
    for place, client in enumerate(federation.clients):
        signed = client.agree(requests[client.identity])
        if place < 4:
            assert one.add_agreement(client.identity, signed)
        elif place < 6:
            assert not one.add_agreement(client.identity, signed[:-1] + bytes([signed[-1] ^ 1]))
    assert reasons(one) == ["its signature is not of this round's survivors"] * 2
    with pytest.raises(SecureSumError, match="4 of 5 needed clients signed"):
        one.requests()
    client = federation.clients[6]
    assert one.add_agreement(client.identity, client.agree(requests[client.identity]))
    for identity, request in one.requests().items():
        one.add_answer(identity, federation.by_identity[identity].unmask(request))
    assert one.total()[0].tolist() == vectors.sum(axis=0).tolist()
