"""Charts over rounds, drawn by Vega-Altair as SVG, so that the page needs no script.

Colours are the page's own variables: a chart follows it into the dark and onto paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

from unsilent.findings import Findings
from unsilent.report.view import VERDICTS

_WIDTH, _HEIGHT = 430, 170
_VEGA_LITE = "6.1"
_FONT = "system-ui, sans-serif"
_INK, _SOFT, _RULE = "var(--ink)", "var(--soft)", "var(--rule)"
_SHAPES = {"failure": "cross", "undetermined": "diamond", "healthy": "circle"}


def over_rounds(findings: Findings, code: str) -> str | None:
    """One mode over the monitoring rounds: estimate, band, tolerance, onset.

    The band is always valid: it may be read at any round. Marks have a shape for each verdict.

    Returns:
        An SVG, or None with fewer than two rounds that have an estimate.
    """
    finding = next(each for each in findings.findings if each.code == code)
    points = _points(findings, code)
    if len(points) < 2 or finding.tolerance is None:
        return None
    layers: list[Any] = []
    x = alt.X(
        "round:Q",
        title="round",
        axis=alt.Axis(format="d", tickMinStep=1, grid=False),
        scale=alt.Scale(nice=False, padding=12),
    )
    y_title = "effect, points"
    data = alt.Data(values=points)
    if finding.onset is not None:
        began = {
            "first": max(finding.onset.first, points[0]["round"]) - 0.5,
            "last": finding.onset.last + 0.5,
        }
        layers.append(
            alt.Chart(alt.Data(values=[began]))
            .mark_rect(color="var(--failure)", opacity=0.13)
            .encode(x="first:Q", x2="last:Q")
        )
    layers.append(
        alt.Chart(data)
        .mark_area(color=_SOFT, opacity=0.22)
        .encode(x=x, y=alt.Y("lower:Q", title=y_title), y2="upper:Q")
    )
    tolerance = alt.Data(values=[{"y": 100 * finding.tolerance, "text": "tolerance"}])
    layers.append(
        alt.Chart(tolerance).mark_rule(color=_INK, strokeDash=[4, 3], size=1.5).encode(y="y:Q")
    )
    layers.append(
        alt.Chart(tolerance)
        .mark_text(align="right", dx=-2, dy=-6, color=_SOFT, font=_FONT)
        .encode(x=alt.value(_WIDTH), y="y:Q", text="text:N")
    )
    layers.append(alt.Chart(data).mark_line(color=_INK, strokeWidth=1.5).encode(x=x, y="effect:Q"))
    layers.append(
        alt.Chart(data)
        .mark_point(filled=True, size=55, opacity=1)
        .encode(
            x=x,
            y="effect:Q",
            shape=alt.Shape(
                "verdict:N",
                legend=None,
                scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values())),
            ),
            color=alt.Color(
                "verdict:N",
                legend=None,
                scale=alt.Scale(
                    domain=list(_SHAPES), range=[f"var(--{verdict})" for verdict in _SHAPES]
                ),
            ),
        )
    )
    return _svg(alt.layer(*layers).properties(width=_WIDTH, height=_HEIGHT))


def budget(epsilons: Sequence[float], limit: float) -> str | None:
    """Epsilon spent after each release, against the budget; None with fewer than two releases."""
    if len(epsilons) < 2:
        return None
    spent = [{"release": n, "epsilon": e} for n, e in enumerate(epsilons, start=1)]
    x = alt.X(
        "release:Q",
        title="release",
        axis=alt.Axis(format="d", tickMinStep=1, grid=False),
        scale=alt.Scale(nice=False, padding=12),
    )
    bars = (
        alt.Chart(alt.Data(values=spent))
        .mark_bar(color=_SOFT, opacity=0.55, size=8)
        .encode(x=x, y=alt.Y("epsilon:Q", title="epsilon spent", scale=alt.Scale(zero=True)))
    )
    line = (
        alt.Chart(alt.Data(values=[{"y": limit}]))
        .mark_rule(color=_INK, strokeDash=[4, 3], size=1.5)
        .encode(y="y:Q")
    )
    return _svg(alt.layer(bars, line).properties(width=_WIDTH, height=110))


def _points(findings: Findings, code: str) -> list[dict[str, Any]]:
    """One mark a round, in points."""
    found: list[dict[str, Any]] = []
    for past in findings.rounds:
        entry = next(each for each in past.findings if each.code == code)
        if entry.effect is not None and entry.interval is not None:
            found.append(
                {
                    "round": past.round,
                    "effect": 100 * entry.effect,
                    "lower": 100 * entry.interval[0],
                    "upper": 100 * entry.interval[1],
                    "verdict": VERDICTS[entry.verdict].key,
                }
            )
    return found


def _svg(chart: Any) -> str:
    """The chart as SVG without width and height of its own, so that it takes the page's."""
    styled = (
        chart.configure(font=_FONT, background="transparent", aria=False)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_SOFT,
            titleColor=_SOFT,
            domainColor=_RULE,
            tickColor=_RULE,
            gridColor=_RULE,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
        )
    )
    text = vl_convert.vegalite_to_svg(styled.to_dict(), vl_version=_VEGA_LITE)
    # Inside HTML it needs no namespaces, and its size is the page's; the words are the page's too.
    body = text[text.index(">") + 1 :]
    _, _, box = text.partition('viewBox="')
    return f'<svg viewBox="{box.partition(chr(34))[0]}" aria-hidden="true" focusable="false">{body}'
