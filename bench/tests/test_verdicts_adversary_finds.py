"""The search finds what a broken judge gets wrong: a negative control of the search itself.

Where the judge is right the search finds nothing, which alone would not tell a good judge from a
bad search. So it is set on the product's judge without what allows for clipping, for sampling or
for who is missing; the whole judge keeps its promise in the very world that breaks that one.

The plans are made here, and not those that ship: each leaves so little noise that what was left out
is most of an interval. A plan with much of it hides a broken judge, whose verdicts stay open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from unsilent_bench.verdicts.adversary import search as searching
from unsilent_bench.verdicts.adversary.genes import Side
from unsilent_bench.verdicts.adversary.judged import Strip
from unsilent_bench.verdicts.adversary.search import Found, replay, search

from unsilent.modes import FIRST, MODES
from unsilent.plan import MonitoringPlan, parse_plan

WORLDS = 100
"""A sixth of what the full form spends on a word of a shipped plan."""
RUNS = 300
PROMISED = 0.05
"""What the plans leave at most of runs with a false verdict."""


@pytest.fixture(autouse=True)
def fewer_runs_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "CHOSEN", 100)
    monkeypatch.setattr(searching, "FINALISTS", 3)


def planned(
    clients: int = 32,
    *,
    population: str = "enrolled",
    items: str = "these",
    probes: dict[str, Any] | None = None,
    dropout: float = 0.0,
    epsilon: float | None = 8.0,
) -> MonitoringPlan:
    """All six modes, looked at once, with clips of three tolerances; no noise without epsilon."""
    noise = {"unit": "none"} if epsilon is None else {"epsilon": epsilon}
    return parse_plan(
        {
            "federation": {"clients": clients, "rounds": 1, "held_out": 96},
            "monitor": {
                "rounds": [1],
                "min_cohort": max(2, int(clients * (1 - dropout))),
                "population": population,
                "items": items,
            },
            "privacy": {"dropout": dropout, **noise},
            "probes": {"items": 64, **(probes or {"sampling": "same"})},
            "modes": {MODES[code].name: {"tolerance": 0.1, "clip": 0.3} for code in FIRST},
        }
    )


def worst(
    plan: MonitoringPlan,
    side: Side,
    strip: Strip,
    *,
    worlds: int = WORLDS,
    by_effect: bool = False,
) -> Found:
    """The worst world for the broken judge, in which the whole one holds."""
    found = search(plan, side, worlds, np.random.default_rng(1), repetitions=RUNS, strip=strip)
    one = next(each for each in found if each.informed == by_effect)
    whole = replay(plan, one.genome, RUNS, one.seed)
    assert getattr(whole, side).mean() <= PROMISED
    return one


def test_without_allowance_for_clipping_camps_are_found_that_improve_and_get_worse() -> None:
    found = worst(planned(), "failure", "clipping")
    assert found.said.failure.mean() > 0.2
    # Only numbers below zero, cut off by the joint clip, make a mean look worse than it is.
    assert (found.genome.values[found.genome.shares > 0.02] < -0.3).any()


def test_without_allowance_for_clipping_hidden_effects_are_found() -> None:
    found = worst(planned(), "healthy", "clipping")
    assert found.said.healthy.mean() > 0.2


@pytest.mark.parametrize("side", ["failure", pytest.param("healthy", marks=pytest.mark.long)])
def test_without_allowance_for_sampling_clients_like_these_are_found(side: Side) -> None:
    plan = planned(128, population="like-these", epsilon=30.0)
    found = worst(plan, side, "sampling", worlds=2 * WORLDS)
    assert getattr(found.said, side).mean() > 0.06


def test_without_allowance_for_sampling_few_items_that_carry_all_are_found() -> None:
    found = worst(planned(48, items="like-these"), "healthy", "sampling")
    assert found.said.healthy.mean() > 0.2


def test_without_allowance_for_sampling_few_clients_own_items_are_found() -> None:
    drawn = {"banks": dict.fromkeys(("bias", "task", "general", "harmful"), 800)}
    plan = planned(5, items="like-these", probes=drawn, epsilon=None)
    found = worst(plan, "healthy", "sampling")
    assert found.said.healthy.mean() > 0.2


def test_without_allowance_for_clipping_losses_are_called_silent() -> None:
    assert worst(planned(), "silent", "clipping").said.silent.mean() > 0.1


def test_without_allowance_for_who_is_missing_drop_outs_by_effect_are_found() -> None:
    found = worst(planned(dropout=0.3), "healthy", "missing", by_effect=True)
    assert found.said.healthy.mean() > 0.1


def test_the_same_seed_finds_the_same_world() -> None:
    plan = planned()
    one, again = (
        search(plan, "failure", 40, np.random.default_rng(5), repetitions=50) for _ in range(2)
    )
    assert (one[0].genome.genes == again[0].genome.genes).all()
    assert (one[0].said.failure == again[0].said.failure).all()
