"""A sparse graph's seed is one that neither the server nor the clients on its side choose."""

import hashlib
import math
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.release.secure_sum.attacks import SPARSE, made, revealed, to_draw
from tests.release.secure_sum.world import terms_of
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import Parameters, SecureClient, SetUp
from unsilent.release.secure_sum.draw import Reveal, drawers_of, number_of_drawers
from unsilent.release.secure_sum.extract import extract
from unsilent.release.secure_sum.parameters import find_parameters
from unsilent.release.secure_sum.roster import Roster
from unsilent.release.secure_sum.state import ClientFiles, SetUpState, Stage


def test_all_draw_the_same_graph_and_each_value_counts(world):
    federation, setup = to_draw(world)
    reveals = revealed(federation, setup)
    roster = made(setup)
    assert len(reveals) == 12
    drawn = roster.drawn(reveals)
    read = Roster.from_bytes(drawn.to_bytes(), federation.terms)
    assert read.digest == drawn.digest
    assert np.array_equal(read.graph.table, drawn.graph.table)
    for place, one in enumerate(reveals):
        other = [*reveals]
        other[place] = replace(one, value=hashlib.sha256(one.value).digest())
        assert not np.array_equal(roster.drawn(other).graph.table, drawn.graph.table)
        assert roster.drawn(other).broken_reveals == (place,)
        # One has many signatures of one value: they draw nothing.
        other[place] = replace(one, signature=bytes(64))
        assert roster.drawn(other).digest == drawn.digest


def test_no_graph_before_the_last_value(world):
    federation, setup = to_draw(world)
    drawing = setup.draw_requests()
    *most, last = drawing
    for identity in most:
        assert setup.add_reveal(
            identity, federation.by_identity[identity].reveal(drawing[identity])
        )
    assert setup.undrawn() == (last,)
    with pytest.raises(SecureSumError, match="1 of the 12 clients that draw the graph"):
        setup.share_requests()
    with pytest.raises(SecureSumError, match="not drawn yet"):
        setup.add_shares(last, b"")


def test_a_value_is_revealed_for_one_roster(world):
    federation, setup = to_draw(world)
    first = federation.clients[0]
    asked = setup.draw_requests()[first.identity]
    said = first.reveal(asked)
    assert federation.again(0).reveal(asked) == said
    fewer = Roster.of(federation.terms, made(setup).adverts[:-1], setup.enrolled)
    with pytest.raises(SecureSumError, match="shared in another roster"):
        first.reveal(extract(fewer, setup.enrolled, 0, 0))


def test_a_value_of_one_roster_draws_no_other(world):
    """A server that knows a value could try rosters until their graph is the one it likes."""
    federation, setup = to_draw(world)
    reveals = revealed(federation, setup)
    roster = made(setup)
    fewer = Roster.of(roster.terms, roster.adverts[:-1], setup.enrolled).drawn(reveals[:-1])
    assert len(fewer.broken_reveals) == 11
    setup = SetUp(federation.terms)
    for client in federation.clients[1:]:
        setup.add_advert(client.identity, client.advertise())
    again = made(setup)
    assert not {a.commitment for a in again.adverts} & {a.commitment for a in roster.adverts}


def test_who_has_not_revealed_begins_anew_with_the_same_advert(world):
    federation, setup = to_draw(world, clients=40, least=38, rounds=(1,))
    before = {client: client.advertise() for client in federation.clients}
    drawing = setup.draw_requests()
    for identity, request in drawing.items():
        federation.by_identity[identity].reveal(request)
    for client in federation.clients:
        assert (client.advertise() == before[client]) is (client.identity not in drawing)


