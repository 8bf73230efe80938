"""Population: whom a plan's verdicts are about, and what it costs when clients are missing."""

from __future__ import annotations

import math

from unsilent.inference.sampling import released_range
from unsilent.plan import MonitoringPlan
from unsilent.taxonomy import by_code


def whose(plan: MonitoringPlan) -> str:
    """Whom the verdicts are about, and how those count who are not in a sum. For people."""
    clients, asked = plan.federation.clients, plan.taking_part
    missing = (
        "One that was asked and is not in a sum counts with the least and with the most that its "
        "range allows, whatever kept it away"
    )
    if plan.monitor.population == "like-these":
        return f"Verdicts are about clients like the {asked} that are asked in a round. {missing}."
    if asked < clients:
        return (
            f"Verdicts are about the {clients} enrolled clients, of whom {asked} are drawn at "
            f"random in each round; intervals cover that draw. {missing}."
        )
    return f"Verdicts are about the {clients} enrolled clients, as they are. {missing}."


def widening(plan: MonitoringPlan, missing: int) -> dict[str, float]:
    """By how much missing clients raise the upper end of an interval around 0, at most.

    ``(missing / asked) * most`` (Manski 1989), by planned mode, in its own units.

    Args:
        plan: The plan.
        missing: How many of ``plan.taking_part`` clients are not in the sums.

    Raises:
        PlanError: A clip cuts a share short.
    """
    share = missing / plan.taking_part
    return {code: share * released_range(plan, code)[1] for code in plan.planned}


def foreseen(plan: MonitoringPlan) -> str:
    """``whose``, and what as many drop-outs as the plan allows for would cost. For people."""
    lost = math.floor(plan.privacy.dropout * plan.taking_part + 1e-9)
    if not lost:
        return whose(plan)
    wider = widening(plan, lost)
    listed = ", ".join(f"{code} {100 * size:.1f}" for code, size in wider.items())
    hopeless = [
        code
        for code, size in wider.items()
        if (mode := plan.mode(by_code(code).mode)) is not None and size >= mode.tolerance
    ]
    never = f" No HEALTHY is in reach then for {', '.join(hopeless)}." if hopeless else ""
    return (
        f"{whose(plan)} With {lost} of {plan.taking_part} missing, which the plan allows for, "
        f"upper ends lie higher by up to, in points: {listed}.{never}"
    )
