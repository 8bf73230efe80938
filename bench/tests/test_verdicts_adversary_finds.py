"""The search finds what a broken judge gets wrong: a negative control of the search itself.

Where the judge is right the search finds nothing, which alone would not tell a good judge from a
bad search. So it is set on the product's judge without what allows for clipping, or for sampling.
"""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.verdicts.adversary.genes import Side
from unsilent_bench.verdicts.adversary.judged import Strip
from unsilent_bench.verdicts.adversary.search import Found, search
from unsilent_bench.verdicts.adversary.variants import own_forms, variants

from unsilent.plan import MonitoringPlan

WORLDS = 400
"""A little more than half of what the full form spends on a word of a shipped plan."""


def plan_of(name: str, **monitor: str) -> MonitoringPlan:
    plan = next(each.plan for each in own_forms() if each.name == name)
    assert plan is not None
    return plan.model_copy(update={"monitor": plan.monitor.model_copy(update=monitor)})


def sized(name: str, population: str, items: str) -> MonitoringPlan:
    """The variant of a plan with 128 clients: so many that noise hides little."""
    asked = (name, 128, population, items, 1.0)
    for each in variants():
        if (each.name, each.clients, each.population, each.items, each.participation) == asked:
            assert each.plan is not None
            return each.plan
    raise AssertionError(asked)


def worst(
    plan: MonitoringPlan,
    side: Side,
    strip: Strip,
    seed: int = 1,
    *,
    worlds: int = WORLDS,
    by_effect: bool = False,
) -> Found:
    generator = np.random.default_rng(seed)
    found = search(plan, side, worlds, generator, repetitions=500, strip=strip)
    return next(each for each in found if each.informed == by_effect)


def test_without_allowance_for_clipping_camps_are_found_that_improve_and_get_worse() -> None:
    found = worst(plan_of("plans/lm"), "failure", "clipping")
    assert found.said.failure.mean() > 0.2
    # Only numbers below zero, cut off by the joint clip, make a mean look worse than it is.
    assert (found.genome.values[found.genome.shares > 0.02] < -0.3).any()


def test_without_allowance_for_clipping_hidden_effects_are_found() -> None:
    found = worst(plan_of("plans/lm"), "healthy", "clipping")
    assert found.said.healthy.mean() > 0.2


@pytest.mark.parametrize("side", ["failure", "healthy"])
def test_without_allowance_for_sampling_clients_like_these_are_found(side: Side) -> None:
    found = worst(sized("plans/lm", "like-these", "these"), side, "sampling")
    assert getattr(found.said, side).mean() > 0.06


def test_without_allowance_for_sampling_few_items_that_carry_all_are_found() -> None:
    plan = sized("bench/lm", "enrolled", "like-these")
    plan = plan.model_copy(update={"probes": plan.probes.model_copy(update={"sampling": "same"})})
    found = worst(plan, "healthy", "sampling", worlds=200)
    assert found.said.healthy.mean() > 0.2


def test_without_allowance_for_sampling_few_clients_own_items_are_found() -> None:
    quiet = (each for each in variants() if each.changed == "unit none" and each.clients == 5)
    plan = next(each.plan for each in quiet if each.name == "bench/lm" and each.plan is not None)
    found = worst(plan, "healthy", "sampling", worlds=60)
    assert found.said.healthy.mean() > 0.2


def test_without_allowance_for_clipping_losses_are_called_silent() -> None:
    assert worst(plan_of("plans/lm"), "silent", "clipping").said.silent.mean() > 0.1


def test_without_allowance_for_who_is_missing_drop_outs_by_effect_are_found() -> None:
    plan = plan_of("plans/lm")
    plan = plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"dropout": 0.3})})
    found = worst(plan, "healthy", "missing", by_effect=True)
    assert found.said.healthy.mean() > 0.1


def test_the_same_seed_finds_the_same_world() -> None:
    plan = plan_of("plans/lm")
    one, again = (
        search(plan, "failure", 40, np.random.default_rng(5), repetitions=50) for _ in range(2)
    )
    assert (one[0].genome.genes == again[0].genome.genes).all()
    assert (one[0].said.failure == again[0].said.failure).all()
