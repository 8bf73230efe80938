"""The bounds are those they are said to be, and a sparse graph stays whole whoever is taken out."""

import math
import random

import numpy as np
import pytest
from scipy import stats

from tests.release.secure_sum.closure import Closure
from tests.release.secure_sum.world import Liar
from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.bounds import admissible_thresholds
from unsilent.release.secure_sum.graph import neighbours
from unsilent.release.secure_sum.parameters import find_parameters


@pytest.mark.parametrize(
    ("clients", "lowest", "highest"), [(10, 2, 7), (20, 3, 15), (50, 6, 39), (100, 11, 80)]
)
def test_thresholds_where_all_are_neighbours(clients, lowest, highest):
    found = admissible_thresholds(clients, clients - 1, 0.1, 0.1)
    assert (found[0], found[-1]) == (lowest, highest)


@pytest.mark.parametrize(
    ("clients", "degree", "collusion", "dropout", "exchanges"),
    [
        (1000, 72, 0.1, 0.1, 2),
        (1000, 120, 0.1, 0.1, 3),
        (300, 80, 0.2, 0.05, 2),
        (5000, 60, 0, 0.1, 2),
    ],
)
def test_the_bounds_are_those_of_the_hypergeometric(clients, degree, collusion, dropout, exchanges):
    """Each threshold against scipy's tails, which are computed another way."""
    colluders, answering = round(collusion * clients), clients
    for _ in range(exchanges):
        answering -= math.ceil(dropout * answering)
    thresholds = np.arange(2, degree + 1)
    leak = stats.hypergeom.sf(thresholds - 1, clients - 1, colluders, degree) * clients
    loss = stats.hypergeom.cdf(thresholds - 1, clients - 1, answering - 1, degree) * clients
    good = thresholds[(leak <= 2.0**-41) & (loss <= 2.0**-30)]
    found = admissible_thresholds(clients, degree, collusion, dropout, exchanges=exchanges)
    assert list(found) == list(good)
    assert len(good) > 0


def ring_of(table):
    """The clients in the order of the ring: beside each is the one with most of its neighbours."""
    rows = [set(map(int, row)) for row in table]
    order = [0, max(rows[0], key=lambda v: (len(rows[0] & rows[v]), v))]
    while len(order) < len(rows):
        last, seen = order[-1], set(order)
        order.append(max(rows[last] - seen, key=lambda v: len(rows[last] & rows[v])))
    return order


def after_two_gaps(world, threshold):
    """All are told the same, signed by none: two gaps of half a degree in a ring of 24."""
    federation = world(
        clients=24, degree=8, threshold=threshold, least=16, colluders=0, rounds=(1,), length=3
    )
    federation.set_up()
    vectors = federation.vectors()
    liar = Liar(federation, 1, vectors)
    known = Closure(federation.session, 1, key_shares=federation.key_shares)
    known.saw(liar.masked)
    ring = ring_of(federation.session.roster.graph.table.tolist())
    gone = {*ring[:4], *ring[12:16]}
    story = liar.story(set(range(24)) - gone)
    for place in set(range(24)) - gone:
        try:
            known.answered(place, story, liar.tell(place, story))
        except SecureSumError:
            continue
    return sorted(len(members) for members, _ in known.learnt())


def test_a_ring_with_two_gaps_gives_two_sums(world):
    """Though all clients agree on who dropped out, and enough are left."""
    assert after_two_gaps(world, threshold=4) == [8, 8]


def test_with_more_shares_than_half_the_neighbours_it_gives_none(world):
    """The clients beside a gap have too few neighbours left for their secrets."""
    assert after_two_gaps(world, threshold=5) == []


def gap_is_possible(clients, degree, threshold, spare, colluders, seed):
    """Whether a server can take out so many clients that it opens the sum of a part of the ring."""
    chance, half = random.Random(seed), degree // 2
    ring = ring_of(neighbours(bytes([seed]), clients, degree))
    side = set(chance.sample(range(clients), colluders))
    inside = [
        sum(ring[(start + step) % clients] in side for step in range(half))
        for start in range(clients)
    ]
    # Each colluder in a gap is one client less to take out, and one share more beside it.
    fit = [half - count for count in inside if threshold <= half + count]
    return len(fit) > half and sum(sorted(fit)[:2]) <= spare


@pytest.mark.parametrize(
    ("clients", "collusion", "dropout"), [(200, 0.1, 0.1), (400, 0.2, 0.05), (1000, 0.05, 0.1)]
)
def test_no_gap_is_possible_with_a_plans_parameters(clients, collusion, dropout):
    spare, colluders = round(clients * dropout), round(clients * collusion)
    degree, threshold = find_parameters(clients, collusion, dropout, consistency=True)
    # A graph of a thousand takes as long to draw as many of fewer.
    found = [
        gap_is_possible(clients, degree, threshold, spare, colluders, seed)
        for seed in range(2 if clients == 1000 else 10)
    ]
    assert not any(found)


def test_gaps_are_possible_where_drop_outs_are_taken_for_chance():
    """What was enough for random drop-outs: 92 neighbours of a thousand clients."""
    thresholds = admissible_thresholds(1000, 92, 0.1, 0.1, exchanges=3)
    assert thresholds
    assert gap_is_possible(1000, 92, thresholds[-1], 100, 100, 1)
    assert not admissible_thresholds(1000, 92, 0.1, 0.1, exchanges=3, spare=100)


def test_a_graph_is_whole_if_too_few_can_be_taken_or_a_gap_shows():
    few = admissible_thresholds(1000, 138, 0.05, 0.1, exchanges=3, spare=100)
    assert few[0] <= 138 // 2
    many = admissible_thresholds(3000, 190, 0.05, 0.05, exchanges=3, spare=120)
    more = admissible_thresholds(3000, 190, 0.05, 0.05, exchanges=3, spare=190)
    assert many[0] <= 190 // 2 < more[0]
    assert more[-1] == many[-1]
