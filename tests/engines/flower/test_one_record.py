"""An adapter that goes to many nodes lies in the server's memory once."""

import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from flwr.supercore.task_identity import TaskIdentity

from unsilent.engines.flower.transport import GridTransport
from unsilent.messages import ADAPTER, Order

NODES = 100
ADAPTER_BYTES = 4 * 250_000


class Holding:
    """A grid that holds what it is given, and hears nobody."""

    def __init__(self) -> None:
        self.held: list[Message] = []

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        self.held = list(messages)
        return []


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def test_messages_to_many_nodes_share_the_bytes_of_their_arrays() -> None:
    arrays = {"a": np.ones(ADAPTER_BYTES // 8, np.float32), "b": np.ones(ADAPTER_BYTES // 8, "f4")}
    order = Order("plan", "run", 1, {}, {ADAPTER: arrays})
    grid: Any = Holding()
    transport = GridTransport(grid)
    tracemalloc.start()
    try:
        transport.ask("train", dict.fromkeys(range(NODES), order), lambda *_: None, 0.1)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(grid.held) == NODES
    # Once, and what is a node's own; a record a node would be a hundred times as much.
    assert grown < ADAPTER_BYTES + NODES * 50_000


def test_what_one_node_does_to_its_record_is_not_seen_by_another() -> None:
    order = Order("plan", "run", 1, {}, {ADAPTER: {"a": np.ones(3, np.float32)}})
    grid: Any = Holding()
    GridTransport(grid).ask("train", dict.fromkeys(range(2), order), lambda *_: None, 0.1)
    first, second = (next(iter(each.content.array_records.values())) for each in grid.held)
    del first["a"]
    assert list(second) == ["a"]
