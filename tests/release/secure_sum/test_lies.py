"""No lie gives a smaller sum than is counted, and some lie gives just that one."""

import itertools
import random

import pytest

from tests.release.secure_sum.lie_model import Federation, Told, strongest
from unsilent.errors import PlanError
from unsilent.plan import parse_plan
from unsilent.release.noise import planned_cohort, smallest_cohort
from unsilent.release.secure_sum.lies import smallest_sum
from unsilent.release.secure_sum.parameters import parameters_of

FEW = [
    Federation(clients, colluders, threshold, least)
    for clients in range(3, 8)
    for colluders in range(clients - 2)
    for threshold in range(colluders + 1, clients)
    for least in range(max(2, colluders + 2), clients + 1)
]


def counted(f):
    return smallest_sum(f.clients, f.colluders, f.threshold, f.least)


def smallest(f, told):
    return min((one.bit_count() for one in f.sums(told)), default=f.honest)


def lies(f, most):
    """Each client's stories; None where there are too many to try all."""
    found = [f.stories(place) for place in range(f.honest)]
    number = 1
    for stories in found:
        number *= len(stories)
    return found if 0 < number <= most else None


@pytest.mark.parametrize(
    ("most", "federations"), [(3_000, 102), pytest.param(70_000, 117, marks=pytest.mark.long)]
)
def test_all_lies_to_a_few_clients(most, federations):
    """The smallest sum of every lie there is, is the one that is counted."""
    tried = 0
    for f in FEW:
        stories = lies(f, most)
        if stories is None:
            continue
        tried += 1
        assert min(smallest(f, told) for told in itertools.product(*stories)) == counted(f), f
    assert tried == federations


@pytest.mark.parametrize("clients", [8, 12, 16, 24, 50, 64, 100, 128])
def test_the_counted_sum_is_had_by_some_lie(clients):
    """So it is not counted too small, and no plan is made to sign for nothing.

    Nor too large: the same lies made for one client less leave no smaller one.
    """
    for colluders, spare in itertools.product((0, clients // 10), (1, 2, clients // 10)):
        majority = (clients - 1 + colluders) // 2 + 1
        for threshold in {majority, majority + 1, (majority + clients) // 2}:
            f = Federation(clients, colluders, threshold, clients - spare)
            size = counted(f)
            told = [strongest(f, size, m) for m in range(size + colluders, clients + 1)]
            assert size == min(smallest(f, one) for one in told if one is not None), f
            for m in range(max(1, size - 1) + colluders, clients + 1):
                one = strongest(f, max(1, size - 1), m)
                assert one is None or smallest(f, one) >= size, f


def changed(f, told, chance):
    """The lies, with another story for one or a few clients."""
    told = list(told)
    for place in chance.sample(range(f.honest), chance.randint(1, 3)):
        one = told[place]
        gone, members = one.gone, one.members
        for _ in range(chance.randint(1, 3)):
            gone ^= 1 << chance.randrange(f.honest)
        if chance.random() < 0.2:
            members = chance.choice(told).members
        if chance.random() < 0.05:
            members ^= 1 << chance.randrange(f.honest)
        other = Told(members | 1 << place, gone & members & ~(1 << place))
        if f.answers(place, other):
            told[place] = other
    return told


@pytest.mark.parametrize("clients", [6, 9, 16, 24, 64, pytest.param(128, marks=pytest.mark.long)])
def test_no_lie_that_a_search_finds_gives_less(clients):
    """From the strongest lies known and from the truth, changed at random for the better."""
    chance = random.Random(clients)
    steps = 6000 // clients
    for colluders, spare in itertools.product((0, -(-clients // 10)), (1, clients // 5)):
        majority = (clients - 1 + colluders) // 2 + 1
        f = Federation(clients, colluders, majority + chance.randint(0, 2), clients - spare)
        everyone = (1 << clients) - 1
        starts = [[Told(everyone, 0)] * f.honest]
        for members in range(f.least, clients + 1):
            told = strongest(f, counted(f), members)
            starts += [told] if told else []
        for told in starts:
            best, size = told, smallest(f, told)
            for _ in range(steps):
                other = changed(f, best, chance)
                found = smallest(f, other)
                assert found >= counted(f), f
                if found <= size:
                    best, size = other, found


def plan_of(clients, dropout, collusion, consistency="auto"):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 1},
            "monitor": {"rounds": [1], "min_cohort": 2},
            "privacy": {
                "dropout": dropout,
                "collusion": collusion,
                "secure_sum": {"consistency": consistency},
            },
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
        }
    )


@pytest.mark.parametrize("consistency", ["auto", "on", "off"])
def test_the_noise_of_every_plan_counts_on_no_more_than_the_smallest_sum(consistency):
    accepted = 0
    for clients in range(3, 129):
        for dropout, collusion in itertools.product((0, 0.05, 0.1, 0.2, 0.3), (0, 0.1, 0.2)):
            plan = plan_of(clients, dropout, collusion, consistency)
            try:
                found = parameters_of(plan)
            except PlanError:
                continue
            accepted += 1
            honest = found.least - found.colluders
            if not found.consistency and found.least < clients:
                honest = min(
                    honest, smallest_sum(clients, found.colluders, found.threshold, found.least)
                )
            assert smallest_cohort(plan) <= honest == found.smallest_sum
            assert 1 <= smallest_cohort(plan) <= planned_cohort(plan)
            assert consistency == "off" or smallest_cohort(plan) == planned_cohort(plan)
            # Two stories never find enough signatures.
            assert 2 * found.quorum > clients + found.colluders
    assert accepted > 800


def test_more_colluders_never_make_it_larger():
    for clients, least in ((7, 6), (16, 14), (40, 33)):
        for threshold in range(2, clients):
            sizes = [smallest_sum(clients, c, threshold, least) for c in range(clients - 1)]
            assert sizes == sorted(sizes, reverse=True), (clients, least, threshold)
