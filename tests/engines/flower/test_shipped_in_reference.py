"""The reference federation ships pinned probes with each message that needs them, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message

from tests.engines.flower import wire as messages
from tests.engines.flower.in_process import enter_run
from tests.engines.flower.test_gated_federation import CLIENTS, GOOD, Nodes, adapter
from tests.engines.flower.wire import NAME, OBSERVE, PROMOTE, START
from unsilent.engines.flower.server import federate
from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.models.base import Adapter
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes.check import pin_of
from unsilent.probes.shipping import shipped_fields
from unsilent.reference import client as worker
from unsilent.server.monitor import Monitor

ITEMS = [Item(f"q{n}", f"Question {n}?", (" x", " y"), answer=n % 2) for n in range(8)]


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def plan(folder: Path) -> MonitoringPlan:
    pin = pin_of(ItemSet("general", tuple(ITEMS)))
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": 1, "personal_epochs": 0},
            "monitor": {"min_cohort": 2},
            "privacy": {"epsilon": 500.0, "aggregation": "plain"},
            "modes": {"amplified_bias": {"tolerance": 0.4, "clip": 1.0}},
            "gate": {"open_after": 1, "action": "hold"},
            "probes": {"general": f"{folder / 'general.jsonl'}{pin}", "items": len(ITEMS)},
        }
    )


class Noted(Nodes):
    """Nodes that note which messages carry probes."""

    def __init__(self, of: MonitoringPlan, folder: Path, effects: Sequence[float]) -> None:
        super().__init__(of, folder, effects)
        self.carried: dict[str, bool] = {}

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        whole = list(requests)
        for request in whole:
            order = request.content.config_records[messages.ORDER]
            self.carried[request.metadata.message_type] = "probes.general" in order
        return super().push_messages(whole)


def test_whoever_loads_the_model_is_shipped_the_probes(tmp_path: Path) -> None:
    write_items(tmp_path / "general.jsonl", ITEMS)
    declared = plan(tmp_path)
    nodes = Noted(declared, tmp_path / "clients", [GOOD])
    monitor = Monitor(declared, Ledger(tmp_path / "ledger.sqlite"))
    federate(nodes, declared, monitor, tmp_path, report=lambda *told: None)  # type: ignore[arg-type]
    assert nodes.carried == {NAME: False, START: True, "train": True, OBSERVE: True, PROMOTE: True}


class Model:
    """What a worker needs of a model before it scores."""

    def new_adapter(self, seed: int) -> Adapter:
        return adapter(float(seed))


def test_a_worker_asks_what_was_shipped_under_the_plans_pin_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_items(tmp_path / "general.jsonl", ITEMS)
    declared = plan(tmp_path)
    (data,) = shipped_fields(declared, Path).values()
    (tmp_path / "general.jsonl").unlink()
    asked: list[ItemSet] = []

    def load(plan: MonitoringPlan, sets: Iterable[ItemSet]) -> Any:
        asked.extend(sets)
        return Model()

    monkeypatch.setattr(worker, "load_model", load)
    monkeypatch.setattr(worker, "model_openings", lambda plan: ())
    text = json.dumps(declared.to_json())
    with pytest.raises(ItemError, match="no such file"):
        worker.start_adapter(text)
    with pytest.raises(ItemError, match="not the pinned ones"):
        worker.start_adapter(text, (("general", data.replace(b"Question 3", b"Ann, 3")),))
    assert asked == []
    worker.start_adapter(text, (("general", data),))
    assert tuple(ITEMS) in [items.items for items in asked]
