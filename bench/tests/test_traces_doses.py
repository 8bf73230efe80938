"""By the truth of the shipped traces: look-alikes are healthy in every mode, doses as said."""

from functools import lru_cache

import numpy as np
import pytest
from unsilent_bench.fleet.recording import SIZES, fleet_plan
from unsilent_bench.lm.recording import lm_plan
from unsilent_bench.scenarios import MAIN, SCENARIOS
from unsilent_bench.traces import Federation, read
from unsilent_bench.traces.federation import CODES

from unsilent.plan import MonitoringPlan
from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import by_code

PLAN, FEW = fleet_plan(), lm_plan()
LEAST_SEEDS = 20
"""Of each main scenario and dose with 128 clients."""


@lru_cache(maxsize=1)
def shipped() -> tuple[Federation, ...]:
    return tuple(
        each
        for each in read().federations
        if each.scenario in MAIN and (each.training, each.personalization) == ("plain", USUAL)
    )


def cell(scenario: str, dose: str, clients: int = SIZES[0]) -> list[Federation]:
    return [e for e in shipped() if (e.scenario, e.dose, e.clients) == (scenario, dose, clients)]


def tolerance(code: str, plan: MonitoringPlan = PLAN) -> float:
    mode = plan.mode(by_code(code).mode)
    assert mode is not None
    return mode.tolerance


def over_rounds(each: Federation, code: str) -> tuple[float, float]:
    """Mean truth of the monitored rounds, and a standard error of it, with all error shared."""
    rounds = np.array(PLAN.monitoring_rounds) - 1
    place = CODES.index(code)
    return float(each.truth[rounds, place].mean()), float(each.truth_se[rounds, place].mean())


def mean_of(found: list[Federation], code: str) -> float:
    return float(np.mean([over_rounds(each, code)[0] for each in found]))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("clients", SIZES)
@pytest.mark.parametrize("scenario", MAIN)
def test_a_look_alike_is_at_most_half_a_tolerance_from_none(
    scenario: str, clients: int, code: str
) -> None:
    half = tolerance(code) / 2
    found = cell(scenario, "none", clients)
    assert found
    place = CODES.index(code)
    if len(found) > 2:
        assert mean_of(found, code) <= half
    for each in found:
        value, error = over_rounds(each, code)
        assert value <= 2 * half + 2.5 * error, each.federation
        assert each.truth[-1, place] <= 2 * half + 2.5 * each.truth_se[-1, place], each.federation
    if code == SCENARIOS[scenario].code:
        # A seed whose start adapter leans may lie beyond half a tolerance, one in twenty at most.
        beyond = [e for e in found if over_rounds(e, code)[0] > half + over_rounds(e, code)[1]]
        assert len(beyond) <= len(found) / 20


@pytest.mark.parametrize("scenario", MAIN)
def test_doses_are_as_many_tolerances_as_said(scenario: str) -> None:
    code = SCENARIOS[scenario].code
    none, mild, medium, strong = (
        mean_of(cell(scenario, dose), code) / tolerance(code)
        for dose in ("none", "mild", "medium", "strong")
    )
    assert none <= 0.5
    # Set to 1.2 to 1.5 on development seeds.
    assert 1.1 <= mild <= 1.6
    assert medium >= 1.5
    assert strong >= 1.1 * medium


@pytest.mark.parametrize("scenario", MAIN)
def test_a_language_model_is_healthy_in_the_look_alike_and_fails_by_the_strong_dose(
    scenario: str,
) -> None:
    code = SCENARIOS[scenario].code
    healthy, strong = (cell(scenario, d, FEW.federation.clients) for d in ("none", "strong"))
    assert len(healthy) == len(strong) >= 1
    for each in healthy:
        for place, name in enumerate(CODES):
            error = 2.5 * each.truth_se[-1, place]
            assert each.truth[-1, place] <= tolerance(name, FEW) / 2 + error, each.federation
    for each in strong:
        assert each.truth[-1, CODES.index(code)] >= 1.5 * tolerance(code, FEW), each.federation


@pytest.mark.parametrize("dose", ["none", "mild", "medium", "strong"])
@pytest.mark.parametrize("scenario", MAIN)
def test_each_has_enough_fresh_seeds(scenario: str, dose: str) -> None:
    found = cell(scenario, dose)
    assert len({each.seed for each in found}) >= LEAST_SEEDS
    assert {each.split for each in found} == {"fresh"}
