"""The contract says how many clients would have to side with the server to see one vector."""

import pytest

from unsilent.contract import contract
from unsilent.contract.disclosure import Unmasking
from unsilent.errors import PlanError
from unsilent.plan import parse_plan
from unsilent.release import Layout
from unsilent.release.noise import needed_releases, smallest_cohort
from unsilent.release.secure_sum import parameters_of
from unsilent.release.secure_sum.draw import number_of_drawers


def plan(clients=30, monitor=None, **privacy):
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 2},
            "monitor": monitor or {"min_cohort": 5},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, "aggregation": "secure-sum", **privacy},
        }
    )


def text(of):
    return " ".join(contract(of).text().split())


def test_plain_aggregation_has_nothing_to_unmask():
    of = plan(aggregation="plain")
    assert Unmasking.of(of) is None
    assert contract(of).to_json()["secure_sum"] is None


def test_the_figures_are_those_of_the_protocol():
    of = plan(dropout=0.1, collusion=0.1)
    found, own = Unmasking.of(of), parameters_of(of)
    assert found is not None
    assert (found.neighbours, found.threshold, found.least) == (29, own.threshold, own.least)
    assert found.colluders == own.colluders == 3
    assert found.needed_curious == own.threshold > found.colluders
    # Two stories are signed, by 30 - c honest clients once and by c others twice, and both of a
    # client's secrets known, from 29 - c honest shares and 2 c others.
    assert found.signed
    assert found.needed_lying == max(2 * own.quorum - 30, 2 * own.threshold - 29)
    assert found.needed_lying > found.colluders
    said = text(of)
    assert f"To see one client's vector, {own.threshold} of the other clients" in said
    assert f"together with up to {own.colluders} clients on its side" in said
    assert f"no vector is seen before {found.needed_lying} do" in said
    assert f"at least {needed_releases(of)} of them, and nothing else." in said
    assert f"with 3 clients on its side it gets no sum of fewer than {own.least - 3} honest" in said
    assert f"{own.stay} clients must stay until the sum is open" in said


def test_a_plan_that_withstands_lies_needs_no_signatures():
    of = plan(clients=16, dropout=0.1)
    found, own = Unmasking.of(of), parameters_of(of)
    assert found is not None
    assert not found.signed
    # 15 neighbours, c of them in league: 15 - c honest shares and 2 c others make 2 t.
    assert found.needed_lying == 2 * own.threshold - 15
    assert found.smallest == smallest_cohort(of) == 14
    assert "no two stories find enough shares" in text(of)
    assert "by itself it gets no sum of fewer than 14 honest clients." in text(of)


def test_where_no_one_may_be_lost_there_is_one_story():
    found = Unmasking.of(plan(clients=5))
    assert found is not None
    assert found.everyone
    assert found.needed_lying == found.needed_curious == 3
    assert "all clients are in the sum, or there is none" in text(plan(clients=5))


def test_a_smaller_sum_that_lies_can_give_is_said_and_paid_for():
    sizes = {"clients": 64, "dropout": 0.2, "collusion": 0.1}
    off = plan(**sizes, secure_sum={"consistency": "off"})
    found = Unmasking.of(off)
    assert found is not None
    assert found.smallest == contract(off).smallest_cohort < smallest_cohort(plan(**sizes)) == 44
    said = text(off)
    assert "51 of them, and nothing else, as long as it tells all of them the same." in said
    assert (
        f"no sum of fewer than {found.smallest} honest clients, which the noise counts on" in said
    )
    assert "with signatures these are 44 (privacy.secure_sum.consistency)" in said
    assert f"counts on the noise of {found.smallest} of 64 clients" in said
    assert "as long as it tells" not in text(plan(**sizes))


def test_a_sum_of_two_hides_nothing_from_the_other_one():
    of = plan(clients=10, monitor={"min_cohort": 2}, dropout=0.6, collusion=0.2)
    with pytest.raises(PlanError):
        contract(of)
    small = Unmasking.of(plan(clients=3, monitor={"min_cohort": 2}))
    assert small is not None
    assert small.needed_curious <= small.least - 1


def test_a_sparse_graph_without_signatures_is_refused_where_clients_may_be_lost():
    sizes = {"clients": 200, "dropout": 0.05, "collusion": 0.05}
    off = plan(**sizes, secure_sum={"consistency": "off"})
    with pytest.raises(PlanError, match="can see single vectors") as refused:
        contract(off)
    assert refused.value.where == "privacy.secure_sum.consistency"
    for choice in ("on", "auto"):
        signed = plan(**sizes, secure_sum={"consistency": choice})
        found = Unmasking.of(signed)
        assert found is not None
        assert not found.complete
        assert found.needed_lying > found.colluders
        assert "clients sign who is in the sum" in text(signed)
        assert "but for a chance of 2^-40" in text(signed)
        assert found.drawers == number_of_drawers(parameters_of(signed))
        assert f"values that {found.drawers} clients commit to first" in text(signed)
    assert "commit to first" not in text(plan(dropout=0.1))


def test_collusion_that_was_not_planned_for_is_said_to_weaken_the_noise():
    assert "privacy.collusion is 0" in text(plan())
    assert "privacy.collusion is 0" not in text(plan(collusion=0.1, dropout=0.1))


def test_keys_are_pinned_or_said_not_to_be():
    keys = [f"{number:064x}" for number in range(1, 31)]
    assert "`unsilent privacy key` prints" in text(plan())
    pinned = text(plan(secure_sum={"keys": keys}))
    assert "any other is refused" in pinned
    assert "first use" not in pinned


def test_lies_sybils_and_restored_folders_are_said_not_to_be_protected_from():
    said = text(plan())
    assert "can add anything to the sum" in said
    assert "Proofs of range" in said
    assert "Clients that a server makes up" in said
    assert "forgets what it has spent" in said
    assert "Clients that a server makes up" not in text(plan(aggregation="plain"))


def test_the_bytes_are_those_of_a_masked_vector():
    of = plan()
    length = len(Layout.from_plan(of).coordinates)
    found = Unmasking.of(of)
    assert found is not None
    terms = contract(of)
    # Four bytes a number and 60 for each neighbour's box; the rest is a short head.
    assert 0 < terms.release_bytes - 4 * length - 60 * found.neighbours < 100
    assert "plus noise, masked." in text(of)


def test_the_record_as_unit_states_its_condition():
    said = text(plan(unit="record"))
    assert "given the adapters, which have seen the training records" in said
    assert "One record changes the sum by at most" in said
    assert "The other numbers are exact." in said
