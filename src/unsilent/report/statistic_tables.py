"""What a plan's statistics of performance can show, for people: its table and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.inference.performance.ahead import StatisticRow, ahead
from unsilent.inference.performance.expected import CALIBRATION, CHURN, ERROR
from unsilent.inference.power import PowerRow, power_table
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.report.power_tables import within_reach
from unsilent.report.view import points

ASSUMED = (
    f"Assumed: each client has as many records as are counted, evenly spread over the classes, "
    f"groups, domains and sites that the plan lists; {ERROR:.0%} of answers wrong before, "
    f"{CHURN:.0%} lost and gained besides, a calibration error of {CALIBRATION:.0%}. Of a rarer "
    "class there are fewer records: hold them against the number that would do."
)


@dataclass(frozen=True)
class StatisticReport:
    """What ``[performance]`` can show and what it costs.

    Attributes:
        rows: ``ahead``.
        counts: How many counts a client releases.
        modes_without: By code, the half-width and the minimal detectable effect that a mode would
            have if the plan asked for no performance: what the counts and their part of the error
            cost.
    """

    rows: tuple[StatisticRow, ...]
    counts: int
    modes_without: Mapping[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data, effects as shares."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "assumed": ASSUMED,
            "counts": self.counts,
            "modes_without": {
                code: {"half_width": half, "minimal_detectable_effect": mde}
                for code, (half, mde) in self.modes_without.items()
            },
        }


def statistics_of(plan: MonitoringPlan) -> StatisticReport | None:
    """What a plan's statistics can show; None of a plan without any. Raises as ``power_table``."""
    if plan.performance is None:
        return None
    # Whatever counts them in the gate does not matter here.
    without = plan.model_copy(update={"performance": None})
    return StatisticReport(
        ahead(plan),
        len(Layout.from_plan(plan).counts),
        {row.code: (row.half_width, row.minimal_detectable_effect) for row in power_table(without)},
    )


def statistic_lines(found: StatisticReport, modes: Sequence[PowerRow]) -> Group:
    """The table, what it rests on and what it costs."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("on clients' records", min_width=15, max_width=26)
    for name in (
        *("tolerance", "MDE", "finds\nfrom", "half-\nwidth"),
        *("records", "would do:\nHEALTHY", "\nFAILURE"),
    ):
        lines = "\n".join(f"  {line}" if line else line for line in name.splitlines())
        table.add_column(lines, justify="right", no_wrap=True)
    table.add_column("  within\n  reach")
    for row in found.rows:
        table.add_row(
            escape(f"{row.key} ({row.statistic})"),
            points(row.tolerance),
            points(row.minimal_detectable_effect),
            points(row.tolerance + row.minimal_detectable_effect),
            points(row.half_width),
            f"{row.support:,.0f}",
            _number(row.healthy_needs),
            _number(row.failure_needs),
            f"  {within_reach(row)}",
        )
    noise = found.rows[0].noise_sd
    return Group(
        Text(),
        table,
        Text(
            "\nMDE, half-width as above. Records: that it rests on in a round. Would do: so many a "
            "round for HEALTHY of a model without effect (compared with perfect: at half the "
            "tolerance), and for FAILURE at twice the tolerance in four of five cases. "
            f"{ASSUMED}"
        ),
        Text(f"\n{cost(found, modes, noise)}"),
    )


def cost(found: StatisticReport, modes: Sequence[PowerRow], noise: float) -> str:
    """What the statistics cost, in words."""
    wider = "; ".join(
        f"{row.code} {points(row.half_width)} instead of {points(found.modes_without[row.code][0])}"
        for row in modes
    )
    each = f"noise of {noise:,.1f} records in each one's sum in a round" if noise else "no noise"
    return (
        f"They cost {found.counts} counts of records a client ({each}) and a part of the error; no "
        f"epsilon beside the plan's. The modes' half-widths with and without them: {wider}."
    )


def _number(records: int | None) -> str:
    return "none" if records is None else f"{records:,}"
