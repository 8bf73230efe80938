"""The audit's own figures agree with others' accountants, and with the code they are to check."""

import math

import dp_accounting
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from unsilent.audit import claim
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.noise import smallest_cohort
from unsilent.release.record_unit import record_sensitivity


def plan(clients=30, held_out=60, population="enrolled", participation=1.0, **privacy):
    return parse_plan(
        {
            "federation": {
                "clients": clients,
                "held_out": held_out,
                "participation": participation,
            },
            "monitor": {"population": population, "min_cohort": 2},
            "modes": {
                "amplified_bias": {"tolerance": 0.1},
                "fairness_collapse": {"tolerance": 0.2, "clip": 0.8},
            },
            "privacy": privacy,
        }
    )


@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 1e-6), (2.0, 1e-5), (8.0, 1e-5)])
def test_dp_accountings_own_accountants_agree(epsilon, delta):
    of = plan(epsilon=epsilon, delta=delta)
    event = dp_accounting.GaussianDpEvent(1 / claim.mu_of_all(of))
    by_losses, by_renyi = PLDAccountant(), RdpAccountant()
    by_losses.compose(event)
    by_renyi.compose(event)
    assert by_losses.get_epsilon(delta) == pytest.approx(epsilon, rel=1e-3)
    assert epsilon <= by_renyi.get_epsilon(delta) <= 1.3 * epsilon


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 30.0, 1000.0])
def test_epsilon_and_mu_are_each_others_inverse(epsilon):
    of = plan(epsilon=epsilon)
    assert claim.epsilon_of(claim.mu_of_all(of), 1e-5) == pytest.approx(epsilon, rel=1e-9)
    assert claim.mu_of_one(of) * math.sqrt(len(of.monitoring_rounds)) == pytest.approx(
        claim.mu_of_all(of)
    )


def test_nothing_spent_costs_nothing():
    assert claim.epsilon_of(0.0, 1e-5) == 0.0
    assert claim.epsilon_of(1e-9, 1e-5) == 0.0


@pytest.mark.parametrize(
    ("clients", "participation", "dropout", "collusion", "floor", "siding"),
    [
        (100, 1.0, 0.1, 0.1, 80, 10),
        (10, 1.0, 0.1, 0.2, 7, 2),
        (30, 0.5, 0.0, 0.25, 11, 4),
        (7, 1.0, 0.3, 0.3, 2, 3),
        (12, 1.0, 0.0, 0.0, 12, 0),
    ],
)
def test_honest_floor_by_hand(clients, participation, dropout, collusion, floor, siding):
    of = plan(clients, participation=participation, dropout=dropout, collusion=collusion)
    assert claim.honest_floor(of) == floor == smallest_cohort(of)
    assert claim.colluders(of) == siding


def test_a_client_moves_the_sum_by_the_clip_and_twice_if_replaced():
    assert claim.reach(plan()) == 1024
    assert claim.reach(plan(adjacency="replace-one")) == 2048
    assert claim.reach(plan(clip=0.5)) == 512


@pytest.mark.parametrize("population", ["enrolled", "like-these"])
@pytest.mark.parametrize("held_out", [10, 60, 4000])
def test_a_record_moves_the_sum_as_far_as_the_code_counts(population, held_out):
    of = plan(held_out=held_out, population=population, unit="record")
    assert claim.reach(of) == pytest.approx(record_sensitivity(of), rel=1e-6)
    layout = Layout.from_plan(of)
    first, second = claim.record_worlds(of, layout, layout.names)
    moved = layout.encode(first) - layout.encode(second)
    assert 0.5 * claim.reach(of) < math.hypot(*moved) <= claim.reach(of)


def test_a_record_moves_no_mode_on_public_probes():
    of = plan(unit="record")
    assert claim.record_moves(of, "SF-1") == 0.0
    assert claim.record_moves(of, "SF-3") == 4 / 60
    assert claim.record_moves(of, "SF-3.spread") == 1.2 / 60
    assert claim.record_moves(of, "system.accuracy") == pytest.approx(2 / 60)
