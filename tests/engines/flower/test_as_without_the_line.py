"""A strategy written in any way that Python allows does with the line what it does without it."""

from __future__ import annotations

import copy
import pickle
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flwr.serverapp.strategy import FedAvg, Result

from tests.engines.flower.compared import ROUNDS, outcome
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.kinds import HELD, AllByGetattr, Loop, Slots
from tests.engines.flower.odd_classes import ODD
from tests.engines.flower.small_app import said


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def both(make: Any, folder: Path, **given: Any) -> Any:
    """What happens with the line, which is what happens without; and what is said of the round."""
    found = outcome(make, folder / "with", monitored=True, **given)
    assert found == outcome(make, folder / "without", monitored=False, **given)
    assert "Error" not in str(found["result"])
    return said(folder / "with" / "run")[ROUNDS]


@pytest.mark.parametrize("kind", [*HELD, *ODD], ids=lambda kind: kind.__name__)
def test_a_strategy_of_any_kind(kind: Any, tmp_path: Path) -> None:
    def use(strategy: Any, grid: Any, arrays: Any) -> Any:
        # Without a run of its own that asks by ``self``, another asks it.
        start = strategy.start if kind is not AllByGetattr else Loop.start.__get__(strategy)
        return start(grid, arrays, num_rounds=ROUNDS)

    assert both(lambda line: line(kind()), tmp_path, use=use) == "findings"


def own_start(self: Any, grid: Any, initial_arrays: Any, num_rounds: int = 3) -> Any:
    self.begun = True
    return Loop.start(self, grid, initial_arrays, num_rounds)


def replaced(strategy: Any) -> list[int]:
    """As public apps do it: a function in place of the method, around it."""
    seen: list[int] = []
    was = strategy.aggregate_train

    def aggregate_train(server_round: int, replies: Any) -> Any:
        seen.append(server_round)
        return was(server_round, replies)

    strategy.aggregate_train = aggregate_train
    strategy.seen = seen
    return seen


def before(line: Any) -> Any:
    strategy = Loop()
    replaced(strategy)
    return line(strategy)


def later(line: Any) -> Any:
    strategy = line(Loop())
    replaced(strategy)
    return strategy


def taken_back(line: Any) -> Any:
    strategy = line(Loop())
    replaced(strategy)
    del strategy.aggregate_train
    assert not hasattr(FedAvg(), "seen")
    return strategy


def bound(line: Any) -> Any:
    strategy = Loop()
    strategy.start = types.MethodType(own_start, strategy)  # type: ignore[method-assign]
    return line(strategy)


def recorded(line: Any) -> Any:
    strategy = Loop()
    noted = Recorder(strategy.aggregate_train)
    strategy.aggregate_train = noted  # type: ignore[method-assign]
    strategy.look = lambda: noted.count  # type: ignore[method-assign]
    strategy = line(strategy)
    strategy.aggregate_train.count += 10
    return strategy


class Recorder:
    def __init__(self, method: Any) -> None:
        self.method, self.count = method, 0

    def __call__(self, *args: Any) -> Any:
        self.count += 1
        return self.method(*args)


def by_its_first_name(line: Any) -> Any:
    strategy = Slots()
    line(strategy)
    return strategy


WAYS = [before, later, taken_back, bound, recorded, by_its_first_name]


@pytest.mark.parametrize("make", WAYS, ids=lambda make: make.__name__)
def test_a_strategy_that_is_changed_by_hand(make: Any, tmp_path: Path) -> None:
    assert both(make, tmp_path) == "findings"


def test_a_copy_goes_its_own_way(tmp_path: Path) -> None:
    """Each is a plain strategy, and what is done to it does not reach the first one."""
    ways: list[Callable[[Any], Any]] = [
        copy.copy,
        copy.deepcopy,
        lambda each: pickle.loads(pickle.dumps(each)),
    ]

    def use(strategy: Any, grid: Any, arrays: Any) -> Any:
        found = []
        for way in ways:
            other = way(strategy)
            assert type(other) is Slots
            other.start(grid, arrays, num_rounds=1)
            found.append((other.count, strategy.count))
        return found, strategy.start(grid, arrays, num_rounds=ROUNDS)

    assert both(lambda line: line(Slots()), tmp_path, use=use) == "findings"


class Ends(Loop):
    ended: ClassVar[list[str]] = []

    def __del__(self) -> None:
        Ends.ended.append("once")


def test_it_ends_once(tmp_path: Path) -> None:
    def use(strategy: Any, grid: Any, arrays: Any) -> Any:
        return strategy.start(grid, arrays, num_rounds=ROUNDS)

    for monitored in (True, False):
        Ends.ended.clear()
        outcome(lambda line: line(Ends()), tmp_path / str(monitored), monitored=monitored, use=use)
        assert Ends.ended == ["once"]


def test_a_record_of_its_own_that_holds_itself_is_copied_with_it(tmp_path: Path) -> None:
    def make(line: Any) -> Any:
        strategy = line(Loop())
        strategy.me = strategy
        return strategy

    def use(strategy: Any, grid: Any, arrays: Any) -> Any:
        for way in (copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))):
            other = way(strategy)
            other.mark = 1
            assert other.me.mark == 1 and not hasattr(strategy, "mark")
        return strategy.start(grid, arrays, num_rounds=ROUNDS)

    assert both(make, tmp_path, use=use) == "findings"


def test_result_is_flowers(tmp_path: Path) -> None:
    def use(strategy: Any, grid: Any, arrays: Any) -> Any:
        found = strategy.start(grid=grid, initial_arrays=arrays, num_rounds=ROUNDS)
        assert type(found) is Result
        return found

    assert both(lambda line: line(FedAvg()), tmp_path, use=use) == "findings"
