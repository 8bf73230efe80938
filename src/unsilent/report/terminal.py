"""The findings as a table on a terminal, with what the run shows today above it."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from unsilent.findings import Finding, Findings
from unsilent.report import view
from unsilent.report.decision import FirstWord, caveats
from unsilent.report.performance_table import performance_parts
from unsilent.report.timing import Timing
from unsilent.report.view import (
    VERDICTS,
    about,
    agreement,
    began,
    clients_to_flip,
    headline,
    measured_model,
    metrics_line,
    missing,
    named,
    points,
    span,
    strangers,
)

VISIBILITY_WORDS = {"silent": "SILENT", "loud": "LOUD", "undetermined": "silent or loud"}

STYLES = {
    "failure": "bold red",
    "healthy": "green",
    "undetermined": "yellow",
    "unplanned": "dim",
}


_DOUBTED = 0.1
"""From this share on a failure's line says that clients could not show their model."""


def show(
    findings: Findings,
    console: Console,
    timing: Timing | None = None,
    first: FirstWord | None = None,
) -> None:
    """Print findings, and what they cost and come to where it is known, on a console."""
    console.print(render(findings, timing, first))


def render(
    findings: Findings, timing: Timing | None = None, first: FirstWord | None = None
) -> RenderableType:
    """The decision, then metrics, table, legend, privacy, cost and what would settle the rest."""
    simulated = any(finding.oracle is not None for finding in findings.findings)
    scenario = f", scenario {findings.scenario}" if findings.scenario else ""
    head = Text()
    head.append(f"{findings.name}{scenario}: round {findings.round}, {findings.clients} clients\n")
    if first is not None:
        head.append("\n")
        head.append(f"{view.opened(first.found)}.", f"{STYLES[first.key]}")
        head.append(f" {view.opened(first.gate)}. Next: {first.next}.\n\n")
    head.append("Shows today: ", "dim")
    head.append(f"{metrics_line(findings)}\n")
    head.append("Behind it: ", "dim")
    head.append(f"{headline(findings)}\n", "bold")
    parts: list[RenderableType] = [head, _table(findings, simulated=simulated), _legend(findings)]
    parts += performance_parts(findings)
    absent = strangers(findings)
    if absent is not None:
        parts.append(Text(absent))
    parts += [Text(told) for told in view.versions(findings)]
    parts.append(Text(f"Privacy: {findings.privacy.statement}"))
    if timing is not None:
        parts.append(Text(f"Time: {timing.words()}"))
    parts += _failures(findings)
    parts += _reasons(findings)
    return Group(*parts)


def _table(findings: Findings, *, simulated: bool) -> Table:
    """Two lines a mode, so that all columns fit 80 characters."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("mode", min_width=15, max_width=30)
    table.add_column("verdict", min_width=14, no_wrap=True)
    for name in ("effect", "interval", "tolerance", "MDE"):
        table.add_column(name, justify="right", no_wrap=True)
    if simulated:
        table.add_column("truth (simulation)", justify="right", min_width=11)
    for finding in findings.findings:
        row: list[RenderableType] = [
            escape("\n  ".join((named(finding), *caveats(finding)))),
            _verdict(finding),
            points(finding.effect, sign=True),
            escape(_interval(finding, len(findings.rounds))),
            points(finding.tolerance),
            points(finding.minimal_detectable_effect),
        ]
        if simulated:
            row.append(_truth(finding))
        table.add_row(*row)
    return table


def _interval(finding: Finding, history: int) -> str:
    """The interval, and once there are several rounds those that it is over."""
    text = span(finding.interval)
    if finding.window is None or history < 2:
        return text
    first, last = finding.window
    return f"{text}\nround {last}" if first == last else f"{text}\nrounds {first}–{last}"


def _verdict(finding: Finding) -> Text:
    shown, items = VERDICTS[finding.verdict], about(finding)
    text = Text(f"{shown.symbol} {shown.word}", STYLES[shown.key])
    if items:
        # The column is as wide as the longest word.
        text.append(f"\n {items}", STYLES[shown.key])
    if finding.visibility is not None:
        text.append(f"\n  {VISIBILITY_WORDS[finding.visibility]}")
    return text


def _truth(finding: Finding) -> Text:
    oracle = finding.oracle
    if oracle is None:
        return Text("–")
    text = Text(points(oracle.effect, sign=True))
    note = agreement(finding)
    if note:
        text.append(f" {note}", "" if oracle.agrees else "bold reverse")
    return text


def _legend(findings: Findings) -> Text:
    """What the verdicts that occur mean, and the units."""
    text = Text(style="dim")
    present = {finding.verdict for finding in findings.findings}
    for key, shown in VERDICTS.items():
        if key in present:
            text.append(f"{shown.symbol} {shown.word}: {shown.meaning}\n")
    text.append(
        "Effects in points (hundredths), positive is worse. MDE: the excess over the tolerance "
        "that is found with probability 0.8.\n"
    )
    return text


def _failures(findings: Findings) -> list[RenderableType]:
    """When each failure began, who could have made it up, and how failures hang together."""
    lines: list[RenderableType] = []
    for finding in findings.findings:
        if finding.verdict != "failure":
            continue
        start = began(finding)
        parts = [
            None if start is None else f"began {start}",
            missing(finding),
            clients_to_flip(finding),
            measured_model(finding) if (finding.unshown or 0.0) > _DOUBTED else None,
            *(f"{group.group}: {span(group.interval)}" for group in finding.subgroups),
        ]
        line = Text(f"{finding.code} {VERDICTS['failure'].symbol} ", STYLES["failure"])
        line.append("; ".join(part for part in parts if part), "default not bold")
        lines.append(line)
    lines += [Text(f"{each.source} → {each.target}: {each.reading}") for each in findings.influence]
    if lines:
        lines.insert(0, Text("\nOf the failures", "bold"))
    return lines


def _reasons(findings: Findings) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for finding in findings.findings:
        if finding.reason is not None:
            shown = VERDICTS[finding.verdict]
            line = Text(f"{finding.code} {shown.symbol} ", STYLES[shown.key])
            line.append(finding.reason, "default not bold")
            lines.append(line)
    if lines:
        lines.insert(0, Text("\nWhat is open, and what would settle it", "bold"))
    return lines
