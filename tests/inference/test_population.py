"""Whom verdicts are about is said in one place, with what missing clients would cost."""

import numpy as np
import pytest

from unsilent.inference import judge_rounds
from unsilent.inference.population import foreseen, whose, widening
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.release import Release


def plan(population="enrolled", participation=1.0, dropout=0.0):
    return parse_plan(
        {
            "federation": {"clients": 40, "rounds": 1, "participation": participation},
            "monitor": {"min_cohort": 10, "population": population, "items": "these"},
            "probes": {"sampling": "same"},
            "privacy": {"dropout": dropout, "aggregation": "plain"},
            "modes": {
                "amplified_bias": {"tolerance": 0.1, "clip": 0.3},
                "fairness_collapse": {"tolerance": 0.2, "clip": 1.0},
            },
        }
    )


def test_it_names_the_population_and_how_missing_clients_count():
    assert "the 40 enrolled clients, as they are" in whose(plan())
    assert "of whom 20 are drawn at random" in whose(plan(participation=0.5))
    assert "clients like the 40" in whose(plan("like-these"))
    for of in (plan(), plan(participation=0.5), plan("like-these")):
        assert "counts with the least and with the most" in whose(of)


@pytest.mark.parametrize("missing", [0, 1, 4, 10])
def test_an_upper_end_lies_higher_by_what_is_said(missing):
    of = plan()
    layout = Layout.from_plan(of)
    one = layout.encode(dict.fromkeys(layout.inputs, 0.0))

    def upper(clients):
        total = Release(layout.digest, 1, clients, one * clients, 0.0)
        return {f.code: f.interval[1] for f in judge_rounds(of, layout, [total]) if f.interval}

    whole, part = upper(40), upper(40 - missing)
    for code, size in widening(of, missing).items():
        # Besides, the share of those who are there scales what they add themselves.
        own = whole[code] * (1 - missing / 40)
        if code == "SF-1":
            assert part[code] == pytest.approx(own + size, abs=1e-9)
        assert part[code] >= own + size - 1e-9
    assert np.isfinite(list(part.values())).all()


def test_the_planned_drop_out_is_priced_and_what_it_makes_hopeless_is_named():
    said = foreseen(plan(dropout=0.2))
    assert "With 8 of 40 missing" in said
    assert "SF-1 6.0, SF-3 20.0" in said
    assert "No HEALTHY is in reach then for SF-3." in said
    assert foreseen(plan()) == whose(plan())
