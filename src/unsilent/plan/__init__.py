"""What is measured, on whom, how often, with what tolerance and budget: the monitoring plan."""

from unsilent.plan.document import (
    AdapterPlan,
    FederationPlan,
    Likelihood,
    ModelPlan,
    MonitoringPlan,
    MonitorPlan,
    parse_plan,
    read_plan,
)

__all__ = [
    "AdapterPlan",
    "FederationPlan",
    "Likelihood",
    "ModelPlan",
    "MonitorPlan",
    "MonitoringPlan",
    "parse_plan",
    "read_plan",
]
