"""Charts put numbers where they belong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.findings import Finding
from unsilent.report.charts import BAR_WIDTH, LINE_HEIGHT, bar, graph, lines, scale
from unsilent.report.source import Run


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


def test_a_line_has_its_band_around_it_and_larger_is_higher(run: Run) -> None:
    chart = lines(run.findings)[0]
    first, last = chart.dots
    assert (first.round, last.round) == (1, 2)
    assert last.y < chart.tolerance < chart.zero
    assert first.x < last.x
    for dot in chart.dots:
        assert 0 <= dot.upper < dot.y < dot.lower <= LINE_HEIGHT


def test_a_mode_that_was_not_planned_has_no_line(run: Run) -> None:
    assert [chart.code for chart in lines(run.findings)] == [f"SF-{n}" for n in range(1, 6)]


def test_nodes_of_the_graph_stay_apart_and_inside(run: Run) -> None:
    drawn = graph(run.findings)
    places = {(node.x, node.y) for node in drawn.nodes}
    assert len(places) == 6
    assert all(39 <= x <= drawn.width - 39 and 20 <= y <= drawn.height - 20 for x, y in places)
