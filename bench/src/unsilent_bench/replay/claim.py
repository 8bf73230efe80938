"""The claim: whether a federation that trains privately is free of the failures.

Nothing is judged here. For each way of training, the truth of its federations: how often the mode
that a scenario aims at is beyond its tolerance, by how much, and what the run shows meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import by_code
from unsilent_bench.fleet.private import Training, fedavg_epsilon
from unsilent_bench.replay.intervals import Interval, mean, share
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import CODES, EXAMPLES


@dataclass(frozen=True)
class TrainingVariant:
    """One scenario at one dose, trained in one way.

    Attributes:
        tier, mode, scenario, dose, clients: Which federations.
        training: ``plain``, ``secure-sum``, ``dp-fedavg:NOISE`` or ``dp-sgd:EPSILON``.
        epsilon: Of the training in all rounds, at delta 1e-5: for one client under DP-FedAvg, for
            one record under DP-SGD; None without.
        failure: Share of federations whose truth passes the tolerance in some round.
        failure_interval: Exact binomial over federations.
        effect: Mean effect of the mode in the last round, by full access; ``effect_interval`` a
            bootstrap over federations, None for a single one.
        loss, accuracy: Means of the global adapter in the last round, with intervals likewise.
        tolerance: The plan's.
        seeds: Federations.
    """

    tier: str
    mode: str
    scenario: str
    dose: str
    clients: int
    training: str
    epsilon: float | None
    failure: float
    failure_interval: Interval
    effect: float
    effect_interval: Interval | None
    loss: float
    loss_interval: Interval | None
    accuracy: float
    accuracy_interval: Interval | None
    tolerance: float
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """The variant as JSON-ready data."""
        return {key: _rounded(value) for key, value in vars(self).items()}


def claim(
    federations: Iterable[Federation], plans: Mapping[str, MonitoringPlan]
) -> tuple[TrainingVariant, ...]:
    """All variants of scenarios that were trained in more than one way.

    Args:
        federations: Of any training; only those personalized by fine-tuning count.
        plans: Tier to plan, for the tolerances.
    """
    groups: dict[tuple[str, ...], dict[str, list[Federation]]] = {}
    for each in federations:
        plan = plans.get(each.tier)
        if each.personalization == USUAL and plan and each.code in plan.planned:
            key = (each.tier, each.code, each.scenario, each.dose, str(each.clients))
            groups.setdefault(key, {}).setdefault(each.training, []).append(each)
    found: list[TrainingVariant] = []
    for _, ways in sorted(groups.items()):
        if len(ways) > 1:
            found += [_variant(group, plans) for _, group in sorted(ways.items(), key=_order)]
    return tuple(found)


def _variant(group: list[Federation], plans: Mapping[str, MonitoringPlan]) -> TrainingVariant:
    some = group[0]
    planned = plans[some.tier].mode(by_code(some.code).mode)
    tolerance = 0.0 if planned is None else planned.tolerance
    effects = np.stack([each.truth[:, CODES.index(some.code)] for each in group])
    failure = share((effects.max(axis=1) > tolerance).astype(np.float64))

    def last(of: Callable[[Federation], float]) -> tuple[float, Interval | None]:
        return mean(np.array([of(each) for each in group]))

    effect = mean(effects[:, -1])
    loss, accuracy = (
        last(lambda each: _shown(each, "loss")),
        last(lambda each: _shown(each, "accuracy")),
    )
    return TrainingVariant(
        some.tier,
        some.code,
        some.scenario,
        some.dose,
        some.clients,
        some.training,
        _epsilon(some),
        *failure,
        *effect,
        *loss,
        *accuracy,
        tolerance,
        len(group),
    )


def _epsilon(federation: Federation) -> float | None:
    training = Training.parse(federation.training)
    if training.noise is not None:
        return fedavg_epsilon(training.noise, federation.rounds)
    return training.epsilon


def _shown(federation: Federation, name: str) -> float:
    """The weighted mean of the last round that the run shows."""
    weights = np.nan_to_num(federation.numbers[EXAMPLES][-1].astype(np.float64))
    return float(np.nan_to_num(federation.numbers[name][-1]) @ weights / weights.sum())


def _order(way: tuple[str, list[Federation]]) -> tuple[int, float]:
    """By kind, then from the larger budget to the smaller."""
    training = Training.parse(way[0])
    kinds = ("plain", "secure-sum", "dp-fedavg", "dp-sgd")
    return kinds.index(way[0].split(":")[0]), training.noise or -(training.epsilon or 0.0)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [round(each, 6) for each in value] if isinstance(value, tuple) else value
