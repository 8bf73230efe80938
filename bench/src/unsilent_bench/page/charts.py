"""Charts of the page: Vega-Lite specifications, drawn as SVG when the page is made.

Colours are the page's own CSS variables, so that a chart follows dark mode and print; the page
needs no script. Each series differs in dash and shape as well as in colour.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from unsilent.errors import InputError

VEGA_LITE = "6.4"
WIDTH, HEIGHT = 250, 150
TODAY = "today's means"

Data = Mapping[str, Any]
Chart = dict[str, Any]


@dataclass(frozen=True)
class Series:
    """How one line is drawn."""

    name: str
    colour: str
    dash: tuple[int, ...]
    shape: str


SERIES = (
    Series("no noise", "var(--s0)", (1, 0), "circle"),
    Series("ε = 8", "var(--s1)", (6, 2), "square"),
    Series("ε = 2", "var(--s2)", (4, 3), "diamond"),
    Series("ε = 1", "var(--s3)", (2, 2), "triangle-up"),
    Series(TODAY, "var(--s4)", (1, 3), "cross"),
)


def budget(epsilon: float | None) -> str:
    """The name of a budget's series."""
    return "no noise" if epsilon is None else f"ε = {epsilon:g}"


def drawn(chart: Chart, words: str) -> str:
    """A chart as SVG markup for the page.

    Args:
        chart: As the functions below give it.
        words: What it shows, for those who do not see it.

    Raises:
        InputError: The package that draws is missing.
    """
    try:
        import vl_convert
    except ImportError:
        raise InputError(
            "drawing charts needs the package vl-convert-python",
            where="benchmark page",
            remedy="From a checkout: pip install ./bench.",
        ) from None
    text = vl_convert.vegalite_to_svg(chart, vl_version=VEGA_LITE)
    # What a reader of the page is told is one sentence, not a tree of marks.
    plain = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", text)
    return plain.replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)


def dose_response(rows: Sequence[Data]) -> Chart:
    """Detection against dose, a line for each budget and for today's means.

    Args:
        rows: Of one scenario and size, ours and ``system-mean``.
    """
    values = [
        {
            "dose": row["dose"],
            "share": row["detection"],
            "low": row["interval"][0],
            "high": row["interval"][1],
            "series": TODAY if row["method"] == "system-mean" else budget(row["epsilon"]),
        }
        for row in rows
        if row["detection"] is not None
    ]
    doses = ["none", "mild", "medium", "strong"]
    x = {
        "field": "dose",
        "type": "ordinal",
        "sort": doses,
        "scale": {"domain": doses, "type": "band", "paddingInner": 0.25},
        "axis": {"title": None, "labelAngle": 0, "grid": False},
    }
    return _chart({"layer": _lines(values, x, apart=True)})


def power(points: Sequence[Data]) -> Chart:
    """Detection against clients, a line for each budget, with 95% and the recorded number."""
    values = [
        {
            "clients": point["clients"],
            "share": point["detection"],
            "series": budget(point["epsilon"]),
        }
        for point in points
    ]
    sizes = sorted({point["clients"] for point in points})
    x = {
        "field": "clients",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False, "domain": [sizes[0], sizes[-1]]},
        "axis": {"title": "clients", "values": sizes[::2], "format": "d", "grid": False},
    }
    bar = {
        "data": {"values": [{"share": 0.95}]},
        "mark": {"type": "rule", "color": "var(--ink)", "strokeDash": [4, 3], "opacity": 0.6},
        "encoding": {"y": {"field": "share", "type": "quantitative"}},
    }
    return _chart({"layer": [bar, *_lines(values, x)]})


