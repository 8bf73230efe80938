"""What a run does, with the two lines or without: all that an app could tell them apart by."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import Result

from tests.engines.flower.in_process import InProcess
from tests.engines.flower.small_app import NODES, ROUNDS, START, begin, score, small_app, small_plan
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.plan import MonitoringPlan

Lines = Callable[[Callable[[Any], Any]], Any]
"""Makes a strategy, given the line; without monitoring the line returns what it is given."""


def draws(message: Message, context: Context) -> Message:
    """Training that takes from both random states, and tells what Flower's strategies ask for."""
    (record,) = message.content.array_records.values()
    (weights,) = record.to_numpy_ndarrays()
    drawn = random.random() + np.random.normal()
    moved = (weights + context.node_id + (0 if weights.dtype.kind == "u" else drawn)).astype(
        weights.dtype
    )
    metrics = {"train_loss": 0.5, "num-examples": 3, "norm_bit": 1}
    content = {"arrays": ArrayRecord([moved]), "metrics": MetricRecord(metrics)}
    return Message(RecordDict(content), reply_to=message)


def start(strategy: Any, grid: Any, arrays: ArrayRecord) -> Any:
    return strategy.start(grid, arrays, num_rounds=ROUNDS)


def outcome(
    make: Lines,
    folder: Path,
    *,
    monitored: bool,
    use: Callable[[Any, Any, ArrayRecord], Any] = start,
    first: Any = START,
    plan: MonitoringPlan | None = None,
) -> dict[str, Any]:
    """Result or exception, messages, random states and log of a run; its folder is ``folder/run``.

    Args:
        make: Makes the strategy.
        folder: Holds the run's folder and the nodes'.
        monitored: Whether the two lines are there.
        use: What the app does with the strategy.
        first: The array that training begins with.
        plan: By default the last round is monitored.
    """
    declared = plan or small_plan(folder)
    app = small_app(draws)
    lines: list[str] = []
    noted = logging.Handler()
    noted.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("flwr").addHandler(noted)
    random.seed(1)
    np.random.seed(2)
    try:
        strategy = make(
            (lambda each: monitor_strategy(each, declared, out=folder / "run"))
            if monitored
            else (lambda each: each)
        )
        app = monitor_client(app, score) if monitored else app
        grid = begin(folder / "nodes", app, agreed=declared)
        try:
            result = _told(use(strategy, grid, ArrayRecord([first])))
        except Exception as error:
            result = repr(error)
    finally:
        logging.getLogger("flwr").removeHandler(noted)
    return {
        "result": result,
        "messages": _messages(grid),
        "random": (random.getstate(), np.random.get_state()[1].tolist()),  # type: ignore[union-attr]
        "log": [line for line in lines if "finished in" not in line],
    }


def _messages(grid: InProcess) -> list[Any]:
    return [
        (each.metadata.message_type, each.metadata.dst_node_id, _told(each.content))
        for each in (*grid.sent, *grid.received)
        if "unsilent" not in each.metadata.message_type
    ]


def _told(value: Any) -> Any:
    """A value as what can be compared."""
    if isinstance(value, Result):
        return {name: _told(each) for name, each in vars(value).items()}
    if isinstance(value, ArrayRecord):
        return [array.data for array in value.values()]
    if isinstance(value, RecordDict | MetricRecord | ConfigRecord | dict):
        return {name: _told(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(each) for each in value]
    return value


__all__ = ["NODES", "ROUNDS", "START", "Lines", "draws", "outcome", "start"]
