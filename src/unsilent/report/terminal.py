"""The findings as a table on a terminal, with what the run shows today above it."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.findings import Finding, Findings
from unsilent.report.view import (
    VERDICTS,
    headline,
    metrics_line,
    points,
    span,
    truth,
    verdict,
)
from unsilent.taxonomy import by_code

STYLES = {
    "failure": "bold red",
    "healthy": "green",
    "undetermined": "yellow",
    "unplanned": "dim",
}


def show(findings: Findings, console: Console) -> None:
    """Print findings on a console."""
    console.print(render(findings))


def render(findings: Findings) -> RenderableType:
    """Metrics, table, legend, privacy and what would settle the open ones."""
    simulated = any(finding.oracle is not None for finding in findings.findings)
    scenario = f", scenario {findings.scenario}" if findings.scenario else ""
    head = Text()
    head.append(f"{findings.name}{scenario}: round {findings.round}, {findings.clients} clients\n")
    head.append("What the run shows today   ", "dim")
    head.append(f"{metrics_line(findings)}\n")
    head.append("What is behind it          ", "dim")
    head.append(headline(findings), "bold")
    parts: list[RenderableType] = [head, _table(findings, simulated=simulated), _legend(findings)]
    parts.append(Text(f"Privacy: {findings.privacy.statement}"))
    parts += _reasons(findings)
    return Group(*parts)


def _table(findings: Findings, *, simulated: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    table.add_column("mode", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("visibility")
    for name in ("effect", "interval", "tolerance", "MDE"):
        table.add_column(name, justify="right", no_wrap=True)
    if simulated:
        table.add_column("truth (simulation)")
    for finding in findings.findings:
        shown = verdict(finding)
        row: list[RenderableType] = [
            f"{finding.code} {escape(by_code(finding.code).title)}",
            Text(f"{shown.symbol} {shown.word}", STYLES[shown.key]),
            _visibility(finding),
            points(finding.effect, sign=True),
            escape(span(finding.interval)),
            points(finding.tolerance),
            points(finding.minimal_detectable_effect),
        ]
        if simulated:
            row.append(truth(finding) or "–")
        table.add_row(*row)
    return table


def _visibility(finding: Finding) -> Text:
    if finding.visibility is None:
        return Text("")
    style = "bold" if finding.visibility == "silent" else ""
    return Text(finding.visibility.upper(), style)


def _legend(findings: Findings) -> Text:
    """What the verdicts that occur mean, and the units."""
    text = Text(style="dim")
    present = {finding.verdict for finding in findings.findings}
    for key, shown in VERDICTS.items():
        if key in present:
            text.append(f"{shown.symbol} {shown.word:<13} {shown.meaning}\n")
    text.append(
        "Effects in points (hundredths), positive is worse. MDE: the excess over the tolerance "
        "that is found with probability 0.8.\n"
    )
    return text


def _reasons(findings: Findings) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for finding in findings.findings:
        if finding.reason is not None:
            shown = verdict(finding)
            line = Text(f"{finding.code} {shown.symbol} ", STYLES[shown.key])
            line.append(finding.reason, "default not bold")
            lines.append(line)
    if lines:
        lines.insert(0, Text("\nWhat is open, and what would settle it", "bold"))
    return lines
