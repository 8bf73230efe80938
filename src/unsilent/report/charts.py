"""Geometry of the page's charts: from numbers to coordinates, so that the template only draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unsilent.findings import Finding, Findings, HistoryEntry
from unsilent.report.view import VERDICTS, points
from unsilent.taxonomy import INFLUENCES, SILENT_FAILURES

BAR_WIDTH, BAR_HEIGHT = 320.0, 74.0
LINE_WIDTH, LINE_HEIGHT = 320.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 12.0, 24.0


@dataclass(frozen=True)
class Scale:
    """A straight line from values to coordinates."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The coordinate of a value, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def scale(values: Sequence[float], start: float, end: float) -> Scale:
    """A scale that holds all values with some room at both ends."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.01
    return Scale(low - room, high + room, start, end)


@dataclass(frozen=True)
class Mark:
    """A position with a label whose text stays inside the chart."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True)
class Bar:
    """An effect with its interval against the tolerance, on a line of its own scale.

    All positions are x coordinates in [0, BAR_WIDTH]; None where there is nothing to draw.
    """

    zero: Mark
    tolerance: Mark
    lower: float
    upper: float
    effect: float
    truth: float | None
    words: str


def bar(finding: Finding) -> Bar | None:
    """The bar of a finding, or None if it has no estimate."""
    if finding.effect is None or finding.interval is None or finding.tolerance is None:
        return None
    oracle = finding.oracle
    values = [0.0, finding.tolerance, finding.effect, *finding.interval]
    if oracle is not None:
        values.append(oracle.effect)
    x = scale(values, 6.0, BAR_WIDTH - 6.0)
    words = (
        f"effect {points(finding.effect, sign=True)} points, interval "
        f"{points(finding.interval[0])} to {points(finding.interval[1])}, tolerance "
        f"{points(finding.tolerance)}"
    )
    if oracle is not None:
        words += f", truth in simulation {points(oracle.effect, sign=True)}"
    return Bar(
        zero=_mark(x(0.0), "0", 12.0),
        tolerance=_mark(x(finding.tolerance), f"tolerance {points(finding.tolerance)}", 50.0),
        lower=x(finding.interval[0]),
        upper=x(finding.interval[1]),
        effect=x(finding.effect),
        truth=None if oracle is None else x(oracle.effect),
        words=words,
    )


def _mark(x: float, label: str, half: float) -> Mark:
    anchor = "start" if x < half else "end" if x > BAR_WIDTH - half else "middle"
    return Mark(x, label, anchor)


@dataclass(frozen=True)
class Dot:
    """One round in a history chart."""

    x: float
    y: float
    lower: float
    upper: float
    round: int
    words: str
    symbol: str
    key: str


@dataclass(frozen=True)
class Line:
    """One mode over the monitoring rounds: a line, its band, and the tolerance."""

    code: str
    dots: tuple[Dot, ...]
    path: str
    band: str
    tolerance: float
    zero: float
    ticks: tuple[tuple[float, str], ...]


def lines(findings: Findings) -> tuple[Line, ...]:
    """A chart for each mode with estimates in at least two monitoring rounds."""
    charts: list[Line] = []
    for index, finding in enumerate(findings.findings):
        past = [(each.round, each.findings[index]) for each in findings.rounds]
        known = [(number, entry) for number, entry in past if entry.effect is not None]
        if len(known) >= 2 and finding.tolerance is not None:
            charts.append(_line(finding.code, finding.tolerance, known))
    return tuple(charts)


def _line(code: str, tolerance: float, known: Sequence[tuple[int, HistoryEntry]]) -> Line:
    values = [0.0, tolerance]
    for _, entry in known:
        values += [entry.effect or 0.0, *(entry.interval or ())]
    y = scale(values, LINE_HEIGHT - _BOTTOM, _TOP)
    first, last = known[0][0], known[-1][0]
    x = Scale(first, last, _LEFT + 8.0, LINE_WIDTH - _RIGHT - 8.0)
    dots = tuple(_dot(number, entry, x, y) for number, entry in known)
    outline = [(d.x, d.upper) for d in dots] + [(d.x, d.lower) for d in reversed(dots)]
    return Line(
        code=code,
        dots=dots,
        path=" ".join(f"{d.x},{d.y}" for d in dots),
        band=" ".join(f"{px},{py}" for px, py in outline),
        tolerance=y(tolerance),
        zero=y(0.0),
        ticks=tuple((y(v), points(v)) for v in (min(values), max(values))),
    )


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
        symbol=shown.symbol,
        key=shown.key,
    )


@dataclass(frozen=True)
class Node:
    """A mode in the influence graph, at its centre."""

    code: str
    x: float
    y: float
    key: str
    symbol: str
    word: str


@dataclass(frozen=True)
class Arrow:
    """An influence, from the edge of one node to the edge of another."""

    path: str
    kind: str
    words: str


@dataclass(frozen=True)
class Graph:
    """The paper's influence graph, nodes coloured by verdict, one column for each layer."""

    width: float
    height: float
    columns: tuple[tuple[float, str], ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


NODE_WIDTH, NODE_HEIGHT = 78.0, 40.0
_COLUMN, _ROW = 150.0, 100.0


def graph(findings: Findings) -> Graph:
    """The graph, laid out by layer in the taxonomy's order."""
    layers = list(dict.fromkeys(failure.layer for failure in SILENT_FAILURES))
    filled = dict.fromkeys(layers, 0)
    verdicts = {finding.code: VERDICTS[finding.verdict] for finding in findings.findings}
    nodes: dict[str, Node] = {}
    for failure in SILENT_FAILURES:
        x = 50.0 + _COLUMN * layers.index(failure.layer)
        y = 64.0 + _ROW * filled[failure.layer]
        filled[failure.layer] += 1
        shown = verdicts[failure.code]
        nodes[failure.code] = Node(failure.code, x, y, shown.key, shown.symbol, shown.word)
    arrows = tuple(
        Arrow(
            _arrow(nodes[each.source], nodes[each.target]),
            each.kind,
            f"{each.source} influences {each.target} ({each.kind})",
        )
        for each in INFLUENCES
    )
    return Graph(
        width=100.0 + _COLUMN * (len(layers) - 1),
        height=104.0 + _ROW * (max(filled.values()) - 1),
        columns=tuple((50.0 + _COLUMN * i, layer) for i, layer in enumerate(layers)),
        nodes=tuple(nodes.values()),
        arrows=arrows,
    )


def _arrow(source: Node, target: Node) -> str:
    """A straight path between two nodes' borders, with a gap for the arrow's head."""
    dx, dy = target.x - source.x, target.y - source.y
    # The share of the way at which the line leaves a node's box.
    ways = [half / abs(d) for half, d in ((NODE_WIDTH / 2, dx), (NODE_HEIGHT / 2, dy)) if d]
    leave = min(ways)
    gap = 5.0 / (dx**2 + dy**2) ** 0.5
    start, end = leave, 1 - leave - gap
    return (
        f"M{source.x + start * dx:.1f},{source.y + start * dy:.1f} "
        f"L{source.x + end * dx:.1f},{source.y + end * dy:.1f}"
    )
