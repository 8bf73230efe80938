"""What training recorded is worked out again, and a record that lies lets nothing go."""

from functools import cache

import dp_accounting
import pytest
from dp_accounting.pld import PLDAccountant

from unsilent.errors import InputError
from unsilent.plan import parse_plan
from unsilent.release.training_record import TrainingRecord, check_training

HISTORY = [(1.1, 0.02, 500)]
"""Epsilon 2.35 by losses and 2.69 by Renyi's bound, at delta 1e-5."""
PHASE = {"noise_multiplier": 1.1, "sample_rate": 0.02, "steps": 500}


def plan(epsilon=3.0, **training):
    return parse_plan(
        {
            "federation": {"clients": 12},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"unit": "record", "training": {"epsilon": epsilon, **training}},
        }
    )


@cache
def by_another_hand(delta=1e-5):
    accountant = PLDAccountant()
    step = dp_accounting.GaussianDpEvent(1.1)
    accountant.compose(dp_accounting.PoissonSampledDpEvent(0.02, step), 500)
    return accountant.get_epsilon(delta)


@pytest.mark.parametrize(
    "given", [HISTORY, {"phases": [PHASE]}, [(1.1, 0.02, 200), (1.1, 0.02, 300)]]
)
def test_every_form_of_the_same_record_costs_the_same(given):
    record = TrainingRecord.of(given)
    true = by_another_hand()
    tight = record.epsilon(1e-5, 0.9 * true)
    assert tight == pytest.approx(true, rel=1e-6)
    # Where a looser bound is enough it is enough, and it is never less.
    assert true <= record.epsilon(1e-5, 8.0) <= 1.2 * true


def test_training_that_keeps_its_word_lets_a_release_go():
    check_training(plan(), HISTORY)
    check_training(plan(epsilon=by_another_hand() * 1.001), HISTORY)
    check_training(plan(), {"phases": [PHASE], "clip": 1.0, "epsilon": 2.4, "delta": 1e-5})


def test_a_plan_that_declares_nothing_asks_for_nothing():
    of = parse_plan(
        {
            "federation": {"clients": 12},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"unit": "record"},
        }
    )
    check_training(of, None)


def test_no_record_lets_nothing_go():
    with pytest.raises(InputError, match="no record of this client's training"):
        check_training(plan(), None)


@pytest.mark.parametrize(
    "history",
    [
        [(1.1, 0.02, 5000)],
        [(0.6, 0.02, 500)],
        [(1.1, 0.2, 500)],
        [*HISTORY, (0.001, 1.0, 1)],
        [*HISTORY] * 3,
    ],
)
def test_more_than_declared_lets_nothing_go(history):
    with pytest.raises(InputError, match=r"more than the 3 that the plan declares\. Nothing"):
        check_training(plan(), history)


def test_a_record_that_claims_less_than_its_own_figures_is_a_lie():
    lie = {"phases": [PHASE], "epsilon": 1.0, "delta": 1e-5}
    with pytest.raises(InputError, match="claims epsilon 1 at delta 1e-05, and its own noise"):
        check_training(plan(), lie)


def test_a_smaller_delta_costs_more():
    with pytest.raises(InputError, match="at delta 1e-12, more than"):
        check_training(plan(delta=1e-12), HISTORY)


@pytest.mark.parametrize(
    "given",
    [
        "private",
        7,
        {},
        [],
        {"phases": []},
        {"phases": [PHASE], "mechanism": "shuffling"},
        {"phases": [PHASE], "epsilon": 1.0},
        {"phases": [PHASE], "secret": 1},
        {"phases": [{**PHASE, "noise_multiplier": 0}]},
        {"phases": [{**PHASE, "noise_multiplier": float("nan")}]},
        {"phases": [{**PHASE, "noise_multiplier": float("inf")}]},
        {"phases": [{**PHASE, "sample_rate": 1.5}]},
        {"phases": [{**PHASE, "steps": 2.5}]},
        {"phases": [{**PHASE, "steps": True}]},
        {"phases": [{**PHASE, "steps": 10**18}]},
        [(1.1, 0.02)],
        [(1.1, 0.02, "many")],
    ],
)
def test_what_is_no_record_is_refused_in_one_line(given):
    with pytest.raises(InputError, match="not a record of training") as caught:
        check_training(plan(), given)
    assert "\n" not in str(caught.value)
