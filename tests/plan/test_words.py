"""The words of survey sampling are read, and name the same plan as those before them."""

from __future__ import annotations

import pytest

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan


def plan(**monitor: str) -> MonitoringPlan:
    return parse_plan({"monitor": monitor, "modes": {"amplified_bias": {"tolerance": 0.1}}})


@pytest.mark.parametrize(
    ("key", "word", "before"),
    [
        ("population", "fixed", "enrolled"),
        ("population", "superpopulation", "like-these"),
        ("items", "fixed", "these"),
        ("items", "superpopulation", "like-these"),
    ],
)
def test_a_word_of_the_field_is_the_same_plan(key: str, word: str, before: str) -> None:
    assert plan(**{key: word}) == plan(**{key: before})
    assert plan(**{key: word}).digest == plan(**{key: before}).digest


def test_the_two_are_told_apart() -> None:
    for key in ("population", "items"):
        assert plan(**{key: "fixed"}).digest != plan(**{key: "superpopulation"}).digest


def test_another_word_is_refused_by_its_key() -> None:
    with pytest.raises(PlanError) as refused:
        plan(items="some")
    assert refused.value.where.endswith("monitor.items")
