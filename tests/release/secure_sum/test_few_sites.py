"""Three and four sites spare one that is late, wherever in a round that is, as their plan says."""

import pytest

from tests.release.secure_sum.world import Liar
from unsilent.errors import PlanError, SecureSumError
from unsilent.plan import parse_plan
from unsilent.release.secure_sum import Terms
from unsilent.release.secure_sum.parameters import one_late, parameters_of

SPARES = {3: 0.33, 4: 0.25, 5: 0.2}


def plan(clients, dropout=0.0, collusion=0.0, unit="none", min_cohort=2, **privacy):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 3},
            "monitor": {"min_cohort": min_cohort},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"unit": unit, "dropout": dropout, "collusion": collusion, **privacy},
        }
    )


@pytest.mark.parametrize("unit", ["none", "client"])
@pytest.mark.parametrize("clients", SPARES)
@pytest.mark.parametrize("late", ["vectors", "signatures", "shares", "none"])
def test_a_round_stands_without_one_site(world, unit, clients, late):
    one = world(terms=Terms.from_plan(plan(clients, SPARES[clients], unit=unit)))
    one.set_up()
    for lost in range(clients):
        number = 1 + lost % 3
        if number == 1 and lost:
            one = world(terms=Terms.from_plan(plan(clients, SPARES[clients], unit=unit)))
            one.set_up()
        rest = [place for place in range(clients) if place != lost or late == "none"]
        everyone = list(range(clients))
        stages = {
            "vectors": (rest, rest, rest),
            "signatures": (everyone, rest, rest),
            "shares": (everyone, everyone, rest),
            "none": (everyone, everyone, everyone),
        }[late]
        vectors = one.vectors(lost)
        names = ("masking", "agreeing", "answering")
        done = one.round(number, vectors, **dict(zip(names, stages, strict=True)))
        total, survivors = done.total()
        assert total.tolist() == vectors[stages[0]].sum(axis=0).tolist()
        assert len(survivors) == len(stages[0])


@pytest.mark.parametrize("clients", [3, 4])
def test_without_a_drop_out_planned_one_late_site_ends_its_round_and_nothing_hangs(world, clients):
    one = world(terms=Terms.from_plan(plan(clients)))
    one.set_up()
    with pytest.raises(SecureSumError):
        one.round(1, one.vectors(), masking=range(1, clients)).total()


def test_of_three_a_second_late_one_is_too_many(world):
    one = world(terms=Terms.from_plan(plan(3, SPARES[3])))
    one.set_up()
    with pytest.raises(SecureSumError):
        one.round(1, one.vectors(), masking=[0]).total()


@pytest.mark.parametrize("clients", SPARES)
def test_the_plan_says_beforehand_what_would_spare_one(clients):
    assert one_late(plan(clients)) == SPARES[clients]
    assert parameters_of(plan(clients, SPARES[clients])).least == clients - 1
    assert parameters_of(plan(clients)).least == clients


def test_two_sites_spare_none():
    assert one_late(plan(2)) is None


def test_of_three_none_can_be_spared_beside_one_that_sides_with_the_server():
    assert one_late(plan(3, collusion=0.33)) is None
    with pytest.raises(PlanError, match="no secure sum of 3 clients"):
        parameters_of(plan(3, 0.33, 0.33, unit="client"))


def test_no_exact_sum_holds_a_single_honest_client():
    with pytest.raises(PlanError, match="a single client that is not on the server's side"):
        parameters_of(plan(3, collusion=0.5))
    assert parameters_of(plan(4, 0.25, 0.25)).smallest_sum == 2


def test_a_server_that_lies_to_three_gets_one_sum_of_two(world):
    """Each of two stories needs two signatures, and no client signs both."""
    one = world(terms=Terms.from_plan(plan(3, SPARES[3])))
    one.set_up()
    liar = Liar(one, 1, one.vectors())
    first, second = liar.story([0, 1]), liar.story([1, 2])
    assert parameters_of(plan(3, SPARES[3])).consistency
    refused = 0
    for place, story in ((0, first), (1, first), (1, second), (2, second)):
        try:
            # Without the others' signatures nothing is answered at all.
            liar.tell(place, story)
        except SecureSumError:
            refused += 1
    assert refused == 4
