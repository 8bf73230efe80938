"""A run that is awaited, or yields its rounds, ends when it is over, and is monitored so long."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord

from tests.engines.flower.alone import run_alone
from tests.engines.flower.compared import ROUNDS, outcome
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.kinds import Loop
from tests.engines.flower.small_app import said


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


class Yields(Loop):
    """Yields after each round, and takes what it is sent for the number of further ones."""

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        for number in range(1, num_rounds + 1):
            asked = self.configure_train(number, arrays, ConfigRecord(), grid)
            arrays = self.aggregate_train(number, grid.send_and_receive(asked))[0]
            if (yield number) == "enough":
                break
        return arrays


class Awaited(Loop):
    async def start(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return super().start(*args, **kwargs)


class Streams(Loop):
    async def start(self, *args: Any, **kwargs: Any) -> Any:
        for each in Yields.start(self, *args, **kwargs):  # type: ignore[arg-type]
            await asyncio.sleep(0)
            yield each


class YieldsParts(Loop):
    """Its aggregation yields on the way to its result."""

    def aggregate_train(self, *args: Any) -> Any:
        yield "half"
        return super().aggregate_train(*args)

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        for number in range(1, num_rounds + 1):
            asked = self.configure_train(number, arrays, ConfigRecord(), grid)
            arrays = to_the_end(self.aggregate_train(number, grid.send_and_receive(asked)))[1][0]
        return arrays


def to_the_end(given: Any) -> Any:
    assert inspect.isgenerator(given)
    found: list[Any] = []
    while True:
        try:
            found.append(next(given))
        except StopIteration as end:
            return found, end.value


def wholly(strategy: Any, grid: Any, arrays: Any) -> Any:
    return to_the_end(strategy.start(grid, arrays, num_rounds=ROUNDS))


def told(strategy: Any, grid: Any, arrays: Any) -> Any:
    run = strategy.start(grid, arrays, num_rounds=ROUNDS)
    with pytest.raises(StopIteration) as end:
        next(run)
        run.send("enough")
    return end.value.value


def dropped(strategy: Any, grid: Any, arrays: Any) -> Any:
    for number in strategy.start(grid, arrays, num_rounds=ROUNDS):
        if number == 2:
            return number
    return None


def awaited(strategy: Any, grid: Any, arrays: Any) -> Any:
    assert asyncio.iscoroutinefunction(strategy.start)
    return run_alone(strategy.start(grid, arrays, num_rounds=ROUNDS))


def streamed(strategy: Any, grid: Any, arrays: Any) -> Any:
    async def all_of_it() -> list[Any]:
        return [each async for each in strategy.start(grid, arrays, num_rounds=ROUNDS)]

    assert inspect.isasyncgenfunction(strategy.start)
    return run_alone(all_of_it())


def at_once(strategy: Any, grid: Any, arrays: Any) -> Any:
    return strategy.start(grid, arrays, num_rounds=ROUNDS)


WAYS: dict[str, tuple[type[Loop], Any, str]] = {
    "to the end": (Yields, wholly, "findings"),
    "told to end": (Yields, told, "it ended after round 1"),
    "dropped": (Yields, dropped, "it ended after round 2"),
    "awaited": (Awaited, awaited, "findings"),
    "streamed": (Streams, streamed, "findings"),
    "yields parts": (YieldsParts, at_once, "findings"),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_goes_as_without_the_line(way: str, tmp_path: Path) -> None:
    kind, use, expected = WAYS[way]

    def found(monitored: bool) -> Any:
        folder = tmp_path / str(monitored)
        return outcome(lambda line: line(kind()), folder, monitored=monitored, use=use)

    assert found(True) == found(False)
    assert said(tmp_path / "True" / "run")[ROUNDS].endswith(expected)
