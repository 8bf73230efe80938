"""All that a server and its colluders can work out is the sum; a lie where it is possible shows."""

import numpy as np
import pytest

from tests.release.secure_sum.closure import Closure, leaks
from tests.release.secure_sum.world import NO_SIGNATURES, Liar
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum import rules
from unsilent.release.secure_sum.messages_round import Request


def closure_of(world, number, vectors, *, masking, colluders=(), late=()):
    """What an honest server that keeps every message knows after a round."""
    liar = Liar(world, number, vectors, masking=[*masking, *late])
    private = {p: world.private[p] for p in colluders}
    known = Closure(world.session, number, key_shares=world.key_shares, private=private)
    known.saw(liar.masked)
    story = liar.story(masking)
    for place in masking:
        known.answered(place, story, liar.tell(place, story))
    return known


@pytest.mark.parametrize("colluders", [(), (0,), (7,)])
@pytest.mark.parametrize("late", [(), (6,)])
def test_the_sum_of_the_honest_is_all_that_is_learnt(world, colluders, late):
    federation = world()
    federation.set_up()
    vectors = federation.vectors()
    masking = [p for p in range(8) if p not in (3, *late)]
    known = closure_of(federation, 1, vectors, masking=masking, colluders=colluders, late=late)
    honest = [p for p in masking if p not in colluders]
    ((clients, total),) = known.learnt()
    assert clients == set(honest)
    assert total.tolist() == vectors[honest].sum(axis=0).tolist()
    assert not leaks([known])


def test_on_a_sparse_graph_too(world):
    federation = world(clients=16, degree=8, threshold=5, least=12, colluders=2)
    federation.set_up(adverts=range(15))
    vectors = federation.vectors()
    masking = [p for p in range(15) if p not in (3, 9)]
    known = closure_of(federation, 2, vectors, masking=masking, colluders=(0, 5))
    honest = [p for p in masking if p not in (0, 5)]
    ((clients, total),) = known.learnt()
    assert clients == set(honest)
    assert total.tolist() == vectors[honest].sum(axis=0).tolist()


def test_before_anyone_answers_nothing_is_learnt_even_with_colluders(world):
    federation = world()
    federation.set_up()
    liar = Liar(federation, 1, federation.vectors())
    private = {p: federation.private[p] for p in (0, 1, 2, 3)}
    known = Closure(federation.session, 1, key_shares=federation.key_shares, private=private)
    known.saw(liar.masked)
    assert known.learnt() == []
    # The fifth colluder holds the fifth share of everything: the checker does see that.
    private[4] = federation.private[4]
    known = Closure(federation.session, 1, key_shares=federation.key_shares, private=private)
    known.saw(liar.masked)
    assert sorted(sorted(c) for c, _ in known.learnt()) == [[5], [6], [7]]


def stories_against(liar, target):
    """A story for each client, so that enough of them give up the keys of all of one's neighbours.

    A client may be told of only so many drop-outs among its neighbours; the load is spread.
    """
    world = liar.world
    parameters = world.terms.parameters
    table = world.session.roster.graph.table
    everyone = set(range(len(world)))
    gone = {place: set() for place in everyone}
    apart = {int(v): len(set(table[v]) - set(table[target])) for v in table[target]}
    for neighbour in sorted(apart, key=apart.get):
        holders = [int(w) for w in table[neighbour] if w != target]
        holders.sort(key=lambda w: (len(gone[w]), w in apart))
        for holder in holders[: parameters.threshold]:
            gone[holder].add(neighbour)
    return {place: liar.story(everyone - gone[place]) for place in sorted(everyone)}


def isolate(world, target, vectors, *, sign=None):
    """Attack one client; returns what is known after it, who was lied to, and who refused."""
    liar = Liar(world, 1, vectors)
    known = Closure(world.session, 1, key_shares=world.key_shares)
    known.saw(liar.masked)
    stories = stories_against(liar, target)
    signatures = sign(stories) if sign else {}
    refused = set()
    for place, story in stories.items():
        signers, rows = signatures.get(place, ((), NO_SIGNATURES))
        try:
            answer = liar.tell(place, story, signers=signers, signatures=rows)
        except SecureSumError:
            refused.add(place)
        else:
            known.answered(place, story, answer)
    lied_to = {place for place, story in stories.items() if story.dropped.any()}
    return known, lied_to, refused


def signatures_for(world):
    """Every client's signature of its own story, given to all who were told the same."""

    def sign(stories):
        signed = {}
        for place, story in stories.items():
            data = world.clients[place].agree(story.to_bytes())
            signed.setdefault(story.statement, {})[place] = np.frombuffer(data[-64:], np.uint8)
        found = {}
        for place, story in stories.items():
            those = signed[story.statement]
            found[place] = (tuple(sorted(those)), np.array([those[p] for p in sorted(those)]))
        return found

    return sign


def test_a_lying_server_isolates_a_client_of_a_sparse_graph_if_no_one_signs(world):
    federation = world(
        clients=100, degree=20, threshold=11, least=75, colluders=0, rounds=(1,), length=3
    )
    federation.set_up()
    vectors = federation.vectors()
    known, lied_to, refused = isolate(federation, 41, vectors)
    assert lied_to
    assert not refused
    alone = [total for clients, total in known.learnt() if clients == {41}]
    assert [total.tolist() for total in alone] == [vectors[41].tolist()]
    assert leaks([known])


SMALLER = {
    "clients": 60,
    "degree": 12,
    "threshold": 7,
    "least": 40,
    "colluders": 0,
    "rounds": (1,),
    "length": 3,
    "consistency": True,
}


def test_the_consistency_check_refuses_it(world):
    federation = world(**SMALLER)
    federation.set_up()
    known, lied_to, refused = isolate(
        federation, 41, federation.vectors(), sign=signatures_for(federation)
    )
    assert lied_to
    assert lied_to <= refused
    assert known.learnt() == []


def test_without_the_consistency_check_that_attack_would_pass(world, monkeypatch):
    monkeypatch.setattr(rules, "survivors_are_agreed", lambda *_: None)
    federation = world(**SMALLER)
    federation.set_up()
    known, lied_to, refused = isolate(federation, 4, federation.vectors())
    assert lied_to
    assert not refused
    assert leaks([known])


def test_the_complete_graph_refuses_it_by_counting(world):
    federation = world()
    federation.set_up()
    known, lied_to, refused = isolate(federation, 4, federation.vectors())
    assert lied_to
    assert lied_to == refused
    assert known.learnt() == []


def test_the_request_that_lies_is_well_formed(world):
    """The attacks above are refused for what they say, not for how it is written."""
    federation = world()
    federation.set_up()
    liar = Liar(federation, 1, federation.vectors())
    data = liar.request(0, liar.story(range(8)))
    assert Request.from_bytes(data, 8).to_bytes() == data
    assert federation.clients[0].unmask(data)
