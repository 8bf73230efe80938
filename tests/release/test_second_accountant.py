"""Epsilon against other accountants, and both adjacencies against the vectors themselves."""

import math

import dp_accounting
import numpy as np
import opendp.prelude as opendp
import pytest
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.plan import parse_plan
from unsilent.release.accountant import PrivacyEvent, epsilon, noise_multiplier
from unsilent.release.layout import Layout
from unsilent.release.noise import planned_event, sensitivity

opendp.enable_features("contrib")

# (releases, epsilon, exact sigma, sigma by Renyi accounting), at delta 1e-5 in units of C.
TABLE = [
    (10, 1.0, 11.8, 12.8),
    (10, 2.0, 6.30, 6.80),
    (10, 8.0, 1.90, 2.02),
    (50, 1.0, 26.4, 28.6),
    (50, 2.0, 14.1, 15.2),
    (50, 8.0, 4.24, 4.51),
]


def events(sigma, releases, sensitivity=1.0):
    return [
        PrivacyEvent("discrete_gaussian", r, sensitivity, sigma) for r in range(1, releases + 1)
    ]


def renyi(sigma, releases, delta=1e-5):
    accountant = RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(sigma), releases)
    return accountant.get_epsilon(delta)


@pytest.mark.parametrize(("releases", "budget", "exact", "by_renyi"), TABLE)
def test_the_table_of_noise_by_two_accountants(releases, budget, exact, by_renyi):
    assert noise_multiplier(budget, 1e-5, releases) == pytest.approx(exact, rel=2.5e-3)
    assert epsilon(events(exact, releases), 1e-5) == pytest.approx(budget, rel=6e-3)
    assert renyi(by_renyi, releases) == pytest.approx(budget, rel=1.2e-2)
    assert noise_multiplier(budget, 1e-5, releases) < by_renyi


@pytest.mark.parametrize(("releases", "sigma", "delta"), [(1, 0.8, 1e-6), (3, 2.5, 1e-5)])
def test_privacy_loss_distributions_enclose_it_and_renyi_lies_above(releases, sigma, delta):
    found = epsilon(events(sigma, releases), delta)
    bounds = []
    for pessimistic in (False, True):
        one = pld.from_gaussian_mechanism(
            sigma, pessimistic_estimate=pessimistic, value_discretization_interval=1e-3
        )
        bounds.append(one.self_compose(releases).get_epsilon_for_delta(delta))
    assert bounds[0] - 1e-6 <= found <= bounds[1] + 1e-6
    assert bounds[1] - bounds[0] < 0.02
    assert found <= renyi(sigma, releases, delta) <= 1.25 * found


@pytest.mark.parametrize(("sigma", "shift"), [(1024.0, 1024.0), (2048.0, 1024.0), (500.0, 1500.0)])
def test_opendps_accountant_of_the_discrete_mechanism_lies_above_and_near(sigma, shift):
    """OpenDP goes by concentrated DP, an upper bound: 4 to 25% above the exact figure."""
    domain = opendp.vector_domain(opendp.atom_domain(T="i64"), size=3)
    discrete = opendp.m.make_gaussian(domain, opendp.l2_distance(T=float), sigma)
    assert discrete.map(shift) == pytest.approx((shift / sigma) ** 2 / 2)
    theirs = opendp.c.make_zCDP_to_approxDP(discrete).map(shift).epsilon(1e-5)
    ours = epsilon([PrivacyEvent("discrete_gaussian", 1, shift, sigma)], 1e-5)
    assert ours <= theirs <= 1.25 * ours


def test_opendp_composes_rounds_as_squares_add():
    shift, sigmas = 1024.0, (3000.0, 4000.0, 5000.0)
    rho = sum((shift / sigma) ** 2 / 2 for sigma in sigmas)
    made = [PrivacyEvent("discrete_gaussian", 1, shift, sigma) for sigma in sigmas]
    equal = [PrivacyEvent("discrete_gaussian", 1, math.sqrt(2 * rho), 1.0)]
    assert epsilon(made, 1e-5) == pytest.approx(epsilon(equal, 1e-5), rel=1e-9)
    domain = opendp.vector_domain(opendp.atom_domain(T="i64"), size=3)
    parts = [opendp.m.make_gaussian(domain, opendp.l2_distance(T=float), s) for s in sigmas]
    composed = opendp.c.make_composition(parts)
    assert composed.map(shift) == pytest.approx(rho, rel=1e-9)


def plan(adjacency="zero-out", population="enrolled"):
    return parse_plan(
        {
            "federation": {"clients": 30, "rounds": 2},
            "monitor": {"population": population},
            "modes": {
                "amplified_bias": {"tolerance": 0.1},
                "alignment_erosion": {"tolerance": 0.1},
            },
            "privacy": {"epsilon": 2.0, "adjacency": adjacency},
        }
    )


values = st.lists(st.floats(-50, 50), min_size=8, max_size=8)


@settings(deadline=None)
@given(values, values, st.sampled_from(["enrolled", "like-these"]))
def test_both_adjacencies_bound_what_a_client_changes(first, second, population):
    out, swapped = plan("zero-out", population), plan("replace-one", population)
    layout = Layout.from_plan(out)
    a, b = (
        layout.encode(dict(zip(layout.inputs, drawn, strict=False)))
        for drawn in (first[: len(layout.inputs)], second[: len(layout.inputs)])
    )
    assert np.sum(a.astype(object) ** 2) <= sensitivity(out) ** 2
    assert np.sum((a - b).astype(object) ** 2) <= sensitivity(swapped) ** 2


def test_both_bounds_are_nearly_met():
    out, swapped = plan("zero-out"), plan("replace-one")
    layout = Layout.from_plan(out)
    far = layout.encode(dict.fromkeys(layout.inputs, 1e6))
    assert np.linalg.norm(far) > 0.995 * sensitivity(out)
    # What is said of clipping and of the model is never negative, so the clients furthest apart
    # are not clipped and showed their model.
    odd = (".spread", "model.")
    names = [name for name in layout.inputs if not any(part in name for part in odd)]
    edge = {name: layout.coordinates[layout.index(name)].clip for name in names}
    size = math.hypot(*(layout.coordinates[layout.index(name)].weight for name in names))
    zero = dict.fromkeys(layout.inputs, 0.0)
    high = layout.encode(zero | {name: 0.995 * clip / size for name, clip in edge.items()})
    low = layout.encode(zero | {name: -0.995 * clip / size for name, clip in edge.items()})
    assert np.linalg.norm(high - low) > 0.98 * sensitivity(swapped)


def test_a_replaced_client_costs_what_the_doubled_shift_costs():
    """Planned for the same epsilon, both adjacencies spend it; the noise differs twofold."""
    for adjacency in ("zero-out", "replace-one"):
        made = [planned_event(plan(adjacency), r) for r in (1, 2)]
        assert epsilon(made, 1e-5) == pytest.approx(2.0, rel=1e-3)
    event = planned_event(plan("zero-out"), 1)
    doubled = PrivacyEvent("discrete_gaussian", 1, 2 * event.sensitivity, event.sigma)
    assert epsilon([doubled], 1e-5) > 2 * epsilon([event], 1e-5)
