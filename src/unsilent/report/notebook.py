"""Findings in a notebook: the headline and one line a mode, as HTML of its own."""

from __future__ import annotations

from html import escape

from unsilent.findings import Finding, Findings, PerformanceFinding
from unsilent.report import view
from unsilent.report.decision import caveats
from unsilent.report.performance_table import drifted, named

_COLUMNS = ("mode", "verdict", "effect", "interval", "tolerance", "")


def html(findings: Findings) -> str:
    """A table without styles or scripts, in points; everything that is said is escaped."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(finding) for finding in findings.findings)
    rows += "".join(_performed(each) for each in findings.performance)
    drift = "".join(f"<p>{escape(drifted(each))}</p>" for each in findings.drift)
    scenario = f", simulated scenario {findings.scenario}" if findings.scenario else ""
    about = f"{findings.name}{scenario}: round {findings.round}, {findings.clients} clients."
    return (
        f"<p><b>{escape(view.headline(findings))}</b> {escape(about)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{drift}"
        f"<p>In points (hundredths), positive is worse. {escape(findings.privacy.statement)}</p>"
    )


def _row(finding: Finding) -> str:
    shown = view.verdict(finding)
    badge = view.BADGES.get(finding.visibility or "", "")
    cells = (
        view.named(finding),
        f"{shown.symbol} {shown.word} {badge}".strip(),
        view.points(finding.effect, sign=True),
        view.span(finding.interval),
        view.points(finding.tolerance),
        "; ".join(caveats(finding)) or finding.reason or "",
    )
    return _cells(cells)


def _performed(found: PerformanceFinding) -> str:
    shown = view.VERDICTS[found.verdict]
    cells = (
        f"on clients' records: {named(found)}",
        f"{shown.symbol} {shown.word}",
        view.points(found.effect, sign=True),
        view.span(found.interval),
        view.points(found.tolerance),
        found.reason or "",
    )
    return _cells(cells)


def _cells(cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
