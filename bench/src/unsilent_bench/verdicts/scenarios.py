"""The cells of the benchmark: what is hard about a world, and the plan it is monitored under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from unsilent.plan import MonitoringPlan, parse_plan

Population = Literal["enrolled", "like-these"]

MODES: dict[str, dict[str, float]] = {
    "amplified_bias": {"tolerance": 0.05, "clip": 0.4, "weight": 0.9},
    "confidence_miscalibration": {"tolerance": 0.04, "clip": 0.2, "weight": 0.5},
    "fairness_collapse": {"tolerance": 0.05, "clip": 0.3, "weight": 0.5},
    "adaptation_misalignment": {"tolerance": 0.05, "clip": 0.3, "weight": 0.5},
    "out_of_domain_degradation": {"tolerance": 0.05, "clip": 0.3, "weight": 0.5},
    "alignment_erosion": {"tolerance": 0.05, "clip": 0.3, "weight": 0.5},
}


@dataclass(frozen=True)
class WorldScenario:
    """What is hard about a world.

    Attributes:
        name: As in the table.
        alike: Every client has the same effect, so that only privacy noise is left.
        skewed: Effects of means are 0 for most clients and large for a few.
        baseline_sd: Sd of an error in each client's stored reference, persistent.
        shared_sd: Sd of an error in the reference that all clients share, persistent. No sum can
            tell it from an effect: intervals are conditional on the reference.
        dropout: Chance that a client misses a round.
        late: Share of the clients that join after the first round.
        level: Where the effects are: ``tolerance`` (the least favourable healthy world) or
            ``zero``.
        opposed: Clients with the highest numbers of SF-2 have the lowest elsewhere.
        losers: If above 0, this share of the clients bears the whole loss of the system metrics.
    """

    name: str
    alike: bool = False
    skewed: bool = False
    baseline_sd: float = 0.0
    shared_sd: float = 0.0
    dropout: float = 0.0
    late: float = 0.0
    level: Literal["tolerance", "zero"] = "tolerance"
    opposed: bool = False
    losers: float = 0.0


SCENARIOS: dict[str, WorldScenario] = {
    each.name: each
    for each in (
        WorldScenario("null", alike=True),
        WorldScenario("repeated"),
        WorldScenario("below", level="zero"),
        WorldScenario("skewed", skewed=True),
        WorldScenario("noisy-baseline", baseline_sd=0.05),
        WorldScenario("shared-baseline", shared_sd=0.01),
        WorldScenario("drop-outs", dropout=0.1),
        WorldScenario("late-joiners", late=0.3),
        WorldScenario("opposed", opposed=True),
        WorldScenario("few-lose", losers=0.03),
    )
}


@dataclass(frozen=True)
class World:
    """One cell of the benchmark.

    Attributes:
        clients: Enrolled clients.
        rounds: Monitoring rounds.
        epsilon: Budget for all rounds at delta 1e-5; None for no noise.
        population: Whom the verdict is about.
        items: Which probes it is about: those that all clients are asked, or items like these, of
            which each draws its own.
        scenario: What is hard about it.
        control: ``horizon`` or ``open-ended``.
        effect: Code to an effect, added to that mode's tolerance level, or one for each round.
        system: Change of mean loss and drop of mean accuracy.
        modes: Plan data of the modes, ``MODES`` unless a row states its own.
    """

    clients: int
    rounds: int
    epsilon: float | None
    population: Literal["enrolled", "like-these"] = "enrolled"
    scenario: WorldScenario = SCENARIOS["repeated"]
    control: Literal["horizon", "open-ended"] = "horizon"
    effect: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    system: float = 0.0
    modes: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MODES)
    items: Literal["these", "like-these"] = "these"

    @property
    def drifts(self) -> bool:
        """Whether an effect changes from round to round."""
        return any(isinstance(effect, tuple) for effect in self.effect.values())

    def plan(self) -> MonitoringPlan:
        """The plan that this world's clients release under."""
        absent = max(2.5 * self.scenario.dropout, 1.4 * self.scenario.late)
        return parse_plan(
            {
                "name": "bench",
                "federation": {"clients": self.clients, "rounds": self.rounds},
                "monitor": {
                    "population": self.population,
                    "items": self.items,
                    "min_cohort": 2,
                    "control": self.control,
                },
                "privacy": {
                    "epsilon": self.epsilon or 8.0,
                    "dropout": absent,
                    "aggregation": "plain",
                },
                "probes": {"sampling": "same" if self.items == "these" else "matrix"},
                "modes": {name: dict(values) for name, values in self.modes.items()},
            },
            where="bench",
        )
