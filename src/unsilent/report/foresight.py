"""What a plan can show, as a table: said before the first round, so that no one is surprised."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unsilent.inference.power import PowerRow, power_table
from unsilent.plan import MonitoringPlan
from unsilent.report.view import points
from unsilent.taxonomy import by_code


def foresight_json(plan: MonitoringPlan) -> dict[str, Any]:
    """The power of each planned mode as JSON-ready data. Raises PlanError like ``power_table``."""
    return {
        "plan": plan.digest,
        "modes": [
            {**asdict(row), "only_undetermined": row.only_undetermined} for row in power_table(plan)
        ],
    }


def foresight_table(plan: MonitoringPlan) -> RenderableType:
    """The same for people. Raises PlanError like ``power_table``."""
    rows = power_table(plan)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("mode", min_width=15, max_width=30)
    for name in ("tolerance", "MDE", "finds from", "half-width"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("  verdicts within reach", min_width=24)
    for row in rows:
        table.add_row(
            f"{row.code} {by_code(row.code).title}",
            points(row.tolerance),
            points(row.minimal_detectable_effect),
            points(row.tolerance + row.minimal_detectable_effect),
            points(row.half_width),
            f"  {_within_reach(row)}",
        )
    clients = {row.clients for row in rows}
    head = Text(
        f"{plan.name} is valid: {', '.join(map(str, sorted(clients)))} clients, monitoring after "
        f"{len(plan.monitoring_rounds)} of {plan.federation.rounds} rounds, epsilon "
        f"{plan.privacy.epsilon:g} at delta {plan.privacy.delta:g}.\n{plan.digest}\n"
    )
    assumed = "; ".join(
        f"{words} ({', '.join(row.code for row in rows if row.assumption == words)})"
        for words in dict.fromkeys(row.assumption for row in rows)
    )
    foot = Text(
        "\nIn points (hundredths). MDE: the excess over the tolerance that is found with "
        "probability 0.8; an effect is found from tolerance plus MDE on. HEALTHY needs the "
        f"half-width of the interval below the tolerance. Assumed for it: {assumed}."
    )
    return Group(head, table, foot, *_warnings(plan, rows))


def _within_reach(row: PowerRow) -> str:
    reach = [
        word
        for word, reachable in (
            ("FAILURE", row.failure_reachable),
            ("HEALTHY", row.healthy_reachable),
        )
        if reachable
    ]
    return " or ".join(reach) if reach else "only UNDETERMINED"


def _warnings(plan: MonitoringPlan, rows: tuple[PowerRow, ...]) -> list[Text]:
    hopeless = [row.code for row in rows if row.only_undetermined]
    if not hopeless:
        return []
    return [
        Text(
            f"\nOnly UNDETERMINED is within reach for {', '.join(hopeless)}: enrol more than "
            f"{plan.federation.clients} clients, raise epsilon or the tolerance, or monitor "
            "fewer rounds.",
            "bold",
        )
    ]
