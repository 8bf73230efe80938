"""Rows: the worst that the search found under a plan, with its Monte-Carlo error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from unsilent_bench.verdicts.adversary.search import Found
from unsilent_bench.verdicts.adversary.variants import PlanVariant
from unsilent_bench.verdicts.rows import FALSE_ALARMS, share

FALSE_HEALTH = 0.01
"""Most false HEALTHY."""
FALSE_VERDICTS = 0.05
"""Most runs with a false FAILURE or a false HEALTHY: alpha."""
FALSE_SILENCE = 0.01
FALSE_NOISE = 0.02
"""Most false LOUD: each of two metrics has a bound of its own."""


@dataclass(frozen=True)
class AttackRow:
    """The worst worlds under one plan. Rates are shares of runs.

    Attributes:
        plan: ``plans/fleet`` and the like, after the file.
        own: Whether it is the plan as it ships; else sizes, population, items or participation
            are another's.
        clients, population, items, participation: The plan's.
        worlds: How many were tried.
        repetitions: Runs that each rate is from.
        seed: Of the search.
        false_failure, false_healthy: Highest rate of runs with a false verdict, in any mode at any
            round, where drop-outs do not depend on the effect.
        false_either: The same with either of the two, of truths that may change sides.
        false_silent, false_loud: The same of the words about the system metrics.
        by_effect_false_failure, by_effect_false_healthy, by_effect_false_either: The same where
            drop-outs do depend on the effect; None where the plan reckons with none.
        changed: What else is another's than the plan's as it ships, in words.
        interval_misses: Highest rate of runs with an interval that misses, in these worlds.
        system_misses: The same of the intervals of the system metrics.
        broken_worlds: How many worlds had a run with an interval that is no finite number; the
            product ends there with an error.
        …_error: Monte-Carlo standard error.
        worst: By word, the world: what is in it, its genes and the seed of its runs.
    """

    plan: str
    own: bool
    clients: int
    population: str
    items: str
    participation: float
    worlds: int
    repetitions: int
    seed: int
    false_failure: float
    false_failure_error: float
    false_healthy: float
    false_healthy_error: float
    false_silent: float
    false_silent_error: float
    false_loud: float
    false_loud_error: float
    interval_misses: float
    interval_misses_error: float
    system_misses: float
    system_misses_error: float
    false_either: float = 0.0
    false_either_error: float = 0.0
    changed: str = ""
    broken_worlds: int = 0
    by_effect_false_failure: float | None = None
    by_effect_false_failure_error: float | None = None
    by_effect_false_healthy: float | None = None
    by_effect_false_healthy_error: float | None = None
    by_effect_false_either: float | None = None
    by_effect_false_either_error: float | None = None
    worst: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def control(self) -> str:
        """The error control of the world with the most false verdicts for what is asked."""
        failing = self.false_failure / FALSE_ALARMS >= self.false_healthy / FALSE_HEALTH
        return str(self.worst["failure" if failing else "healthy"]["control"])

    @property
    def shortfalls(self) -> dict[str, float]:
        """By rate, by how much it is above what is asked and two Monte-Carlo errors."""
        asked = {
            "false_failure": FALSE_ALARMS,
            "false_healthy": FALSE_HEALTH,
            "false_either": FALSE_VERDICTS,
            "false_silent": FALSE_SILENCE,
            "false_loud": FALSE_NOISE,
            "by_effect_false_failure": FALSE_ALARMS,
            "by_effect_false_healthy": FALSE_HEALTH,
            "by_effect_false_either": FALSE_VERDICTS,
        }
        found: dict[str, float] = {}
        for name, goal in asked.items():
            rate, error = getattr(self, name), getattr(self, f"{name}_error")
            if rate is not None and rate > goal + 2 * error:
                found[name] = rate - goal - 2 * error
        return found

    @property
    def met(self) -> bool:
        """Whether false FAILURE and HEALTHY are as rare as asked, and every run had a verdict."""
        return not self.broken_worlds and not {
            name for name in self.shortfalls if name.endswith(("failure", "healthy", "either"))
        }

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        rounded = {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in data.items()
            if value is not None
        }
        return {**rounded, "control": self.control, "met": self.met}


def row_of(
    variant: PlanVariant, found: Sequence[Found], worlds: int, repetitions: int, seed: int
) -> AttackRow:
    """The row of a variant from the worst worlds of all sides."""
    rates: dict[str, float] = {}
    worst: dict[str, dict[str, Any]] = {}
    for each in found:
        side = each.genome.side
        name = f"by_effect_false_{side}" if each.informed else f"false_{side}"
        rates[name], rates[f"{name}_error"] = share(getattr(each.said, side))
        worst[f"by_effect_{side}" if each.informed else side] = world_of(variant, each)
    for name, field_name in (("missed", "interval_misses"), ("system_missed", "system_misses")):
        every = [share(getattr(each.said, name)) for each in found if not each.informed]
        rates[field_name], rates[f"{field_name}_error"] = max(every)
    return AttackRow(
        plan=variant.name,
        own=variant.own,
        clients=variant.clients,
        population=variant.population,
        items=variant.items,
        participation=variant.participation,
        changed=variant.changed,
        worlds=worlds,
        repetitions=repetitions,
        seed=seed,
        broken_worlds=sum(each.broken for each in found if not each.informed),
        worst=worst,
        **rates,
    )


def world_of(variant: PlanVariant, found: Found) -> dict[str, Any]:
    """A world, for people and to be played again."""
    codes = () if variant.plan is None else variant.plan.planned
    said = found.said
    described = found.genome.to_json(codes)
    if variant.plan is not None and len(variant.plan.monitoring_rounds) == 1:
        described["trend"] = "constant"
    return {
        "control": found.control,
        "attendance": found.attendance,
        "runs_seed": found.seed,
        "false_failure": float(said.failure.mean()),
        "false_healthy": float(said.healthy.mean()),
        "false_silent": float(said.silent.mean()),
        "false_loud": float(said.loud.mean()),
        "interval_misses": float(said.missed.mean()),
        **described,
    }