def test_the_server_discards_what_draws_nothing(world):
    federation, setup = to_draw(world)
    identities = list(setup.draw_requests())
    first = federation.by_identity[identities[0]]
    said = first.reveal(setup.draw_requests()[first.identity])
    roster, place, reveal = Reveal.from_bytes(said)
    wrong = replace(reveal, value=bytes(32)).to_bytes(roster, place)
    elsewhere = reveal.to_bytes(bytes(32), place)
    assert not setup.add_reveal(bytes(32), said)
    assert not setup.add_reveal(identities[1], said)
    assert not setup.add_reveal(identities[0], wrong)
    assert not setup.add_reveal(identities[0], elsewhere)
    assert not setup.add_reveal(identities[0], said[:-1])
    assert setup.add_reveal(identities[0], said)
    assert setup.add_reveal(identities[0], said)
    assert len(setup.discarded) == 5


def test_a_masked_round_lets_graphs_be_drawn_again(world):
    federation = world(**SPARSE)
    for number in range(3):
        federation.set_up()
        state = ClientFiles(federation.folders[0], federation.terms.plan).set_up()
        assert state.draws == 1
        federation.round(number + 1, federation.vectors())
    for count in range(1, 4):
        federation.set_up()
        state = ClientFiles(federation.folders[0], federation.terms.plan).set_up()
        assert state.draws == count


def test_a_complete_graph_is_not_drawn(world):
    federation, setup = to_draw(world, clients=5, degree=4, threshold=3, least=4)
    assert setup.draw_requests() == {}
    assert set(setup.share_requests().values()) == {setup.roster()}
    assert made(setup).adverts[0].commitment == b""
    with pytest.raises(SecureSumError, match="not among those that draw"):
        federation.clients[0].reveal(setup.roster())


@pytest.mark.parametrize(
    ("clients", "collusion", "dropout"), [(129, 0, 0.05), (1000, 0.1, 0.1), (5000, 0.05, 0.05)]
)
def test_some_drawers_are_honest_whatever_roster_is_tried(clients, collusion, dropout):
    degree, threshold = find_parameters(clients, collusion, dropout, consistency=True)
    colluders = math.ceil(clients * max(collusion, 0.05))
    least = round(clients * (1 - dropout))
    parameters = Parameters(clients, degree, threshold, least, True, colluders)
    count = number_of_drawers(parameters)
    assert (colluders / least) ** count <= 2.0**-120 < (colluders / least) ** (count - 1)
    drawers = drawers_of(bytes(32), clients, parameters)
    assert len(set(drawers)) == count < 60
    assert list(drawers) == sorted(drawers)
    assert drawers != drawers_of(bytes([1] * 32), clients, parameters)


def test_a_record_of_an_earlier_version_is_read_and_set_up_anew(tmp_path):
    """Whom a client has met and which rounds it masked are kept; its set-up is not gone on with."""
    terms = terms_of()
    client = SecureClient(terms, tmp_path)
    files = ClientFiles(tmp_path, terms.plan)
    met = bytes(range(32))
    state = SetUpState(Stage.ADVERTISED, bytes(32), met, b"c" * 32, b"k" * 96, b"advert")
    body = state.to_bytes()
    head, lacks = len(SetUpState.mark) + 32, 4 * 5 + 8
    assert [f.name for f in fields(SetUpState)][-5:] == [
        "value",
        "base",
        "draws",
        "enrolment",
        "signers",
    ]
    old = body[head:-lacks]
    path = next(tmp_path.rglob("secure-sum")) / terms.plan.removeprefix("sha256:")[:16]
    path = next(p for p in path.parent.iterdir() if p.is_dir()) / "set-up.bin"
    path.write_bytes(b"unsilent secure-sum set-up 1\n" + hashlib.sha256(old).digest() + old)
    assert files.set_up() == state
    with pytest.raises(SecureSumError, match="has not come so far"):
        client.accept(b"")
    client.advertise()
    after = files.set_up()
    assert after.known == met
    assert after.advert != b"advert"
    path.write_bytes(b"unsilent secure-sum set-up 0\n" + hashlib.sha256(old).digest() + old)
    with pytest.raises(SecureSumError, match="damaged"):
        files.set_up()
