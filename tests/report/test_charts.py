"""Charts put numbers where they belong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.findings import Finding
from unsilent.modes import FIRST
from unsilent.report.charts import (
    BAR_WIDTH,
    GAP_X,
    GAP_Y,
    TILE_HEIGHT,
    TILE_WIDTH,
    bar,
    graph,
    scale,
)
from unsilent.report.source import Run
from unsilent.taxonomy import INFLUENCES


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=9))
def test_a_scale_keeps_order_and_holds_every_value(values: list[float]) -> None:
    x = scale(values, 0.0, 320.0)
    placed = [x(value) for value in sorted(values)]
    assert placed == sorted(placed)
    assert all(0 <= each <= 320 for each in placed)


def test_a_bar_keeps_the_order_of_its_numbers(judge: Callable[..., Finding]) -> None:
    found = judge("SF-1", 0.214, 0.07, "failure", visibility="silent", first_alarm_round=1)
    drawn = bar(found.with_oracle(0.2, 96))
    assert drawn is not None
    assert drawn.truth is not None
    order = [drawn.zero.x, drawn.tolerance.x, drawn.lower, drawn.truth, drawn.effect, drawn.upper]
    assert order == sorted(order)
    assert all(0 <= x <= BAR_WIDTH for x in order)
    assert drawn.upper - drawn.effect == pytest.approx(drawn.effect - drawn.lower, abs=0.2)


def test_a_mode_without_an_estimate_has_no_bar(run: Run) -> None:
    assert bar(run.findings.findings[5]) is None


def _ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where a path of absolute commands starts and ends."""
    x = y = 0.0
    spots: list[tuple[float, float]] = []
    for command, numbers in re.findall(r"([MLHV])([-\d.,]+)", path):
        values = [float(number) for number in numbers.split(",")]
        if command in "ML":
            x, y = values
        elif command == "H":
            x = values[0]
        else:
            y = values[0]
        spots.append((x, y))
    return spots[0], spots[-1]


def _boxes() -> dict[str, tuple[float, float]]:
    """The left upper corner of each tile: columns by layer, rows in the taxonomy's order."""
    return {
        code: (place // 2 * (TILE_WIDTH + GAP_X), place % 2 * (TILE_HEIGHT + GAP_Y))
        for place, code in enumerate(FIRST)
    }


def test_each_arrow_starts_and_ends_on_the_edges_of_its_tiles(run: Run) -> None:
    boxes = _boxes()
    for arrow in graph(run.findings.findings).arrows:
        for (x, y), code in zip(_ends(arrow.path), (arrow.source, arrow.target), strict=True):
            left, top = boxes[code]
            inside = left <= x <= left + TILE_WIDTH and top <= y <= top + TILE_HEIGHT
            edge = x in (left, left + TILE_WIDTH) or y in (top, top + TILE_HEIGHT)
            assert inside, arrow
            assert edge, arrow


def test_the_graph_is_the_taxonomys(run: Run) -> None:
    arrows = graph(run.findings.findings).arrows
    drawn = [(a.source, a.target, a.kind) for a in arrows]
    assert drawn == [(i.source, i.target, i.kind) for i in INFLUENCES]
    paths = [arrow.path for arrow in arrows]
    assert len(set(paths)) == len(paths)


def test_a_further_mode_stands_below_those_of_its_layer(run: Run) -> None:
    """In a column of its own it would stand beside the page, and arrows would miss it."""
    seventh = replace(run.findings.findings[0], code="SF-7", mode="over_refusal", layer="model")
    drawn = graph((*run.findings.findings, seventh))
    places = {box.code: (box.x, box.y) for box in drawn.boxes}
    column, row = TILE_WIDTH + GAP_X, TILE_HEIGHT + GAP_Y
    assert places["SF-7"] == (column, 2 * row)
    assert places["SF-6"] == (2 * column, row)
    assert {code: places[code] for code in FIRST} == _boxes()
    assert drawn.height == 3 * TILE_HEIGHT + 2 * GAP_Y
