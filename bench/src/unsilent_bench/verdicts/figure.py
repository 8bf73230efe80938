"""The benchmark's one figure, drawn as SVG: false alarms of every method, and power of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from unsilent_bench.verdicts.rows import METHODS, OWN_METHOD, VerdictRow

_WIDTH, _LEFT, _RIGHT = 760.0, 150.0, 24.0
_LINE = 30.0
_OUR_COLOUR, _OTHER_COLOUR, _GREY, _BAR = "#0b6e4f", "#b5523b", "#6b7280", "#111827"
_SIZES = {10: 3.0, 30: 4.0, 100: 5.0, 1000: 6.5}
_ALPHA = 0.05


def figure(rows: Sequence[VerdictRow]) -> str:
    """The figure as one SVG document, without outside references.

    Above: for each method the share of runs with a false alarm, one dot a cell, larger for more
    clients. Below: power of ours less the power to reach, with two standard errors, by population.
    """
    methods = [name for name in METHODS if any(r.method == name for r in _errors(rows))]
    first = 64.0
    second = first + _LINE * len(methods) + 96.0
    powers = [row for row in rows if row.part == "power" and row.method in OWN_METHOD]
    height = second + 236.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:g}" '
        f'width="{_WIDTH:g}" height="{height:g}" font-family="system-ui, sans-serif" '
        'font-size="13" role="img" aria-label="False alarms of each method and power of ours">',
        f'<rect width="{_WIDTH:g}" height="{height:g}" fill="#ffffff"/>',
        _text(16, 26, "How often is there a false alarm?", size=16, weight=600),
        _text(
            16,
            46,
            "Share of runs with a FAILURE of an accepted effect. "
            "Larger dots have more clients; hollow: the reference is off.",
            colour=_GREY,
        ),
        *_alarms(rows, methods, first),
        _text(16, second - 34, "Is a failure found that should be?", size=16, weight=600),
        _text(
            16,
            second - 14,
            "Power less the power asked for, with two standard errors. "
            "Filled: boundary; hollow: e-process.",
            colour=_GREY,
        ),
        *_powers(powers, second),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _errors(rows: Sequence[VerdictRow]) -> list[VerdictRow]:
    return [r for r in rows if r.part == "errors" and r.false_alarm_rate is not None]


def _alarms(rows: Sequence[VerdictRow], methods: Sequence[str], top: float) -> list[str]:
    bottom = top + _LINE * len(methods)

    def x(value: float) -> float:
        # The square root gives room to the small rates, which are the ones that matter.
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value**0.5

    drawn: list[str] = []
    for tick in (0.0, 0.01, 0.05, 0.2, 0.5, 1.0):
        strong = tick == _ALPHA
        drawn.append(_rule(x(tick), top, x(tick), bottom, _BAR if strong else "#e5e7eb"))
        label = "5% promised" if strong else f"{tick:.0%}"
        drawn.append(_text(x(tick), bottom + 18, label, anchor="middle", colour=_BAR))
    for index, method in enumerate(methods):
        middle = top + _LINE * (index + 0.5)
        colour = _OUR_COLOUR if method in OWN_METHOD else _OTHER_COLOUR
        weight = 600 if method in OWN_METHOD else 400
        drawn.append(
            _text(_LEFT - 12, middle + 4, method, anchor="end", colour=colour, weight=weight)
        )
        for row in (r for r in _errors(rows) if r.method == method):
            rate = row.false_alarm_rate or 0.0
            # Where the reference itself is off, nothing is promised.
            edge, inside = (0.8, 0.0) if row.scenario == "shared-baseline" else (0.0, 0.4)
            place = sorted(_SIZES).index(row.clients) if row.clients in _SIZES else 0
            words = (
                f"{method}, {row.clients} clients, {row.population}, {row.scenario}, "
                f"{row.rounds} rounds, epsilon {row.epsilon or 'none'}: {rate:.3f}"
            )
            drawn.append(
                f'<circle cx="{x(rate):.1f}" cy="{middle - 7.5 + 5 * place:.1f}" '
                f'r="{_SIZES.get(row.clients, 4.0):g}" stroke="{colour}" fill="{colour}" '
                f'stroke-opacity="{edge}" fill-opacity="{inside}">'
                f"<title>{escape(words)}</title></circle>"
            )
    return drawn


def _powers(rows: Sequence[VerdictRow], top: float) -> list[str]:
    """A panel for each population: measured power less the power to reach, by clients."""
    width, height, gap = 250.0, 180.0, 90.0
    low, high = -0.8, 0.3
    sizes = tuple(_SIZES)
    drawn: list[str] = []

    def y(value: float) -> float:
        return top + height * (high - min(max(value, low), high)) / (high - low)

    for panel, population in enumerate(("enrolled", "like-these")):
        left = _LEFT - 70 + panel * (width + gap)
        for tick in (-0.8, -0.4, 0.0, 0.2):
            strong = tick == 0
            drawn.append(_rule(left, y(tick), left + width, y(tick), _BAR if strong else "#e5e7eb"))
            label = "as asked" if strong else f"{tick:+.1f}".replace("-", "−")
            drawn.append(_text(left - 8, y(tick) + 4, label, anchor="end"))
        middle = left + width / 2
        drawn.append(_text(middle, top + height + 38, f"clients, {population}", anchor="middle"))
        for place, clients in enumerate(sizes):
            centre = left + width * (place + 0.5) / len(sizes)
            drawn.append(_text(centre, top + height + 18, str(clients), anchor="middle"))
            here = [r for r in rows if (r.clients, r.population) == (clients, population)]
            for number, row in enumerate(here):
                across = centre + 44 * ((number + 0.5) / len(here) - 0.5)
                drawn += _power_dot(row, across, y)
    return drawn


def _power_dot(row: VerdictRow, across: float, y: Callable[[float], float]) -> list[str]:
    if row.power is None or row.power_reference is None:
        return []
    lead, spread = row.power - row.power_reference, 2 * (row.power_error or 0.0)
    words = (
        f"{row.method}, {row.scenario}, {row.clients} clients, epsilon {row.epsilon or 'none'}, "
        f"{row.mode}: {row.power:.2f}, to reach {row.power_reference:.2f}"
    )
    fill = _OUR_COLOUR if row.method == OWN_METHOD[0] else "#ffffff"
    return [
        _rule(across, y(lead - spread), across, y(lead + spread), _OUR_COLOUR),
        f'<circle cx="{across:.1f}" cy="{y(lead):.1f}" r="4" fill="{fill}" '
        f'stroke="{_OUR_COLOUR}"><title>{escape(words)}</title></circle>',
    ]


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}" stroke="{colour}" fill="none"/>'


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    colour: str = _BAR,
    size: int = 13,
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
    )
