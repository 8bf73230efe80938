"""On a sparse graph a client is shown its neighbours' keys, and no server can choose which."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.release.secure_sum.attacks import SPARSE, made, revealed, to_draw
from tests.release.secure_sum.world import Liar, terms_of
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import Parameters, SecureClient, SetUp, Terms
from unsilent.release.secure_sum.bounds import signers_among
from unsilent.release.secure_sum.draw import Reveal
from unsilent.release.secure_sum.enrolment import Enrolled
from unsilent.release.secure_sum.extract import Extract, extract, showing, shown_to
from unsilent.release.secure_sum.messages_round import Agreement
from unsilent.release.secure_sum.messages_set_up import Advert, KeyBoxes
from unsilent.release.secure_sum.parameters import find_parameters
from unsilent.release.secure_sum.roster import Roster

LARGER = {"clients": 60, "degree": 4, "threshold": 3, "least": 50, "rounds": (1,)}


def test_a_client_reads_its_part_and_knows_the_digest_of_the_whole(world: Any) -> None:
    federation, setup = to_draw(world, **LARGER)
    drawn = made(setup).drawn(revealed(federation, setup))
    for place in (0, 31, 59):
        found = Extract.from_bytes(extract(drawn, setup.enrolled, place, 0), federation.terms)
        assert (found.base, found.digest) == (drawn.base, drawn.digest)
        assert (found.drawers, found.signers) == (drawn.drawers, drawn.signers)
        assert found.row(place) == drawn.row(place)
        assert found.is_of(place)
        # Who lies among the drawers may be shown the very same.
        assert not any(found.is_of(other) for other in range(60) if other not in found.adverts)
        assert set(found.adverts) == {place, *drawn.drawers, *drawn.row(place)}


def test_a_part_in_which_anything_is_changed_is_refused_or_of_another_roster(world: Any) -> None:
    federation, setup = to_draw(world, **LARGER)
    drawn = made(setup).drawn(revealed(federation, setup))
    whole = extract(drawn, setup.enrolled, 7, 0)
    for at in np.random.default_rng(1).choice(len(whole), 150, replace=False).tolist():
        broken = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            found = Extract.from_bytes(broken, federation.terms)
        except SecureSumError:
            continue
        # What is left are the values' signatures and the proof of growth, which rules look at.
        same = found.digest == drawn.digest
        assert not same or found.broken_reveals or found.grown != ()
    for size in range(0, len(whole), 997):
        with pytest.raises(SecureSumError):
            Extract.from_bytes(whole[:size], federation.terms)
    with pytest.raises(SecureSumError):
        Extract.from_bytes(whole + b"\0", federation.terms)


def test_a_swapped_key_is_that_of_another_roster_whose_boxes_do_not_open(world: Any) -> None:
    """The server shows one client an earlier advert of its neighbour, which that one did sign."""
    federation = world(**SPARSE)
    old = {
        c.identity: Advert.from_bytes(c.advertise(), federation.terms) for c in federation.clients
    }
    federation.set_up()
    setup = SetUp(federation.terms, enrolled=federation.enrolled)
    for client in federation.clients:
        assert setup.add_advert(client.identity, client.advertise())
    setup.roster()
    for identity, request in setup.draw_requests().items():
        setup.add_reveal(identity, federation.by_identity[identity].reveal(request))
    requests = setup.share_requests()
    roster = made(setup)
    victim, other = federation.clients[0], federation.clients[roster.row(0)[0]]
    swapped = [old[a.identity] if a.identity == other.identity else a for a in roster.adverts]
    lie = Roster.of(federation.terms, swapped, setup.enrolled)
    assert lie.base != roster.base
    with pytest.raises(SecureSumError, match=r"shared in another roster|not what was committed"):
        victim.share(extract(lie.drawn(roster.reveals), setup.enrolled, 0, 12))
    # One that has revealed nothing yet is told it from the start, and finds no one with it.
    for client in federation.clients[1:]:
        setup.add_shares(client.identity, client.share(requests[client.identity]))
    setup.add_shares(victim.identity, victim.share(requests[victim.identity]))
    boxes = setup.boxes()
    given = KeyBoxes.from_bytes(boxes[victim.identity], 12, federation.terms)
    with pytest.raises(SecureSumError, match="another session"):
        victim.accept(replace(given, roster=lie.digest).to_bytes())


def test_a_victim_surrounded_by_the_servers_clients_is_a_matter_of_chance(world: Any) -> None:
    """Whom the server shows beside it has to follow from all drawers' values."""
    federation, setup = to_draw(world, **LARGER)
    drawn = made(setup).drawn(revealed(federation, setup))
    shown, signing = shown_to(drawn, 0)
    for less in (shown - {drawn.row(0)[0]}, shown - {drawn.drawers[-1]}, set(range(60))):
        if less == shown:
            continue
        with pytest.raises(SecureSumError, match="shows other clients' keys"):
            federation.clients[0].share(showing(drawn, setup.enrolled, 0, less | {0}, signing))