def onset(courses: Sequence[Data]) -> Chart:
    """Above, the effect by full access over rounds; below, the share of runs heard by each round.

    Args:
        courses: Of one scenario and size, one for each budget.
    """
    some = courses[0]
    rounds = range(1, len(some["truth"]) + 1)
    x = {
        "field": "round",
        "type": "quantitative",
        "scale": {"domain": [1, len(some["truth"])], "nice": False},
        "axis": {"title": None, "values": list(rounds), "format": "d", "grid": False},
    }
    effects = [
        {"round": n, "effect": 100 * e, "low": 100 * low, "high": 100 * high}
        for n, e, low, high in zip(rounds, some["truth"], some["low"], some["high"], strict=True)
    ]
    y = {
        "field": "effect",
        "type": "quantitative",
        "axis": {"title": "effect, points", "tickCount": 4},
    }
    above: list[dict[str, Any]] = [
        {
            "data": {"values": effects},
            "mark": {"type": "area", "color": "var(--truth)", "opacity": 0.18},
            "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": effects},
            "mark": {"type": "line", "color": "var(--truth)", "strokeWidth": 2},
            "encoding": {"x": x, "y": y},
        },
    ]
    if some["tolerance"] is not None:
        above.append(
            {
                "data": {"values": [{"effect": 100 * some["tolerance"]}]},
                "mark": {"type": "rule", "color": "var(--ink)", "strokeDash": [4, 3]},
                "encoding": {"y": y},
            }
        )
    heard = [
        {"round": n, "share": share, "series": budget(c["epsilon"])}
        for c in courses
        for n, share in zip(rounds, c["heard"], strict=True)
    ]
    below = _lines(heard, x | {"axis": x["axis"] | {"title": "round"}}, title="heard by then")
    return _chart(
        {
            "vconcat": [
                {"width": WIDTH, "height": 90, "layer": above},
                {"width": WIDTH, "height": 90, "layer": below},
            ],
            "spacing": 12,
            "resolve": {"scale": {"color": "independent"}},
        }
    )


def effects(variants: Sequence[Data]) -> Chart:
    """The effect of one scenario under each way of training, with its interval and tolerance."""
    values = [
        {
            "training": _training(each),
            "effect": 100 * each["effect"],
            "low": 100 * (each["effect_interval"] or [each["effect"]] * 2)[0],
            "high": 100 * (each["effect_interval"] or [each["effect"]] * 2)[1],
        }
        for each in variants
    ]
    y = {
        "field": "training",
        "type": "ordinal",
        "sort": None,
        "axis": {"title": None, "grid": False, "labelLimit": 130},
    }
    x = {
        "field": "effect",
        "type": "quantitative",
        "scale": {"zero": True},
        "axis": {"title": "effect, points", "tickCount": 4},
    }
    layer = [
        {
            "data": {"values": [{"effect": 100 * variants[0]["tolerance"]}]},
            "mark": {"type": "rule", "color": "var(--ink)", "strokeDash": [4, 3]},
            "encoding": {"x": x},
        },
        {
            "data": {"values": values},
            "mark": {"type": "rule", "color": "var(--truth)", "strokeWidth": 2},
            "encoding": {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}},
        },
        {
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "color": "var(--truth)", "size": 60},
            "encoding": {"y": y, "x": x},
        },
    ]
    return _chart({"layer": layer, "height": {"step": 24}, "width": 190})


def _training(variant: Data) -> str:
    """A way of training in few words."""
    kind = str(variant["training"]).split(":")[0].removeprefix("dp-")
    name = {"fedavg": "FedAvg", "sgd": "SGD"}.get(kind, kind)
    return name if variant["epsilon"] is None else f"{name}, ε {variant['epsilon']:.2g}"


def _lines(
    values: Sequence[Data], x: dict[str, Any], title: str = "found", *, apart: bool = False
) -> list[dict[str, Any]]:
    """Lines of shares with points, by series; side by side and with intervals if ``apart``."""
    known = [each for each in SERIES if any(value["series"] == each.name for value in values)]
    names = [each.name for each in known]
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": title, "format": "%", "tickCount": 3},
    }
    by = {"field": "series", "type": "nominal", "legend": None}
    colour = by | {"scale": {"domain": names, "range": [each.colour for each in known]}}
    dash = by | {"scale": {"domain": names, "range": [list(each.dash) for each in known]}}
    shape = by | {"scale": {"domain": names, "range": [each.shape for each in known]}}
    data = {"values": list(values)}
    place: dict[str, Any] = {"x": x, "color": colour}
    if apart:
        place["xOffset"] = {"field": "series", "type": "nominal", "scale": {"domain": names}}
    intervals = {
        "data": data,
        "mark": {"type": "rule", "opacity": 0.45, "strokeWidth": 1.5},
        "encoding": {**place, "y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    line = {
        "data": data,
        "mark": {"type": "line", "strokeWidth": 1.8, "opacity": 0.8},
        "encoding": {**place, "y": y, "strokeDash": dash},
    }
    point = {
        "data": data,
        "mark": {"type": "point", "filled": True, "size": 34, "opacity": 1},
        "encoding": {**place, "y": y, "shape": shape},
    }
    return [intervals, line, point] if apart else [line, point]


def _chart(chart: Chart) -> Chart:
    """The chart in the page's looks; a single one in its usual size unless it says another."""
    size = {} if "vconcat" in chart else {"width": WIDTH, "height": HEIGHT}
    return {"background": "transparent", "config": _CONFIG, **size, **chart}


_CONFIG = {
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "gridColor": "var(--rule)",
        "domainColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
}
