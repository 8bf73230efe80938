"""What is no strategy of the Message API is refused in one line, before anything begins."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import flwr.server.strategy as older
import pytest
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.small_app import small_plan
from unsilent.errors import InputError
from unsilent.flower import monitor_strategy


def older_strategies() -> list[type]:
    """All of Flower's older interface that can be made without a model at hand."""
    kinds = [getattr(older, name) for name in older.__all__]
    return [k for k in kinds if inspect.isclass(k) and not inspect.isabstract(k)]


class Other(older.FedAvg):
    """As public apps write theirs."""

    def aggregate_fit(self, *args: Any) -> Any:
        return super().aggregate_fit(*args)


def bare(kind: type) -> Any:
    """An object of the class; what it was made with does not matter here."""
    return object.__new__(kind)


@pytest.mark.parametrize("kind", [*older_strategies(), Other], ids=lambda kind: kind.__name__)
def test_the_older_interface_is_refused_with_what_to_use(kind: type, tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        monitor_strategy(bare(kind), small_plan(tmp_path))
    line = found.value.line()
    assert line.startswith(f"strategy: {kind.__name__} is a strategy of Flower's older interface")
    assert "flwr.serverapp.strategy" in line
    assert "\n" not in line


NONE_AT_ALL: dict[str, tuple[Any, str]] = {
    "none": (None, "NoneType is no strategy"),
    "a class": (FedAvg, "Call it: FedAvg(…)."),
    "a class of the older interface": (older.FedAvg, "Call it: FedAvg(…)."),
    "a function": (lambda: None, "function is no strategy"),
}


@pytest.mark.parametrize("name", NONE_AT_ALL)
def test_what_is_no_strategy_is_refused(name: str, tmp_path: Path) -> None:
    given, expected = NONE_AT_ALL[name]
    with pytest.raises(InputError, match=r"^strategy: ") as found:
        monitor_strategy(given, small_plan(tmp_path))
    assert expected in found.value.line()
