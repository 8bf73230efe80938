"""Which cells of the replay miss what is asked of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import CODES

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def missed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, with the plan of synthetic federations."""
    monkeypatch.syspath_prepend(FOLDER)
    import missed_cells

    monkeypatch.setattr(missed_cells, "shipped_plans", lambda: dict.fromkeys(("fleet", "lm"), PLAN))
    monkeypatch.setattr(missed_cells, "FACTORS", (2.0,))
    return missed_cells


def of_a_language_model(dose: str, times: float = 1.0) -> Federation:
    found = federation("SF-1", dose, tier="lm", clients=32, rounds=1)
    numbers = found.numbers | {"SF-1": found.numbers["SF-1"] * np.float32(times)}
    numbers |= {f"truth.{code}": numbers[code] for code in CODES}
    return replace(found, numbers=numbers, truth=found.truth * times)


def test_what_is_found_is_no_miss(missed: Any) -> None:
    assert list(missed.misses([federation("SF-1", "strong")])) == []


def test_what_is_within_the_tolerance_is_missed_by_the_oracle_too(missed: Any) -> None:
    (miss,) = missed.misses([federation("SF-1", "mild")])
    assert (miss.dose, miss.clients, miss.epsilon) == ("mild", 128, 8.0)
    assert miss.truth < miss.tolerance
    assert (miss.got, miss.oracle, miss.asked) == (0.0, 0.0, 0.5)
    assert miss.least == dict.fromkeys(("clients", "bank", "items", "epsilon"))


def test_more_of_what_is_short_would_do(missed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missed, "FLEET", {("strong", 8.0): 0.95, ("strong", 2.0): 0.95})
    monkeypatch.setattr(missed, "FACTORS", (1.25, 4.0))
    # So few clients are found out at epsilon 8 and not at 2: four times the budget is enough.
    (miss,) = missed.misses([federation("SF-1", "strong", clients=24)])
    assert (miss.epsilon, miss.oracle, miss.most) == (2.0, 1.0, "privacy noise")
    assert miss.least["epsilon"] == miss.least["clients"] == 4.0
    assert miss.least["bank"] is None
    said = missed._sentences(miss)
    assert "fleet, 24 clients, epsilon 2: SF-1 strong found in" in said
    assert "Would do, each alone: clients x 4, " in said


def test_a_language_models_parts_are_asked_with_and_without_noise(missed: Any) -> None:
    assert list(missed.misses([of_a_language_model("mild", 0.2)])) == []
    found = list(missed.misses([of_a_language_model("strong", 0.2)]))
    assert {(each.clients, each.epsilon) for each in found} == {(16, 8.0), (5, None)}
    assert {"epsilon" in each.least for each in found if each.epsilon is None} == {False}
