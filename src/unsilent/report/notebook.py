"""Findings in a notebook: the headline and one line a mode, as HTML of its own."""

from __future__ import annotations

from html import escape

from unsilent.findings import Finding, Findings
from unsilent.report import view
from unsilent.report.decision import caveats

_COLUMNS = ("mode", "verdict", "effect", "interval", "tolerance", "")


def html(findings: Findings) -> str:
    """A table without styles or scripts, in points; everything that is said is escaped."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(finding) for finding in findings.findings)
    scenario = f", simulated scenario {findings.scenario}" if findings.scenario else ""
    about = f"{findings.name}{scenario}: round {findings.round}, {findings.clients} clients."
    return (
        f"<p><b>{escape(view.headline(findings))}</b> {escape(about)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
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
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
