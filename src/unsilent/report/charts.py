"""Geometry of the page's charts: from numbers to coordinates, so that the template only draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from unsilent.findings import Finding
from unsilent.modes.base import Layer
from unsilent.report.view import points
from unsilent.taxonomy import INFLUENCES

BAR_WIDTH, BAR_HEIGHT = 320.0, 74.0


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


TILE_WIDTH, TILE_HEIGHT = 340.0, 100.0
GAP_X, GAP_Y = 64.0, 56.0
_LANE = 11.0


@dataclass(frozen=True)
class Arrow:
    """An influence, from the edge of one tile to the edge of another."""

    source: str
    target: str
    kind: str
    path: str


@dataclass(frozen=True)
class Box:
    """A mode in the drawing: its code, and the left upper corner."""

    code: str
    x: float
    y: float


@dataclass(frozen=True)
class InfluenceGraph:
    """The influence graph as a drawing of its own: one column of boxes for each layer."""

    width: float
    height: float
    arrows: tuple[Arrow, ...]
    boxes: tuple[Box, ...]


def graph(findings: Sequence[Finding]) -> InfluenceGraph:
    """Boxes that stand in columns by layer, in the findings' order, and arrows between them.

    Arrows run in the gaps: straight between neighbours, else along the gap between the rows.
    """
    layers = get_args(Layer)
    filled = dict.fromkeys(layers, 0)
    spots: dict[str, tuple[int, int]] = {}
    for finding in findings:
        spots[finding.code] = (layers.index(finding.layer), filled[finding.layer])
        filled[finding.layer] += 1
    rows = max(1, *filled.values())
    shown = [each for each in INFLUENCES if each.source in spots and each.target in spots]
    far = [i for i in shown if abs(spots[i.source][0] - spots[i.target][0]) > 1]
    arrows = [
        Arrow(
            each.source,
            each.target,
            each.kind,
            _route(
                spots[each.source],
                spots[each.target],
                _LANE * (2 * far.index(each) - 1) if each in far else 0.0,
            ),
        )
        for each in shown
    ]
    return InfluenceGraph(
        width=len(layers) * TILE_WIDTH + (len(layers) - 1) * GAP_X,
        height=rows * TILE_HEIGHT + (rows - 1) * GAP_Y,
        arrows=tuple(arrows),
        boxes=tuple(
            Box(code, column * (TILE_WIDTH + GAP_X), row * (TILE_HEIGHT + GAP_Y))
            for code, (column, row) in spots.items()
        ),
    )


def _route(source: tuple[int, int], target: tuple[int, int], lane: float) -> str:
    """An SVG path between two tiles, by column and row; ``lane`` keeps far ones apart."""
    left, top = (place * (size + gap) for place, size, gap in _sizes(source))
    to_left, to_top = (place * (size + gap) for place, size, gap in _sizes(target))
    across, down = target[0] - source[0], target[1] - source[1]
    if across == 0:
        x = left + TILE_WIDTH / 2
        ends = (top + TILE_HEIGHT, to_top) if down > 0 else (top, to_top + TILE_HEIGHT)
        return f"M{x:g},{ends[0]:g} V{ends[1]:g}"
    right = across > 0
    start = left + TILE_WIDTH if right else left
    end = to_left if right else to_left + TILE_WIDTH
    middle, to_middle = top + TILE_HEIGHT / 2, to_top + TILE_HEIGHT / 2
    if abs(across) == 1:
        # A quarter of the height apart from straight neighbours.
        shift = TILE_HEIGHT / 4 if down else 0.0
        y, to_y = middle + math.copysign(shift, down), to_middle - math.copysign(shift, down)
        return f"M{start:g},{y:g} L{end:g},{to_y:g}"
    side = math.copysign(GAP_X / 2, across)
    between = min(top, to_top) + TILE_HEIGHT + GAP_Y / 2 + lane
    turn = math.copysign(TILE_HEIGHT / 4, down)
    return (
        f"M{start:g},{middle + turn:g} H{start + side + lane:g} V{between:g} "
        f"H{end - side + lane:g} V{to_middle - turn:g} H{end:g}"
    )


def _sizes(spot: tuple[int, int]) -> tuple[tuple[int, float, float], tuple[int, float, float]]:
    return (spot[0], TILE_WIDTH, GAP_X), (spot[1], TILE_HEIGHT, GAP_Y)