def test_the_list_of_clients_only_grows_and_is_no_longer_than_the_plan(world: Any) -> None:
    federation = world(**SPARSE)
    federation.set_up()
    known = list(federation.enrolled.places)
    for listed in ([known[1], known[0], *known[2:]], known[:-1], [bytes(32), *known[1:]]):
        setup = SetUp(federation.terms, enrolled=Enrolled(listed))
        for client in federation.clients:
            data = Advert.from_bytes(client.advertise(), federation.terms)
            setup.add_advert(client.identity, replace(data, met=0).to_bytes(federation.terms))
        setup.roster()
        refused = 0
        for identity, request in setup.draw_requests().items():
            try:
                federation.by_identity[identity].reveal(request)
            except SecureSumError as error:
                refused += "list of clients" in error.line() or "out of range" in error.line()
        assert refused == len(setup.draw_requests())


def test_a_list_with_room_for_made_up_clients_is_refused(world: Any) -> None:
    federation = world(**SPARSE)
    setup = SetUp(federation.terms, enrolled=Enrolled([bytes([n]) * 32 for n in range(1, 6)]))
    taken = [setup.add_advert(c.identity, c.advertise()) for c in federation.clients]
    # Twelve clients in the plan, five of them met: no more than seven others.
    assert sum(taken) == 7


def test_where_keys_are_pinned_they_are_the_list(tmp_path: Any) -> None:
    terms = terms_of(12, 4, 3, 6)
    made_ones = [SecureClient(terms, tmp_path / str(n)) for n in range(12)]
    pinned = [client.identity.hex() for client in made_ones]
    clients = [SecureClient(terms, tmp_path / str(n), pinned=pinned) for n in range(12)]
    good = SetUp(terms, pinned=pinned)
    bad = SetUp(terms, enrolled=Enrolled(client.identity for client in clients))
    adverts = {client.identity: client.advertise() for client in clients}
    for setup in (bad, good):
        for identity, data in adverts.items():
            assert setup.add_advert(identity, data)
        setup.roster()
    by_identity = {client.identity: client for client in clients}
    in_order = [c.identity for c in clients] == sorted(by_identity)
    for identity, request in bad.draw_requests().items():
        if not in_order:
            with pytest.raises(SecureSumError, match="not that of the plan's keys"):
                by_identity[identity].reveal(request)
    for identity, request in good.draw_requests().items():
        assert good.add_reveal(identity, by_identity[identity].reveal(request))
    for identity, request in good.share_requests().items():
        assert good.add_shares(identity, by_identity[identity].share(request))


def drawn_signers(world: Any) -> Any:
    parameters = Parameters(24, 6, 4, 16, True, 1, 8, 6)
    terms = Terms("sha256:" + "0" * 64, "sha256:" + "1" * 64, 3, (1, 2), parameters)
    federation = world(terms=terms)
    federation.set_up()
    return federation


