"""Charts over rounds: the numbers that are drawn are those of the findings."""

import re
import xml.etree.ElementTree as ET

from unsilent.findings import Findings
from unsilent.report.figures import budget, over_rounds
from unsilent.report.source import Run


def _paths(svg: str, mark: str) -> list[str]:
    group = re.search(rf'class="mark-{mark} role-mark[^"]*".*?</g>', svg, re.S)
    assert group is not None
    return re.findall(r'd="([^"]+)"', group.group(0))


def test_a_chart_is_whole_and_asks_for_nothing(run: Run) -> None:
    svg = over_rounds(run.findings, "SF-1")
    assert svg is not None
    ET.fromstring(svg)
    assert "http" not in svg
    assert "var(--failure)" in svg


def test_higher_effects_are_drawn_higher(run: Run) -> None:
    svg = over_rounds(run.findings, "SF-1")
    assert svg is not None
    (line,) = _paths(svg, "line")
    heights = [float(y) for y in re.findall(r"[ML][-\d.]+,([-\d.]+)", line)]
    # The effect grew from 5 to 21.4 points.
    assert len(heights) == 2
    assert heights[1] < heights[0]


def test_each_round_has_a_mark_in_the_colour_of_its_verdict(run: Run) -> None:
    svg = over_rounds(run.findings, "SF-1")
    assert svg is not None
    marks = re.search(r'class="mark-symbol role-mark[^"]*".*?</g>', svg, re.S)
    assert marks is not None
    assert re.findall(r'fill="(var\([^)]+\))"', marks.group(0)) == [
        "var(--undetermined)",
        "var(--failure)",
    ]


def test_no_chart_without_two_estimates(run: Run) -> None:
    assert over_rounds(run.findings, "SF-6") is None
    short = Findings(**{**vars(run.findings), "rounds": run.findings.rounds[-1:]})
    assert over_rounds(short, "SF-1") is None


def test_the_budget_is_drawn_with_its_limit() -> None:
    svg = budget([1.0, 2.0, 3.0], 8.0)
    assert svg is not None
    assert len(_paths(svg, "rect")) == 3
    assert budget([1.0], 8.0) is None
