"""The first look in a few lines: what the run shows, what is behind it, and how true that is."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.findings import Findings
from unsilent.plan import MonitoringPlan
from unsilent.report import view
from unsilent.report.decision import decide
from unsilent.report.terminal import STYLES, VISIBILITY_WORDS


def render(plan: MonitoringPlan, found: Findings, out: Path, took: float | None) -> RenderableType:
    """The first look for a terminal.

    Args:
        plan: Its plan.
        found: What was found.
        out: Where it is kept.
        took: Seconds that it took; None if it was kept from an earlier time.
    """
    clients = plan.federation.clients
    when = "kept from before" if took is None else f"trained, monitored and judged in {took:.0f} s"
    head = Text()
    head.append("First look", "bold")
    head.append(
        f": {clients} clients personalize a classifier of words; its texts' authors predict "
        f"their labels ({when})\n"
    )
    head.append("Shows today: ", "dim")
    head.append(f"{view.metrics_line(found)}\n")
    first = decide(plan, found)
    head.append("Behind it: ", "dim")
    head.append(f"{view.opened(first.found)}.", STYLES[first.key])
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("mode")
    table.add_column("verdict")
    for name in ("effect", "interval", "tolerance", "truth"):
        table.add_column(name, justify="right")
    for finding in found.findings:
        if finding.tolerance is None:
            continue
        shown = view.VERDICTS[finding.verdict]
        word = f"{shown.symbol} {shown.word}"
        if finding.visibility is not None:
            word += f", {VISIBILITY_WORDS[finding.visibility]}"
        oracle = finding.oracle
        table.add_row(
            escape(view.named(finding)),
            Text(word, STYLES[shown.key]),
            view.points(finding.effect, sign=True),
            escape(view.span(finding.interval)),
            view.points(finding.tolerance),
            "–" if oracle is None else view.points(oracle.effect, sign=True),
        )
    foot = Text(
        "Effects in points, positive is worse; the judge saw one noised sum over all clients "
        f"(epsilon {plan.privacy.epsilon:g}), never the truth.\n"
        f"Kept in {out} (unsilent report {out}). The demo's own federation follows; nothing of "
        "this is in its findings, its cost or its times.\n",
        "dim",
    )
    return Group(head, table, foot)
