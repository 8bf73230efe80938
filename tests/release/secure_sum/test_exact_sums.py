"""The sum is the plain sum of the survivors, whoever drops out wherever, or there is a reason."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.release.secure_sum.world import World
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.messages_round import ShareAnswer

_number = itertools.count()


def some(draw, places, least):
    """A random part of these places, often just enough of them."""
    kept = draw(st.integers(max(0, least - 1), len(places)))
    return draw(st.permutations(sorted(places)))[:kept]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_drop_outs_at_every_stage(tmp_path, data):
    draw = data.draw
    clients = draw(st.integers(2, 9), label="clients")
    sparse = clients > 5 and draw(st.booleans(), label="sparse")
    degree = 4 if sparse else clients - 1
    threshold = draw(st.integers(1, degree), label="threshold")
    least = draw(st.integers(2, clients), label="least")
    world = World(
        tmp_path / str(next(_number)),
        clients=clients,
        degree=degree,
        threshold=threshold,
        least=least,
        consistency=draw(st.booleans(), label="consistency"),
        colluders=0,
        length=draw(st.integers(1, 40), label="length"),
        rounds=(2, 5),
    )
    everyone = range(clients)
    adverts = some(draw, everyone, least)
    shares = some(draw, adverts, least)
    confirmations = some(draw, shares, least)
    try:
        world.set_up(adverts=adverts, shares=shares, confirmations=confirmations)
    except SecureSumError as error:
        assert str(error)
        return
    confirmed = np.flatnonzero(world.session.confirmed).tolist()
    identities = [world.session.roster.adverts[i].identity for i in confirmed]
    places = [world.clients.index(world.by_identity[i]) for i in identities]
    for number in world.terms.rounds:
        vectors = world.vectors(number)
        masking = some(draw, places, least)
        agreeing, answering = some(draw, masking, least), some(draw, masking, least)
        try:
            done = world.round(
                number, vectors, masking=masking, agreeing=agreeing, answering=answering
            )
            total, survivors = done.total()
        except SecureSumError as error:
            assert str(error)
            continue
        assert set(survivors) == {world.clients[p].identity for p in masking}
        assert total.dtype == np.int64
        assert total.tolist() == vectors[masking].sum(axis=0).tolist()


def test_a_seeded_run_of_drop_outs_that_the_parameters_allow(world):
    chance = random.Random(3)
    federation = world(
        clients=12, degree=8, threshold=3, least=8, length=300, rounds=tuple(range(1, 9))
    )
    federation.set_up(adverts=[p for p in range(12) if p != 6])
    here = [p for p in range(12) if p != 6]
    for number in federation.terms.rounds:
        masking = chance.sample(here, chance.randint(9, 11))
        answering = chance.sample(masking, chance.randint(8, len(masking)))
        vectors = federation.vectors(number)
        total, survivors = federation.round(
            number, vectors, masking=masking, answering=answering
        ).total()
        assert total.tolist() == vectors[masking].sum(axis=0).tolist()
        assert len(survivors) == len(masking)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_vectors_do_not_wrap(world, sign):
    federation = world(length=3)
    federation.set_up()
    largest = federation.terms.largest_entry
    vectors = np.full((8, 3), sign * largest)
    total, _ = federation.round(1, vectors).total()
    assert total.tolist() == [sign * 8 * largest] * 3
    assert 8 * (largest + 1) > 2**31 - 1


def test_fewer_answers_than_the_threshold_are_an_explicit_failure(world):
    federation = world()
    federation.set_up()
    vectors = federation.vectors()
    one = federation.round(1, vectors, masking=range(7), answering=range(4))
    with pytest.raises(SecureSumError, match=r"3 answers .* fewer than the 5 needed.*no sum"):
        one.total()
    # As many answers as the threshold suffice for those who do not hold a share of their own.
    one = federation.round(2, vectors, masking=range(7), answering=range(6))
    assert one.total()[0].tolist() == vectors[:7].sum(axis=0).tolist()


def test_clients_that_never_confirm_are_drop_outs_of_every_round(world):
    federation = world()
    session = federation.set_up(confirmations=range(6))
    assert session.members.sum() == 8
    assert session.confirmed.sum() == 6
    vectors = federation.vectors()
    total, _ = federation.round(1, vectors, masking=range(6)).total()
    assert total.tolist() == vectors[:6].sum(axis=0).tolist()


def lie(one, client, seed):
    """Answer with random shares."""
    request = one.requests()[client.identity]
    answer = ShareAnswer.from_bytes(client.unmask(request), one.session.terms.parameters.degree)
    drawn = np.random.default_rng(seed).integers(0, 256, answer.shares.shape, dtype=np.uint8)
    false = ShareAnswer(answer.session, answer.round, answer.sender, drawn)
    assert one.add_answer(client.identity, false.to_bytes())


def test_a_liar_among_the_holders_is_passed_over(world):
    federation = world()
    federation.set_up()
    vectors = federation.vectors()
    one = federation.round(1, vectors, masking=range(7), answering=range(6))
    lie(one, federation.clients[6], 1)
    assert one.total()[0].tolist() == vectors[:7].sum(axis=0).tolist()


@pytest.mark.parametrize("dropped", [0, 2])
def test_so_are_several_of_them(world, dropped):
    federation = world(clients=16, threshold=6, least=12, length=2, rounds=(1,))
    federation.set_up()
    vectors = federation.vectors()
    masking = range(16 - dropped)
    one = federation.round(1, vectors, masking=masking, answering=range(4, 16 - dropped))
    for seed, client in enumerate(federation.clients[:4]):
        lie(one, client, seed)
    assert one.total()[0].tolist() == vectors[: 16 - dropped].sum(axis=0).tolist()


def test_too_many_liars_end_in_a_reason(world):
    federation = world()
    federation.set_up()
    one = federation.round(1, federation.vectors(), answering=range(5))
    for seed, client in enumerate(federation.clients[5:]):
        lie(one, client, seed)
    with pytest.raises(SecureSumError, match="do not give its secret"):
        one.total()
