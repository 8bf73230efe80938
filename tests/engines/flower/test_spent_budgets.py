"""Clients that have spent what they may end the monitoring, not the training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tests.engines.flower import wire as messages
from tests.engines.flower.wire import NAME, OBSERVE, START
from unsilent.client.limit import Limit, LimitFile
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.engines.flower.server import federate
from unsilent.findings import validate
from unsilent.ledger import Ledger
from unsilent.models.base import Adapter
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise
from unsilent.server.monitor import Monitor

CLIENTS = 4
ADAPTER = Adapter("sha256:" + "c" * 64, {"a": np.ones(3, np.float32)})


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def plan(dropout: float = 0.0) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": 3},
            "monitor": {"min_cohort": 2},
            # Where one of the four may be missing, no verdict is within reach below 9.4.
            "privacy": {"epsilon": 12.0, "aggregation": "plain", "dropout": dropout},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
        }
    )


class Nodes:
    """A grid whose clients train nothing and release by the real observer, in their folders."""

    def __init__(self, of: MonitoringPlan, folder: Path) -> None:
        self.plan = of
        self.folder = folder
        self.asked: list[tuple[str, int]] = []
        self._replies: dict[str, Message] = {}

    def get_node_ids(self) -> list[int]:
        return list(range(CLIENTS))

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        names = []
        for request in requests:
            name = f"message-{len(self._replies)}-{len(self.asked)}"
            request.metadata.__dict__["_message_id"] = name
            names.append(name)
            self._replies[name] = self._answer(request)
        return names

    def pull_messages(self, names: Iterable[str]) -> list[Message]:
        return [self._replies.pop(name) for name in list(names) if name in self._replies]

    def _answer(self, request: Message) -> Message:
        node = request.metadata.dst_node_id
        kind = request.metadata.message_type
        number = int(str(request.content.config_records[messages.ORDER]["round"]))
        self.asked.append((kind, number))
        if kind == NAME:
            return messages.answer(request, {"client": node})
        if kind == START:
            return messages.answer(request, {"client": node, "base": ADAPTER.base}, adapter=ADAPTER)
        if kind == OBSERVE:
            return messages.guarded(self._observe, lambda _: self.folder / "log")(request, CONTEXT)
        metrics = {"loss": 0.5, "accuracy": 0.7, "num-examples": 8.0}
        return messages.answer(request, {"client": node}, adapter=ADAPTER, metrics=metrics)

    def _observe(self, request: Message, context: Context) -> Message:
        node = request.metadata.dst_node_id
        number = int(str(request.content.config_records[messages.ORDER]["round"]))
        folder = self.folder / str(node)
        observer = Observer(self.plan, f"{node}", folder, noise=SeededNoise([node, number]))
        statistics = [Statistic("SF-1", 0.05, -2.0, 2.0, 0.02, 40)]
        release = observer.release(number, statistics, SystemChange(0.0, 0.0), ModelCheck(0.0))
        return messages.answer(request, {"body": release.to_bytes()})


CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})


def run(of: MonitoringPlan, folder: Path, poor: int) -> tuple[Nodes, Monitor]:
    """A federation in which that many clients may release once and not twice."""
    nodes = Nodes(of, folder / "clients")
    for node in range(poor):
        LimitFile(nodes.folder / str(node)).write(Limit("client", "zero-out", "plain", 7.5, 1e-5))
    monitor = Monitor(of, Ledger(folder / "ledger.sqlite"))
    federate(nodes, of, monitor, folder, report=lambda *told: None)  # type: ignore[arg-type]
    return nodes, monitor


def test_training_goes_on_and_the_findings_say_when_the_budget_was_spent(tmp_path: Path) -> None:
    nodes, monitor = run(plan(), tmp_path, poor=1)
    assert [number for kind, number in nodes.asked if kind == "train"] == [1] * 4 + [2] * 4 + [
        3
    ] * 4
    assert json.loads((tmp_path / "state.json").read_text())["round"] == 3
    # Round 2 was asked and refused; in round 3 nobody is asked, and nothing is booked.
    assert {number for kind, number in nodes.asked if kind == OBSERVE} == {1, 2}
    assert monitor.stopped == 2
    found = monitor.findings()
    validate(found.to_json())
    assert (found.round, found.privacy.releases) == (1, 2)
    assert "The budget was spent after round 1" in found.privacy.statement
    missed = Ledger(tmp_path / "ledger.sqlite").entries("missed")
    assert [entry.payload["round"] for entry in missed] == [2, 3]
    assert "1 of 4 clients have spent their own limit" in missed[0].payload["reason"]


def test_as_many_as_may_drop_out_do_not_end_it(tmp_path: Path) -> None:
    nodes, monitor = run(plan(dropout=0.25), tmp_path, poor=1)
    assert monitor.stopped is None
    assert monitor.findings().round == 3
    assert {number for kind, number in nodes.asked if kind == OBSERVE} == {1, 2, 3}


def test_a_server_that_comes_back_does_not_ask_again(tmp_path: Path) -> None:
    run(plan(), tmp_path, poor=2)
    again = Monitor(plan(), Ledger(tmp_path / "ledger.sqlite"))
    assert again.stopped == 2
    assert "budget was spent after round 1" in again.findings().privacy.statement
