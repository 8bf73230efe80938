"""Sums without noise are judged like any others: nothing divides by an sd of zero."""

import numpy as np
import pytest

from unsilent.inference import judge_rounds
from unsilent.inference.power import power_table
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.release import Release

CLIENTS = 5


def plan(unit="none", control="horizon", population="enrolled", items="these", sampling="same"):
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": 4, "held_out": 100},
            "monitor": {
                "min_cohort": 2,
                "control": control,
                "population": population,
                "items": items,
            },
            "probes": {"sampling": sampling},
            "modes": {
                "amplified_bias": {"tolerance": 0.1, "clip": 0.25, "subgroups": ["medical"]},
                "fairness_collapse": {"tolerance": 0.05, "clip": 0.3},
            },
            "privacy": {"unit": unit},
        }
    )


def rounds(of, effects, count):
    layout = Layout.from_plan(of)
    values = {**dict.fromkeys(layout.inputs, 0.0), "SF-1.spread": 0.01, "SF-3.spread": 0.02}
    vectors = [
        layout.encode({**values, "SF-1": effect, "SF-1/medical": effect}) for effect in effects
    ]
    total = np.sum(vectors, axis=0)
    return layout, [Release(layout.digest, r, CLIENTS, total, 0.0) for r in range(1, count + 1)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("population", ["enrolled", "like-these"])
@pytest.mark.parametrize("items", [("these", "same"), ("like-these", "matrix")])
@pytest.mark.parametrize("effects", [[0.0] * 5, [0.2] * 5, [0.25, -0.25, 0.1, 0.0, 0.2]])
def test_every_control_and_population_judges_five_exact_clients(
    control, population, items, effects
):
    of = plan(control=control, population=population, items=items[0], sampling=items[1])
    for count in (1, 4):
        layout, totals = rounds(of, effects, count)
        for found in judge_rounds(of, layout, totals, first_alarms={}):
            assert found.interval is None or np.isfinite(found.interval).all()
            assert found.privacy_sd in (None, 0.0)


@pytest.mark.parametrize(("effects", "verdict"), [([0.0] * 5, "healthy"), ([0.12] * 5, "failure")])
def test_five_enrolled_clients_get_an_answer(effects, verdict):
    of = plan()
    layout, totals = rounds(of, effects, 4)
    found = {each.code: each for each in judge_rounds(of, layout, totals, first_alarms={})}
    assert found["SF-1"].verdict == verdict


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("control", ["horizon", "open-ended"])
@pytest.mark.parametrize("items", [("these", "same"), ("like-these", "matrix")])
@pytest.mark.parametrize("unit", ["none", "record"])
def test_the_power_table_says_what_such_a_plan_can_find(unit, control, items):
    of = plan(unit=unit, control=control, items=items[0], sampling=items[1])
    row = power_table(of)[0]
    assert row.privacy_sd == 0.0
    assert 0 <= row.minimal_detectable_effect < 1
    assert row.failure_reachable
    if items[0] == "these":
        # Eight sites or five: what a record's noise cost them is gone from public probes.
        assert row.tolerance + row.minimal_detectable_effect < 0.11
        assert row.healthy_reachable
