"""Privacy units side by side: the same federations, released as a plan of another unit would."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from unsilent.plan import MonitoringPlan
from unsilent.plan.privacy import PrivacyPlan
from unsilent_bench.replay.batch import Batch

Unit = Literal["client", "record", "none"]
UNITS: tuple[Unit, ...] = ("client", "record", "none")


def for_unit(plan: MonitoringPlan, unit: Unit) -> MonitoringPlan:
    """The plan with another privacy unit; without one there is no budget."""
    if unit == plan.privacy.unit:
        return plan
    if unit == "none":
        kept = {
            "dropout": plan.privacy.dropout,
            "collusion": plan.privacy.collusion,
            "secure_sum": plan.privacy.secure_sum,
        }
        return plan.model_copy(update={"privacy": PrivacyPlan(unit="none", **kept)})
    return plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"unit": unit})})


def with_unit(batch: Batch, unit: Unit) -> Batch:
    """The batch under its plan with another privacy unit."""
    return replace(batch, plan=for_unit(batch.plan, unit))
