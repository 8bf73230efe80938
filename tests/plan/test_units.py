"""What a plan may say of its unit, and that a plan without one is what it was."""

import json
import math

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan


def plan(**privacy):
    return parse_plan(
        {
            "federation": {"clients": 5},
            "monitor": {"min_cohort": 2},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": privacy,
        }
    )


@pytest.mark.parametrize(
    "key", [{"epsilon": 8.0}, {"delta": 1e-5}, {"clip": 1.0}, {"adjacency": "zero-out"}]
)
def test_a_sum_without_noise_has_no_budget_and_none_may_be_named(key):
    with pytest.raises(PlanError, match=rf'{next(iter(key))}: unit "none" adds no noise'):
        plan(unit="none", **key)


def test_a_sum_without_noise_is_read_back_as_the_same_plan():
    of = plan(unit="none")
    assert not of.privacy.private
    assert math.isinf(of.privacy.epsilon)
    told = json.loads(json.dumps(of.to_json(), allow_nan=False))
    assert not {"epsilon", "delta", "clip", "adjacency"} & set(told["privacy"])
    assert parse_plan(told) == of
    assert parse_plan(told).digest == of.digest != plan().digest


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        ({"unit": "none", "aggregation": "plain"}, "each client's exact numbers"),
        ({"epsilon": math.inf}, 'unit = "none"'),
        ({"unit": "record", "epsilon": math.inf}, 'unit = "none"'),
        ({"training": {"epsilon": 3.0}}, 'the unit is "client"'),
        ({"unit": "none", "training": {"epsilon": 3.0}}, 'the unit is "none"'),
    ],
)
def test_what_contradicts_its_unit_is_refused(privacy, words):
    with pytest.raises(PlanError, match=words):
        plan(**privacy)


@pytest.mark.parametrize("unit", ["client", "record"])
def test_what_says_nothing_of_training_is_written_as_before(unit):
    assert "training" not in plan(unit=unit).to_json()["privacy"]


def test_a_declared_training_is_part_of_the_digest():
    found = [plan(unit="record", training={"epsilon": e}) for e in (3.0, 4.0)]
    assert len({of.digest for of in found}) == 2
    assert parse_plan(found[0].to_json()) == found[0]
