"""Of which items a verdict speaks stands beside its word, where a plan fixes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.report.test_terminal import rendered
from unsilent.findings import Finding, Findings
from unsilent.plan import parse_plan
from unsilent.report import view

Judge = Callable[..., Finding]


def plan(fixed: str, **probes: Any) -> Any:
    return parse_plan(
        {
            "monitor": {"items": fixed},
            "modes": {"alignment_erosion": {"tolerance": 0.1}},
            "probes": probes,
        }
    )


def test_the_plan_says_how_many() -> None:
    roles = ("harmful", "benign")
    fixed = plan("these")
    assert fixed.fixed_items(roles) == fixed.bank("harmful") + fixed.bank("benign")
    assert plan("these", sampling="same", items=40).fixed_items(roles) == 80
    assert plan("these", banks={"harmful": 100, "benign": 90}).fixed_items(roles) == 190
    assert plan("these", sampling="same", harmful="own.jsonl").fixed_items(roles) == 0
    assert plan("like-these").fixed_items(roles) is None
    assert fixed.fixed_items(("records",)) is None


@pytest.mark.parametrize(
    ("verdict", "items", "word"),
    [
        ("healthy", 64, "HEALTHY on these 64 items"),
        ("failure", 64, "FAILURE on these 64 items"),
        ("healthy", 0, "HEALTHY on these items"),
        ("healthy", None, "HEALTHY"),
        ("undetermined", 64, "UNDETERMINED"),
    ],
)
def test_the_word_says_it(judge: Judge, verdict: str, items: int | None, word: str) -> None:
    finding = replace(judge("SF-1", 0.0, 0.05, verdict), fixed_items=items)
    assert view.verdict(finding).word == word
    assert f"{word} |" in view.markdown_row("SF-1", finding)


def test_the_terminal_says_it_in_the_verdicts_own_cell(
    judge: Judge, findings_with: Callable[..., Findings]
) -> None:
    one = replace(judge("SF-1", 0.0, 0.05, "healthy"), fixed_items=64)
    found = findings_with({"SF-1": one})
    for width in (80, 120):
        text = rendered(found, width)
        assert "on these 64 items" in text
        assert text.count("on these 64 items") == 1
        assert "…" not in text
    assert "HEALTHY on these items" in view.headline(found)
    assert "on these" not in view.headline(findings_with())


def test_a_finding_without_it_keeps_its_bytes(judge: Judge) -> None:
    finding = judge("SF-1", 0.0, 0.05, "healthy")
    assert "fixed_items" not in finding.to_json()
    fixed = replace(finding, fixed_items=64)
    assert Finding.from_json(fixed.to_json()).fixed_items == 64
