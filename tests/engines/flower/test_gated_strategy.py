"""The gate around a user's strategy: what its run returns, and where it goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.wire import OBSERVE
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import Item, ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.gate_keeper import decisions

NODES, ROUNDS = 4, 3


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def plan(folder: Path, action: str, timeout: float = 3.0) -> MonitoringPlan:
    items = [
        Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2])
        for n in range(16)
    ]
    write_items(folder / "probes.jsonl", items)
    return parse_plan(
        {
            "name": "gated",
            "federation": {"clients": NODES, "rounds": ROUNDS},
            "monitor": {"min_cohort": 2, "timeout": timeout, "items": "these"},
            # The squared gap grows by 0.24: a tolerance in the middle, and next to no noise, leave
            # no verdict to chance.
            "privacy": {"aggregation": "plain", "epsilon": 2000.0},
            "modes": {"confidence_miscalibration": {"tolerance": 0.12, "clip": 0.6}},
            "probes": {
                "task": str(folder / "probes.jsonl"),
                "items": 16,
                "sampling": "same",
            },
            "gate": {"action": action, "open_after": 1},
        }
    )


def app() -> ClientApp:
    """Each round adds 1; from 2 on the model is sure of itself and wrong half of the time."""
    made = ClientApp()

    @made.train()
    def train(message: Message, context: Context) -> Message:
        (given,) = message.content["arrays"].to_numpy_ndarrays()
        content = {
            "arrays": ArrayRecord([given + np.float32(1)]),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(RecordDict(content), reply_to=message)

    def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
        value = 0.0 if arrays is None else float(arrays.to_numpy_ndarrays()[0][0])
        # Every change of the arrays is seen, be it little.
        sure = (0.99 if value >= 2 else 0.5) - value / 1000
        return [[1 - sure, sure] for _ in items]

    return monitor_client(made, score)


def run(
    folder: Path, action: str, timeout: float = 3.0, **grid: Any
) -> tuple[float, list[float], list[tuple[str, int]]]:
    """The value that the run returns, those that its rounds began with, and the decisions."""
    begun: list[float] = []

    class Noting(FedAvg):
        def configure_train(self, server_round: int, arrays: ArrayRecord, *rest: Any) -> Any:
            begun.append(float(arrays.to_numpy_ndarrays()[0][0]))
            return super().configure_train(server_round, arrays, *rest)

    declared = plan(folder, action, timeout)
    strategy = monitor_strategy(Noting(fraction_evaluate=0.0), declared, out=folder / "run")
    result = strategy.start(
        InProcess(app(), NODES, folder / "nodes", agreed=declared, **grid),  # type: ignore[arg-type]
        initial_arrays=ArrayRecord([np.zeros(3, np.float32)]),
        num_rounds=ROUNDS,
    )
    made = decisions(Ledger(folder / "run" / "ledger.sqlite"))
    value = float(result.arrays.to_numpy_ndarrays()[0][0])
    return value, begun, [(each.action, each.promoted_round) for each in made]


def test_hold_trains_on_and_returns_the_last_good_arrays(tmp_path: Path) -> None:
    value, begun, made = run(tmp_path, "hold")
    assert made == [("promote", 1), ("hold", 1), ("hold", 1)]
    assert (value, begun) == (1.0, [0.0, 1.0, 2.0])


def test_rollback_trains_on_from_the_last_good_arrays(tmp_path: Path) -> None:
    value, begun, made = run(tmp_path, "rollback")
    assert made == [("promote", 1), ("rollback", 1), ("rollback", 1)]
    assert (value, begun) == (1.0, [0.0, 1.0, 1.0])


def test_observe_returns_what_was_trained_last(tmp_path: Path) -> None:
    value, begun, made = run(tmp_path, "observe")
    assert (value, begun, made) == (3.0, [0.0, 1.0, 2.0], [])


def test_rounds_that_were_missed_promote_nothing(tmp_path: Path) -> None:
    def lose(kind: str, node: int, reply: Message) -> Message | None:
        return None if kind == OBSERVE else reply

    value, _, made = run(tmp_path, "hold", 0.2, tap=lose)
    assert made == [("hold", 0)] * 3
    assert value == 0.0
