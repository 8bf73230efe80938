"""Messages with several records of arrays: the model is found, or what is missing is said."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import ROUNDS, START, begin, said, score, small_app, small_plan
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.arrays import load_arrays
from unsilent.engines.flower.model_record import both_models, model_in
from unsilent.flower import monitor_client, monitor_strategy

LOCAL = {"adaptation_misalignment": {"tolerance": 0.2, "clip": 0.6}}
"""The mode that is measured on what a client trained from and to."""


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def record(*shape: int, value: float = 0.0) -> ArrayRecord:
    return ArrayRecord([np.full(shape, value, np.float32)])


class Scaffold(FedAvg):
    """Sends and averages a model, with a control variate of its own shape or another beside."""

    def __init__(self, sent: str, returned: str, control: int) -> None:
        super().__init__()
        self.sent, self.returned, self.control = sent, returned, control

    def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
        for node in grid.get_node_ids():
            content = RecordDict({"control": record(self.control), self.sent: arrays})
            yield Message(content, dst_node_id=node, message_type="train")

    def aggregate_train(self, server_round: int, replies: Any) -> Any:
        models = [m.content.array_records[self.returned].to_numpy_ndarrays()[0] for m in replies]
        return ArrayRecord([np.mean(models, axis=0)]), None, record(self.control)


def trains(sent: str, returned: str, control: int) -> Callable[[Message, Context], Message]:
    def train(message: Message, context: Context) -> Message:
        (weights,) = message.content.array_records[sent].to_numpy_ndarrays()
        content = {
            "control": record(control, value=-9.0),
            returned: ArrayRecord([weights + np.float32(context.node_id)]),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(RecordDict(content), reply_to=message)

    return train


def federate(
    folder: Path, sent: str, returned: str, control: int, modes: Any = None, **line: Any
) -> str:
    """What became of the monitoring round of a run that trained as it would without the line."""
    plan = small_plan(folder, **({} if modes is None else {"modes": modes}))
    app = monitor_client(small_app(trains(sent, returned, control)), score, **line)
    grid: Any = begin(folder / "nodes", app, agreed=plan)
    strategy = Scaffold(sent, returned, control)
    monitor_strategy(strategy, plan, out=folder / "run", accept_underpowered=True)
    arrays = ArrayRecord([START])
    for number in range(1, ROUNDS + 1):
        asked = strategy.configure_train(number, arrays, None, grid)
        arrays, _, control_out = strategy.aggregate_train(number, grid.send_and_receive(asked))
        assert control_out.to_numpy_ndarrays()[0].shape == (control,)
    assert arrays.to_numpy_ndarrays()[0].tolist() == [2.5 * ROUNDS] * 3
    return said(folder / "run")[ROUNDS]


def personalize(arrays: ArrayRecord, context: Context) -> ArrayRecord:
    return arrays


@pytest.mark.parametrize("names", [("arrays", "arrays"), ("model", "model"), ("w", "v")])
def test_a_mode_that_needs_nothing_of_the_training_is_measured(
    names: tuple[str, str], tmp_path: Path
) -> None:
    assert federate(tmp_path, *names, 3, personalize=personalize) == "findings"


def test_a_grid_that_calls_its_nodes_needs_no_agreement(tmp_path: Path) -> None:
    """Each node has a folder of its own, and whoever runs the server runs them all."""
    plan = small_plan(tmp_path)
    app = monitor_client(small_app(trains("arrays", "model", 3)), score, personalize=personalize)
    grid: Any = begin(tmp_path / "nodes", app)
    strategy = Scaffold("arrays", "model", 3)
    monitor_strategy(strategy, plan, out=tmp_path / "run", accept_underpowered=True)
    arrays = ArrayRecord([START])
    for number in range(1, ROUNDS + 1):
        asked = strategy.configure_train(number, arrays, None, grid)
        arrays, _, _ = strategy.aggregate_train(number, grid.send_and_receive(asked))
    assert said(tmp_path / "run")[ROUNDS] == "findings"


FOUND: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "Flower's name": ("arrays", "arrays", 3, {}),
    "Flower's name in one message": ("arrays", "arrays", 9, {}),
    "sent by Flower's name, alone in its shapes": ("arrays", "model", 9, {}),
    "returned by Flower's name, alone in its shapes": ("model", "arrays", 9, {}),
    "a name that the app tells": ("model", "model", 3, {"arrays": "model"}),
    "a name that the app tells of one message": ("arrays", "model", 3, {"arrays": "model"}),
}


@pytest.mark.parametrize("modes", [None, LOCAL], ids=["personalized", "start and local"])
@pytest.mark.parametrize("case", FOUND)
def test_the_models_record_is_found(case: str, modes: Any, tmp_path: Path) -> None:
    sent, returned, control, line = FOUND[case]
    assert federate(tmp_path, sent, returned, control, modes, **line) == "findings"
    kept = load_arrays(tmp_path / "nodes" / "4" / "local.arrays").to_numpy_ndarrays()[0]
    assert kept.tolist() == [2.5 * (ROUNDS - 1) + 4] * 3


UNKNOWN = {
    "two of the same shapes": ("model", "model", 3),
    "other names on both sides": ("one", "other", 9),
}


@pytest.mark.parametrize("modes", [None, LOCAL], ids=["personalized", "start and local"])
@pytest.mark.parametrize("case", UNKNOWN)
def test_where_it_cannot_be_told_the_reason_says_what_is_missing(
    case: str, modes: Any, tmp_path: Path
) -> None:
    reason = federate(tmp_path, *UNKNOWN[case], modes)
    assert Sentence.NO_ARRAYS.text.rstrip(".") in reason
    assert not (tmp_path / "nodes" / "1" / "local.arrays").exists()


def test_a_name_comes_before_shapes_and_shapes_before_a_guess() -> None:
    model, twin, other = record(3), record(3, value=1.0), record(2)
    assert model_in({"a": other}) is other
    assert model_in({"a": other, "arrays": model}) is model
    assert model_in({"mine": twin, "arrays": model}, named="mine") is twin
    assert model_in({"a": model, "b": other}, like=record(3)) is model
    assert model_in({"a": model, "b": twin}, like=record(3)) is None
    assert model_in({"a": model, "b": other}) is None
    assert model_in({}) is None


def test_either_side_tells_the_other_by_shapes_and_then_by_its_name() -> None:
    model, twin, other = record(3), record(3, value=1.0), record(2)
    assert both_models({"a": model, "b": other}, {"x": twin}) == (model, twin)
    assert both_models({"x": model}, {"a": twin, "b": other}) == (model, twin)
    start, local = both_models({"a": model, "b": twin}, {"b": record(3)})
    assert start is twin and local is not None
    assert both_models({"a": model, "b": other}, {"a": model, "b": other}) == (None, None)


def test_a_round_in_which_the_model_is_not_told_does_not_use_an_earlier_one(
    tmp_path: Path,
) -> None:
    """What was kept of round 1 is not the client's own of round 3."""
    calls: list[int] = []

    def train(message: Message, context: Context) -> Message:
        calls.append(context.node_id)
        name = "arrays" if calls.count(context.node_id) < ROUNDS else "model"
        return trains("arrays", name, 3)(message, context)

    plan = small_plan(tmp_path)
    grid: Any = begin(tmp_path / "nodes", monitor_client(small_app(train), score), agreed=plan)

    class Averages(FedAvg):
        def aggregate_train(self, server_round: int, replies: Any) -> Any:
            return ArrayRecord([START]), None

    monitor_strategy(Averages(), plan, out=tmp_path / "run").start(grid, ArrayRecord([START]))
    assert Sentence.NO_ARRAYS.text.rstrip(".") in said(tmp_path / "run")[ROUNDS]
