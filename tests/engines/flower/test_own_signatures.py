"""A strategy with signatures and results of its own runs with the line as without it."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result

from tests.engines.flower.alone import run_alone
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import NODES, ROUNDS, begin, run, said, small_app, small_plan
from unsilent.flower import monitor_strategy


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def ended(arrays: Any) -> Result:
    result = Result()
    result.arrays = arrays
    return result


class Loop(FedAvg):
    """A run of its own; subclasses say how they call their own methods."""

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays = initial_arrays
        for number in range(1, num_rounds + 1):
            arrays = self.once(number, arrays, grid)
        return ended(arrays)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, grid.send_and_receive(asked))[0]


class MoreArguments(Loop):
    def aggregate_train(self, server_round: int, replies: Any, arrays: Any = None) -> Any:
        assert arrays is not None
        return super().aggregate_train(server_round, replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, grid.send_and_receive(asked), arrays=arrays)[0]


class OtherNames(Loop):
    def configure_train(self, rnd: int, params: Any, cfg: Any, nodes: Any) -> Any:
        return super().configure_train(rnd, params, cfg, nodes)

    def aggregate_train(self, rnd: int, results: Any) -> Any:
        return super().aggregate_train(rnd, results)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(nodes=grid, cfg=ConfigRecord(), params=arrays, rnd=number)
        return self.aggregate_train(results=grid.send_and_receive(asked), rnd=number)[0]


class KeywordOnly(Loop):
    def aggregate_train(self, *, replies: Any, server_round: int) -> Any:
        return super().aggregate_train(server_round, replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(replies=grid.send_and_receive(asked), server_round=number)[0]


class Starred(Loop):
    def configure_train(self, *args: Any, **kwargs: Any) -> Any:
        return super().configure_train(*args, **kwargs)

    def aggregate_train(self, *args: Any) -> Any:
        return super().aggregate_train(*args)


class OtherOrder(Loop):
    def aggregate_train(self, replies: Any, server_round: int) -> Any:
        return super().aggregate_train(server_round, replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(grid.send_and_receive(asked), number)[0]


class ThreeResults(Loop):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return (*super().aggregate_train(server_round, replies), {"kept": 3})

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        found, _, extra = self.aggregate_train(number, grid.send_and_receive(asked))
        assert extra == {"kept": 3}
        return found


class OneResult(Loop):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return super().aggregate_train(server_round, replies)[0]

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, grid.send_and_receive(asked))


@dataclass(frozen=True, slots=True)
class Outcome:
    control: ArrayRecord
    arrays: ArrayRecord | None
    metrics: MetricRecord | None


class DataclassResult(Loop):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        arrays, metrics = super().aggregate_train(server_round, replies)
        return Outcome(ArrayRecord([np.ones(2, np.float32)]), arrays, metrics)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        found = self.aggregate_train(number, grid.send_and_receive(asked))
        assert type(found) is Outcome
        return found.arrays


class Named(NamedTuple):
    metrics: MetricRecord
    model: ArrayRecord


class NamedResult(Loop):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        arrays, metrics = super().aggregate_train(server_round, replies)
        assert arrays is not None and metrics is not None
        return Named(metrics, arrays)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, grid.send_and_receive(asked)).model


class Lazy(Loop):
    """Makes its messages one by one, while others are under way."""

    def configure_train(self, server_round: int, *rest: Any) -> Iterator[Message]:
        yield from super().configure_train(server_round, *rest)


class LazyReplies(Loop):
    """Takes its replies one by one, and the list that it makes of them is its own."""

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        assert iter(replies) is replies
        return super().aggregate_train(server_round, list(replies))

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, (each for each in grid.send_and_receive(asked)))[0]


class EmptiesReplies(Loop):
    def aggregate_train(self, server_round: int, replies: list[Message]) -> Any:
        found = super().aggregate_train(server_round, list(replies))
        replies.clear()
        return found


class RepliesByNode(Loop):
    def aggregate_train(self, server_round: int, by_node: dict[int, Message]) -> Any:
        return super().aggregate_train(server_round, list(by_node.values()))

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        replies = {each.metadata.src_node_id: each for each in grid.send_and_receive(asked)}
        return self.aggregate_train(number, replies)[0]


class OwnMessages(Loop):
    """Never asks the strategy for messages, and lets it aggregate."""

    def once(self, number: int, arrays: Any, grid: Grid) -> Any:
        asked = FedAvg.configure_train(self, number, arrays, ConfigRecord(), grid)
        return self.aggregate_train(number, grid.send_and_receive(asked))[0]


class Awaited(Loop):
    async def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return super().aggregate_train(server_round, replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        return run_alone(self.aggregate_train(number, grid.send_and_receive(asked)))[0]


UNDERSTOOD = [
    *(MoreArguments, OtherNames, KeywordOnly, Starred, OtherOrder, ThreeResults, OneResult),
    *(DataclassResult, NamedResult, Lazy, LazyReplies, EmptiesReplies, RepliesByNode),
    *(OwnMessages, Awaited),
]


@pytest.mark.parametrize("kind", UNDERSTOOD, ids=lambda kind: kind.__name__)
def test_it_runs_as_without_the_line_and_is_monitored(kind: type[Loop], tmp_path: Path) -> None:
    plain = run(kind(), tmp_path / "plain", monitored=False)
    found = run(kind(), tmp_path)
    assert found.arrays.to_numpy_ndarrays()[0].tolist() == [2.5 * ROUNDS] * 3
    assert [a.data for a in found.arrays.values()] == [a.data for a in plain.arrays.values()]
    assert said(tmp_path / "run") == {ROUNDS: "findings"}


class NoArrays(Loop):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        list(replies)
        return None, None

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        super().once(number, arrays, grid)
        return arrays


class Nothing(NoArrays):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        list(replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        assert self.aggregate_train(number, grid.send_and_receive(asked)) is None
        return arrays


class Numbers(NoArrays):
    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        return ["x", len(list(replies))]


class Twins(NoArrays):
    """Which of both is the model nobody can know."""

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        arrays, _ = super(NoArrays, self).aggregate_train(server_round, replies)
        return {"one": arrays, "two": ArrayRecord([np.zeros(3, np.float32)])}

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        assert set(self.aggregate_train(number, grid.send_and_receive(asked))) == {"one", "two"}
        return arrays


class OnlyControl(NoArrays):
    """Returns no model, and something that is not it."""

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        list(replies)
        return {"control": ArrayRecord([np.zeros(9, np.float32)])}, None

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        self.aggregate_train(number, grid.send_and_receive(asked))
        return arrays


class NoRound(NoArrays):
    def aggregate_train(self, which: str, replies: Any) -> Any:
        return super(NoArrays, self).aggregate_train(0, replies)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = FedAvg.configure_train(self, number, arrays, ConfigRecord(), grid)
        self.aggregate_train(f"round {number}", grid.send_and_receive(asked))
        return arrays


class NoReplies(NoArrays):
    """Keeps its replies to itself."""

    def aggregate_train(self, server_round: int) -> Any:
        return super(NoArrays, self).aggregate_train(server_round, self.kept)

    def once(self, number: int, arrays: Any, grid: Any) -> Any:
        asked = self.configure_train(number, arrays, ConfigRecord(), grid)
        self.kept = grid.send_and_receive(asked)
        self.aggregate_train(number)
        return arrays


NOT_UNDERSTOOD: dict[type[Loop], str] = {
    NoArrays: "the strategy aggregated no arrays",
    Nothing: "the strategy aggregated no arrays",
    Numbers: "(list) holds no ArrayRecord",
    Twins: "alone in having the names and shapes",
    OnlyControl: "alone in having the names and shapes",
    NoRound: "its round could not be told",
    NoReplies: "no replies could be told",
}


@pytest.mark.parametrize("kind", NOT_UNDERSTOOD, ids=lambda kind: kind.__name__)
def test_what_cannot_be_understood_is_a_missed_round_with_the_reason(
    kind: type[Loop], tmp_path: Path
) -> None:
    assert run(kind(), tmp_path).arrays.to_numpy_ndarrays()[0].tolist() == [0.0] * 3
    reasons = said(tmp_path / "run")
    assert list(reasons) == [ROUNDS]
    assert NOT_UNDERSTOOD[kind] in reasons[ROUNDS]


class Raises(Loop):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def _maybe(self, where: str) -> None:
        if where == self.where:
            raise KeyError("the user's own")

    def configure_train(self, *args: Any) -> Any:
        self._maybe("configure")
        for each in super().configure_train(*args):
            self._maybe("message")
            yield each

    def aggregate_train(self, *args: Any) -> Any:
        self._maybe("aggregate")
        return super().aggregate_train(*args)

    def start(self, *args: Any, **kwargs: Any) -> Any:
        self._maybe("start")
        return super().start(*args, **kwargs)


@pytest.mark.parametrize("where", ["start", "configure", "message", "aggregate"])
def test_an_exception_of_the_users_own_passes_unchanged(where: str, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="the user's own"):
        run(Raises(where), tmp_path)
    reason = said(tmp_path / "run")[ROUNDS]
    assert "KeyError" in reason and "own" not in reason


def test_a_call_that_does_not_fit_fails_as_the_methods_own(tmp_path: Path) -> None:
    strategy = monitor_strategy(FedAvg(), small_plan(tmp_path), out=tmp_path / "run")
    for call in (strategy.aggregate_train, strategy.configure_train, strategy.start):
        plain: Callable[..., Any] = getattr(FedAvg(), call.__name__)
        with pytest.raises(TypeError) as expected:
            plain(nonsense=1)
        with pytest.raises(TypeError) as found:
            call(nonsense=1)  # type: ignore[call-arg]
        assert str(found.value) == str(expected.value)


def test_the_methods_keep_their_names_signatures_and_owner(tmp_path: Path) -> None:
    plain = OtherNames()
    strategy = monitor_strategy(OtherNames(), small_plan(tmp_path), out=tmp_path / "run")
    for name in ("configure_train", "aggregate_train", "aggregate_evaluate", "start"):
        found, was = getattr(strategy, name), getattr(plain, name)
        assert inspect.signature(found) == inspect.signature(was)
        assert (found.__name__, found.__doc__) == (was.__name__, was.__doc__)
        assert found.__self__ is strategy
        assert found.__func__ is was.__func__


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_copy_is_a_strategy_of_its_own(copied: Any, tmp_path: Path) -> None:
    """It is not monitored, and what is done to it does not reach the first one."""
    strategy = monitor_strategy(Starred(), small_plan(tmp_path), out=tmp_path / "run")
    other = copied(strategy)
    assert other.start.__self__ is other
    grid = begin(tmp_path / "nodes", small_app())
    found = other.start(grid, ArrayRecord([np.zeros(3, np.float32)]), ROUNDS)
    assert found.arrays.to_numpy_ndarrays()[0].tolist() == [2.5 * ROUNDS] * 3
    assert not (tmp_path / "run").exists()
    assert len(grid.asked) == NODES * ROUNDS