def test_drawn_clients_sign_for_all_and_their_sum_is_right(world: Any) -> None:
    federation = drawn_signers(world)
    vectors = federation.vectors()
    done = federation.round(1, vectors, masking=range(2, 24))
    total, survivors = done.total()
    assert total.tolist() == vectors[2:].sum(axis=0).tolist() and len(survivors) == 22
    assert len(federation.session.roster.signers) == 8


def test_signatures_of_others_count_for_nothing(world: Any) -> None:
    federation = drawn_signers(world)
    liar = Liar(federation, 2, federation.vectors())
    story = liar.story(range(24))
    signers = federation.session.roster.signers

    def signed(places: list[int]) -> dict[str, Any]:
        found = [federation.clients[place].agree(story.to_bytes()) for place in places]
        rows = [Agreement.from_bytes(data).signature for data in found]
        return {
            "signers": tuple(places),
            "signatures": np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 64),
        }

    strangers = [place for place in range(24) if place not in signers]
    with pytest.raises(SecureSumError, match="0 clients signed who survived, fewer than 6"):
        liar.tell(0, story, **signed(strangers))
    with pytest.raises(SecureSumError, match="5 clients signed who survived, fewer than 6"):
        liar.tell(0, story, **signed(sorted([*strangers[:9], *signers[:5]])))
    assert liar.tell(0, story, **signed(list(signers[:6])))


@pytest.mark.parametrize(("clients", "collusion", "dropout"), [(200, 0.05, 0.05), (5000, 0.1, 0.1)])
def test_so_many_signers_that_no_two_stories_are_signed(
    clients: int, collusion: float, dropout: float
) -> None:
    signers, quorum = signers_among(clients, clients * 8 // 10, collusion, dropout, sigma=60)
    assert 0 < quorum <= signers < clients
    # By exact sums of binomial coefficients.
    least, bad = clients * 8 // 10, math.ceil(clients * collusion)
    twice = sum(
        math.comb(bad, n) * math.comb(least - bad, signers - n)
        for n in range(2 * quorum - signers, min(bad, signers) + 1)
    )
    assert twice * 2**60 <= math.comb(least, signers)


def down(clients: int, rounds: int = 1) -> int:
    """Bytes that one client is sent before it shares its keys, with adverts of the right size."""
    degree, threshold = find_parameters(clients, 0.0, 0.05, consistency=True)
    least = clients - math.ceil(0.05 * clients)
    bad = math.log2(16 * clients) + 41
    signers, signed = signers_among(clients, least, 0.05, 0.05, sigma=bad)
    parameters = Parameters(clients, degree, threshold, least, True, 0, signers, signed)
    numbers = tuple(range(1, rounds + 1))
    terms = Terms("sha256:" + "0" * 64, "sha256:" + "1" * 64, 30, numbers, parameters)
    generator = np.random.default_rng(clients)
    adverts = [
        Advert(
            generator.bytes(32),
            generator.bytes(32),
            generator.bytes(32 * rounds),
            generator.bytes(64),
            generator.bytes(32),
        )
        for _ in range(clients)
    ]
    enrolled = Enrolled(sorted(advert.identity for advert in adverts))
    roster = Roster.of(terms, adverts, enrolled)
    drawn = roster.drawn(Reveal(bytes(32), bytes(64)) for _ in roster.drawers)
    return len(extract(drawn, enrolled, 3, 0))


def test_what_a_client_is_sent_grows_with_its_neighbours_and_not_with_all() -> None:
    small, large = down(250), down(2000)
    degrees = [find_parameters(n, 0.0, 0.05, consistency=True)[0] for n in (250, 2000)]
    # Each neighbour's advert, and proofs that grow by some digests where the list doubles.
    assert large / small < 1.6 * degrees[1] / degrees[0]
    # The whole roster, as it was sent to each: 224 bytes a client.
    assert large < 2000 * 224 / 5
