"""Open text without labels: never a verdict, and how wrong the judge may be before it turns."""

from __future__ import annotations

from typing import Any

import pytest

from unsilent.inference.unlabelled import unlabelled
from unsilent.plan import parse_plan


def plan(**probes: Any) -> Any:
    modes = {name: {"tolerance": 0.2, "clip": 0.6} for name in ("written_help", "written_refusal")}
    return parse_plan({"modes": modes, "probes": probes})


@pytest.mark.parametrize(
    ("verdict", "interval", "says"),
    [
        (
            "failure",
            (0.323, 0.5),
            "FAILURE, unless its error differs between the two adapters by more than 12.3 points",
        ),
        (
            "healthy",
            (-0.1, 0.05),
            "HEALTHY, unless its error differs between the two adapters by more than 15.0 points",
        ),
        ("undetermined", (0.1, 0.3), "open as well"),
    ],
)
def test_it_says_how_wrong_the_judge_may_be(verdict: Any, interval: Any, says: str) -> None:
    said = unlabelled(plan(), "OT-6", verdict, interval)
    assert said is not None and says in said


def test_labels_and_other_modes_are_left_alone() -> None:
    told = plan(labelled_refusal="sites")
    assert unlabelled(told, "OT-6", "failure", (0.3, 0.5)) is None
    assert unlabelled(told, "OT-4", "failure", (0.3, 0.5)) is not None
    assert unlabelled(told, "SF-6", "failure", (0.3, 0.5)) is None
