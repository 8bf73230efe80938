"""Federations that measure another model than their arrays say never end HEALTHY."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("ignored_scores")


def test_without_a_fault_the_verdict_is_the_truth(script: ModuleType) -> None:
    found = script.federation(None, script.MILD, 4)
    assert (found["verdict"], found["reason"]) == ("healthy", None)
    assert found["unshown"] < 0.1
    assert script.federation(None, script.STRONG, 4)["verdict"] == "failure"


@pytest.mark.parametrize(
    "name",
    [
        "the adapter is never applied",
        "every second client's engine drops it",
        "the last layer is not found",
        "another base for the adapter, as weights that a folder lacks are made up",
    ],
)
def test_with_one_it_is_not_healthy_and_says_why(script: ModuleType, name: str) -> None:
    fault = next(each for each in script.FAULTS if each.name == name)
    found = script.federation(fault, script.MILD, 4)
    assert found["verdict"] == "undetermined"
    assert "could not be shown to be the personalized one" in found["reason"]


def test_what_changed_beyond_the_tolerance_is_not_called_healthy_by_a_dropped_adapter(
    script: ModuleType,
) -> None:
    assert script.federation(script.FAULTS[0], script.STRONG, 4)["verdict"] == "undetermined"
