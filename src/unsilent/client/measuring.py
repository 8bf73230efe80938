"""Measuring one client: items and adapters in, statistics and the change of its system out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from unsilent.client.model_check import NOT_SHOWN, ModelCheck
from unsilent.client.observer import SystemChange
from unsilent.modes import MODES
from unsilent.modes.base import Evidence, ItemRole, Need, Statistic
from unsilent.performance.tally import Answered, tally
from unsilent.plan import MonitoringPlan
from unsilent.plan.performance import Source
from unsilent.release.record_unit import SMALLEST_PROBABILITY

SYSTEM = (Need("reference", "records"), Need("personalized", "records"))
"""What the change of the system's metrics is read from."""
LIVE = (Need("reference", "live"), Need("personalized", "live"))
"""What is asked of records that came in since."""
_ROLES: Mapping[Source, ItemRole] = {"held-out": "records", "live": "live"}


class Measured(NamedTuple):
    """What one client measured in a monitoring round.

    Attributes:
        statistics: Of all planned modes.
        system: Change of the system metrics.
        model: What it could show of the model: without it nothing is called healthy.
        training: The training's own record, where the app hands one over; see
            ``release.training_record``.
        counts: Of the plan's ``[performance]``, by coordinate; empty where it asks for none.
    """

    statistics: list[Statistic]
    system: SystemChange
    model: ModelCheck = NOT_SHOWN
    training: object | None = None
    counts: Mapping[str, float] = {}


def measure(plan: MonitoringPlan, evidence: Evidence) -> list[Statistic]:
    """The statistics of all planned modes, in the plan's order, with their subgroups."""
    return [MODES[code].measure_with(evidence, plan.subgroups(code)) for code in plan.planned]


def counted(
    plan: MonitoringPlan, evidence: Evidence, *, site: str | None, words: Sequence[object]
) -> dict[str, float]:
    """The counts of a client's own records that the plan asks for; see ``performance.tally``.

    Args:
        plan: The plan.
        evidence: Of the client; roles that were not scored count nothing.
        site: The class of sites that its owner declared.
        words: By which records are drawn where there are too many: client and round.
    """
    if plan.performance is None:
        return {}
    answered: dict[Source, Answered] = {
        source: Answered(*evidence.pair("reference", "personalized", role))
        for source, role in _ROLES.items()
        if evidence.has(role)
    }
    drawn = "|".join(map(str, (plan.digest, *words)))
    return tally(plan.performance, answered, site=site, words=drawn)


def system_change(evidence: Evidence) -> SystemChange:
    """Loss growth (nats) and accuracy drop on the client's records, personalized - reference."""
    losses, hits = {}, {}
    for need in SYSTEM:
        outcomes = evidence.get(need.adapter, need.items)
        right = outcomes.of(lambda item: item.answer)
        losses[need] = float(-np.log(np.clip(right, SMALLEST_PROBABILITY, 1.0)).mean())
        answers = np.array([item.answer for item in outcomes.items])
        hits[need] = float((outcomes.chosen() == answers).mean())
    before, after = SYSTEM
    return SystemChange(losses[after] - losses[before], hits[before] - hits[after])
