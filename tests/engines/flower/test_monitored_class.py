"""A monitored strategy is the object that it was, of a class that answers as its own."""

from __future__ import annotations

import gc
import inspect
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import ArrayRecord, ConfigRecord
from flwr.serverapp.strategy import FedAvg, Krum, Strategy

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.kinds import HELD, Loop, OnlySlots, Properties, Slots
from tests.engines.flower.odd_classes import ODD
from tests.engines.flower.small_app import ROUNDS, START, begin, said, small_plan
from unsilent.engines.flower.monitored_class import METHODS
from unsilent.flower import monitor_strategy


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def monitored(strategy: Any, folder: Path) -> Any:
    return monitor_strategy(strategy, small_plan(folder), out=folder / "run")


@pytest.mark.parametrize("kind", [*HELD, *ODD], ids=lambda kind: kind.__name__)
def test_it_stays_the_object_with_the_attributes_that_it_was(kind: Any, tmp_path: Path) -> None:
    strategy = kind()
    seen, held = strategy.__class__, dict(getattr(strategy, "__dict__", {}))
    assert monitored(strategy, tmp_path) is strategy
    assert getattr(strategy, "__dict__", {}) == held
    assert strategy.__class__ is seen
    assert isinstance(strategy, seen)


class Plain:
    """Mixed into others."""


def test_its_class_answers_as_the_strategys(tmp_path: Path) -> None:
    for kind in (FedAvg, Krum, Loop, Slots):
        made: Any = type(monitored(kind(), tmp_path / kind.__name__))
        assert issubclass(made, kind) and issubclass(made, Strategy)
        assert (made == kind, hash(made)) == (True, hash(kind))
        assert made != FedAvg or kind is FedAvg
        names = ("__name__", "__qualname__", "__module__", "__doc__")
        assert [getattr(made, n) for n in names] == [getattr(kind, n) for n in names]
        assert all(getattr(made, name) is getattr(kind, name) for name in METHODS)
        assert inspect.getsource(made) == inspect.getsource(kind)
        assert type(made()) is type(made.__new__(made)) is kind
        further: Any = type("Further", (Plain, made), {})
        assert further.__bases__ == (Plain, kind)
        assert type(further()) is further


def test_what_it_does_not_let_be_set_or_deleted_it_still_does_not(tmp_path: Path) -> None:
    for number, kind in enumerate((OnlySlots, Properties, Loop)):
        strategy, plain = monitored(kind(), tmp_path / str(number)), kind()
        for do in (
            lambda each: delattr(each, "aggregate_train"),
            lambda each: setattr(each, "aggregate_train", each.start),
        ):
            assert _error(do, strategy) is _error(do, plain)


def _error(do: Any, strategy: Any) -> type[Exception] | None:
    try:
        do(strategy)
    except Exception as error:
        return type(error)
    return None


def test_one_strategy_is_watched_and_no_other_of_its_class(tmp_path: Path) -> None:
    monitored(FedAvg(), tmp_path)
    assert type(FedAvg()) is FedAvg
    assert not any("unsilent" in name for name in dir(FedAvg()))


def test_it_ends_when_nobody_holds_it(tmp_path: Path) -> None:
    gc.disable()
    try:
        strategy = monitored(Loop(), tmp_path)
        ended = weakref.ref(strategy)
        strategy.start(begin(tmp_path / "nodes"), ArrayRecord([START]))
        del strategy
        assert ended() is None
    finally:
        gc.enable()


def test_a_class_that_lets_none_be_derived_is_said_and_the_app_runs(tmp_path: Path) -> None:
    """Its object can be of no other class."""
    inner = FedAvg()
    strategy = SimpleNamespace(
        configure_train=inner.configure_train, aggregate_train=inner.aggregate_train
    )
    assert monitored(strategy, tmp_path) is strategy
    grid: Any = begin(tmp_path / "nodes")
    asked = strategy.configure_train(1, ArrayRecord([START]), ConfigRecord(), grid)
    assert strategy.aggregate_train(1, grid.send_and_receive(asked))[0] is not None
    said = (tmp_path / "run" / "not-monitored.txt").read_text()
    assert "the methods of SimpleNamespace cannot be watched" in said


def test_without_a_weak_reference_it_is_seen_to_as_well(tmp_path: Path) -> None:
    strategy = monitored(OnlySlots(), tmp_path)
    grid: Any = begin(tmp_path / "nodes")
    strategy.configure_train(1, ArrayRecord([START]), ConfigRecord(), grid)
    del strategy
    gc.collect()
    assert said(tmp_path / "run")[ROUNDS].endswith("it ended after round 1")
