"""Geometry of the dashboard's own drawings: effects and system metrics over rounds, the budget.

Coordinates only, so that templates draw without a style that its security policy would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.findings import Findings, HistoryEntry, PrivacySummary
from unsilent.report.charts import Scale, scale
from unsilent.report.view import VERDICTS, points

WIDTH, HEIGHT = 320.0, 64.0
"""Of a system metric's line."""
LINE_WIDTH, LINE_HEIGHT = 440.0, 170.0
"""Of an effect's."""
LEFT, RIGHT, TOP, BOTTOM = 44.0, 10.0, 12.0, 24.0
"""Margins of an effect's chart: its axes' labels."""
_ENDS = 8.0


@dataclass(frozen=True)
class Dot:
    """One round in the chart of an effect."""

    x: float
    y: float
    lower: float
    upper: float
    round: int
    words: str
    key: str


@dataclass(frozen=True)
class ModeLine:
    """One mode over the monitoring rounds: a line, its band, and the tolerance."""

    dots: tuple[Dot, ...]
    path: str
    band: str
    tolerance: float
    zero: float
    ticks: tuple[tuple[float, str], ...]


def lines(findings: Findings) -> dict[str, ModeLine]:
    """By code, a chart for each mode with estimates in at least two monitoring rounds."""
    found: dict[str, ModeLine] = {}
    for finding in findings.findings:
        known = [
            (past.round, entry)
            for past in findings.rounds
            for entry in past.findings
            if entry.code == finding.code and entry.effect is not None
        ]
        if len(known) >= 2 and finding.tolerance is not None:
            found[finding.code] = _line(finding.tolerance, known)
    return found


def _line(tolerance: float, known: Sequence[tuple[int, HistoryEntry]]) -> ModeLine:
    values = [0.0, tolerance]
    for _, entry in known:
        values += [entry.effect or 0.0, *(entry.interval or ())]
    y = scale(values, LINE_HEIGHT - BOTTOM, TOP)
    first, last = known[0][0], known[-1][0]
    x = Scale(first, last, LEFT + 8.0, LINE_WIDTH - RIGHT - 8.0)
    dots = tuple(_dot(number, entry, x, y) for number, entry in known)
    outline = [(d.x, d.upper) for d in dots] + [(d.x, d.lower) for d in reversed(dots)]
    return ModeLine(
        dots=dots,
        path=" ".join(f"{d.x},{d.y}" for d in dots),
        band=" ".join(f"{px},{py}" for px, py in outline),
        tolerance=y(tolerance),
        zero=y(0.0),
        ticks=_ticks(values, y),
    )


def _ticks(values: Sequence[float], y: Scale) -> tuple[tuple[float, str], ...]:
    """Zero, and the ends where they stand clear of it."""
    ends = [value for value in (min(values), max(values)) if abs(y(value) - y(0.0)) > 14]
    return tuple((y(value), points(value)) for value in [0.0, *ends])


def _dot(number: int, entry: HistoryEntry, x: Scale, y: Scale) -> Dot:
    effect = entry.effect or 0.0
    lower, upper = entry.interval or (effect, effect)
    shown = VERDICTS[entry.verdict]
    return Dot(
        x=x(number),
        y=y(effect),
        lower=y(lower),
        upper=y(upper),
        round=number,
        words=f"round {number}: {points(effect, sign=True)} [{points(lower)}, {points(upper)}] "
        f"{shown.word}",
        key=shown.key,
    )


@dataclass(frozen=True)
class BudgetBar:
    """How much of a budget is spent: a share in [0, 1], and words."""

    share: float
    words: str


def budget_bar(privacy: PrivacySummary) -> BudgetBar:
    """The bar of a run's epsilon; an empty one where there is none."""
    if privacy.epsilon is None or privacy.epsilon_spent is None or privacy.delta is None:
        return BudgetBar(0.0, "no differential privacy, so that there is no budget")
    share = min(max(privacy.epsilon_spent / privacy.epsilon, 0.0), 1.0)
    return BudgetBar(
        round(share, 4),
        f"epsilon {privacy.epsilon_spent:.3g} of {privacy.epsilon:g} spent, "
        f"{100 * share:.0f}%, at delta {privacy.delta:g}",
    )


@dataclass(frozen=True)
class MetricLine:
    """A metric over rounds: a polyline in a WIDTH by HEIGHT box, with its first and last point."""

    path: str
    first: tuple[float, float, int, float]
    last: tuple[float, float, int, float]


def metric_line(values: Sequence[tuple[int, float]]) -> MetricLine | None:
    """The line through (round, value) pairs, oldest first; None for fewer than two."""
    if len(values) < 2:
        return None
    x = Scale(values[0][0], values[-1][0], _ENDS, WIDTH - _ENDS)
    y = scale([value for _, value in values], HEIGHT - _ENDS, _ENDS)
    spots = [(x(number), y(value)) for number, value in values]
    (first, low), (last, high) = values[0], values[-1]
    return MetricLine(
        " ".join(f"{across},{up}" for across, up in spots),
        (*spots[0], first, low),
        (*spots[-1], last, high),
    )
