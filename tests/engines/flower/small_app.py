"""The smallest app that can be monitored: one array, which each client moves by its own number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import Strategy

from tests.engines.flower.in_process import InProcess
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import Item, ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan

NODES, ROUNDS = 4, 3
START = np.zeros(3, np.float32)


def small_plan(folder: Path, **changes: Any) -> MonitoringPlan:
    """Confidence is measured after the last round, which needs neither start nor local."""
    folder.mkdir(parents=True, exist_ok=True)
    items = [
        Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2])
        for n in range(16)
    ]
    write_items(folder / "probes.jsonl", items)
    data: dict[str, Any] = {
        "name": "small",
        "federation": {"clients": NODES, "rounds": ROUNDS},
        "monitor": {"rounds": [ROUNDS], "min_cohort": 2, "timeout": 20.0},
        "privacy": {"aggregation": "plain", "epsilon": 500.0},
        "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
        "probes": {"task": str(folder / "probes.jsonl"), "items": 16},
    }
    for section, values in changes.items():
        data[section] = values if section == "modes" else {**data.get(section, {}), **values}
    return parse_plan(data)


def small_app(
    train: Callable[[Message, Context], Message] | None = None,
) -> ClientApp:
    """Training adds the node's number to the only array, or is what is given."""
    made = ClientApp()

    @made.train()
    def fit(message: Message, context: Context) -> Message:
        if train is not None:
            return train(message, context)
        (record,) = message.content.array_records.values()
        (weights,) = record.to_numpy_ndarrays()
        content = {
            "arrays": ArrayRecord([weights + np.float32(context.node_id)]),
            "metrics": MetricRecord({"train_loss": 0.5, "num-examples": 1}),
        }
        return Message(RecordDict(content), reply_to=message)

    @made.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        metrics = MetricRecord({"eval_loss": 0.4, "eval_acc": 0.5, "num-examples": 1})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return made


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    """The surer, the larger the array."""
    shift = 0.0 if arrays is None else float(np.tanh(arrays.to_numpy_ndarrays()[0] / 4).mean())
    rows = [np.linspace(1.0 - 0.3 * shift, 1.0 + 0.3 * shift, len(item.choices)) for item in items]
    return [(row / row.sum()).tolist() for row in rows]


def begin(folder: Path, app: ClientApp | None = None, **grid: Any) -> InProcess:
    """A grid of nodes whose owners agreed to the plan, if one is named."""
    return InProcess(app or small_app(), NODES, folder, **grid)


def run(
    strategy: Strategy,
    folder: Path,
    *,
    monitored: bool = True,
    plan: MonitoringPlan | None = None,
    app: ClientApp | None = None,
    rounds: int = ROUNDS,
) -> Any:
    """What ``start`` returns, with the two lines or without; the run's folder is ``folder/run``."""
    declared = plan or small_plan(folder)
    made = app or small_app()
    if monitored:
        strategy = monitor_strategy(strategy, declared, out=folder / "run")
        made = monitor_client(made, score)
    grid = begin(folder / "nodes", made, agreed=declared)
    return strategy.start(grid, ArrayRecord([START]), num_rounds=rounds)  # type: ignore[arg-type]


def said(out: Path) -> dict[int, str]:
    """Of each round what the ledger says: ``findings``, or why it was missed."""
    entries = Ledger(out / "ledger.sqlite", read_only=True).entries()
    return {
        entry.payload["round"]: str(entry.payload.get("reason", entry.kind))
        for entry in entries
        if entry.kind in ("missed", "findings")
    }
