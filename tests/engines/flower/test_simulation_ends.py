"""A simulation that ends by itself leaves no server behind that waits for its answers."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from unsilent.engines.flower import simulation
from unsilent.errors import RunError


class Silent:
    """A grid whose nodes answer nothing."""

    def get_node_ids(self) -> list[int]:
        return [1]

    def push_messages(self, messages: Any) -> list[str]:
        return ["1"]

    def pull_messages(self, names: Any) -> list[Any]:
        return []


def test_its_server_stops_at_the_next_look_and_records_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, recorded = threading.Event(), list[str]()
    threads: list[threading.Thread] = []

    def run_simulation(server_app: ServerApp, **given: Any) -> None:
        context = Context(1, 0, {}, RecordDict(), {})
        threads.append(threading.Thread(target=server_app, args=(Silent(), context)))
        threads[0].start()
        asked.wait(10)
        raise RuntimeError("Ray did not start")

    def main(grid: Grid) -> None:
        try:
            while True:
                grid.pull_messages(["1"])
                asked.set()
                time.sleep(0.01)
        except Exception as error:
            recorded.append(str(error))

    monkeypatch.setattr(simulation, "run_simulation", run_simulation)
    monkeypatch.setenv("UNSILENT_SIMULATION", "")
    with pytest.raises(RunError, match="ended by itself"):
        simulation.simulate(main, ClientApp(), 1, 1, tmp_path)
    assert not threads[0].is_alive()
    assert recorded == []
