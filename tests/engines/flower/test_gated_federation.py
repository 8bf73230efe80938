"""The gate in the reference federation: which adapter clients use, and where training goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tests.engines.flower import wire as messages
from tests.engines.flower.wire import NAME, OBSERVE, PROMOTE, START
from unsilent.client.model_check import ModelCheck
from unsilent.client.observer import Observer, SystemChange
from unsilent.engines.flower.server import federate
from unsilent.ledger import Ledger
from unsilent.models.base import Adapter
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.reference.client import Client
from unsilent.release import SeededNoise
from unsilent.server.gate_keeper import decisions, override
from unsilent.server.monitor import Monitor

CLIENTS = 4
BASE = "sha256:" + "c" * 64
GOOD, BAD = 0.0, 0.8
CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def plan(rounds: int, **gate: object) -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": CLIENTS, "rounds": rounds, "personal_epochs": 0},
            "monitor": {"min_cohort": 2},
            "privacy": {"epsilon": 500.0, "aggregation": "plain"},
            "modes": {"amplified_bias": {"tolerance": 0.4, "clip": 1.0}},
            "gate": {"open_after": 1, **gate},
        }
    )


def adapter(value: float) -> Adapter:
    return Adapter(BASE, {"a": np.full(3, value, np.float32)})


class Nodes:
    """A grid whose clients train by adding 1, and measure what each round's script says."""

    def __init__(self, of: MonitoringPlan, folder: Path, effects: Sequence[float]) -> None:
        self.plan = of
        self.folder = folder
        self.effects = effects
        self.begun: list[float] = []
        self._replies: dict[str, Message] = {}
        self._sent = 0

    def get_node_ids(self) -> list[int]:
        return list(range(CLIENTS))

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        names = []
        for request in requests:
            self._sent += 1
            name = f"message-{self._sent}"
            request.metadata.__dict__["_message_id"] = name
            names.append(name)
            handled = messages.guarded(self._answer, lambda _: self.folder / "log")
            self._replies[name] = handled(request, CONTEXT)
        return names

    def pull_messages(self, names: Iterable[str]) -> list[Message]:
        return [self._replies.pop(name) for name in list(names) if name in self._replies]

    def serving(self) -> set[float]:
        """What the clients use."""
        paths = self.folder.glob("*/serving.safetensors")
        return {float(Adapter.load(path, base=BASE).tensors["a"][0]) for path in paths}

    def _answer(self, request: Message, context: Context) -> Message:
        node, kind = request.metadata.dst_node_id, request.metadata.message_type
        order = request.content.config_records[messages.ORDER]
        number, folder = int(str(order["round"])), self.folder / str(node)
        if kind == NAME:
            return messages.answer(request, {"client": node})
        if kind == START:
            return messages.answer(request, {"client": node, "base": BASE}, adapter=adapter(0.0))
        if kind == OBSERVE:
            observer = Observer(self.plan, f"{node}", folder, noise=SeededNoise([node, number]))
            statistics = [Statistic("SF-1", self.effects[number - 1], -2.0, 2.0, 0.01, 400)]
            release = observer.release(number, statistics, SystemChange(0.0, 0.0), ModelCheck(0.0))
            return messages.answer(request, {"body": release.to_bytes()})
        given = messages.adapter_of(request.content, BASE)
        if kind == PROMOTE:
            Client(str(order["plan"]), node, folder, simulated=False).serve(number, given)
            return messages.answer(request, {"client": node})
        if node == 0:
            self.begun.append(float(given.tensors["a"][0]))
        metrics = {"loss": 0.5, "accuracy": 0.7, "num-examples": 8.0}
        trained = adapter(float(given.tensors["a"][0]) + 1.0)
        return messages.answer(request, {"client": node}, adapter=trained, metrics=metrics)


def run(of: MonitoringPlan, folder: Path, effects: Sequence[float]) -> tuple[Nodes, float]:
    """A whole run; the nodes and the last global adapter's value."""
    nodes = Nodes(of, folder / "clients", effects)
    monitor = Monitor(of, Ledger(folder / "ledger.sqlite"))
    last = federate(nodes, of, monitor, folder, report=lambda *told: None)  # type: ignore[arg-type]
    return nodes, float(last.tensors["a"][0])


def actions(folder: Path) -> list[tuple[str, int]]:
    ledger = Ledger(folder / "ledger.sqlite")
    return [(made.action, made.promoted_round) for made in decisions(ledger)]


def test_hold_keeps_the_clients_on_the_last_good_adapter_and_trains_on(tmp_path: Path) -> None:
    nodes, last = run(plan(3, action="hold"), tmp_path, [GOOD, BAD, BAD])
    assert actions(tmp_path) == [("promote", 1), ("hold", 1), ("hold", 1)]
    assert nodes.serving() == {1.0}
    assert (nodes.begun, last) == ([0.0, 1.0, 2.0], 3.0)


def test_rollback_takes_the_federation_back_too(tmp_path: Path) -> None:
    nodes, last = run(plan(3, action="rollback"), tmp_path, [GOOD, BAD, BAD])
    assert actions(tmp_path) == [("promote", 1), ("rollback", 1), ("rollback", 1)]
    assert nodes.serving() == {1.0}
    assert (nodes.begun, last) == ([0.0, 1.0, 1.0], 2.0)


def test_observe_decides_nothing_and_tells_clients_nothing(tmp_path: Path) -> None:
    nodes, last = run(plan(3, action="observe"), tmp_path, [GOOD, BAD, BAD])
    assert actions(tmp_path) == []
    assert nodes.serving() == set()
    assert (nodes.begun, last) == ([0.0, 1.0, 2.0], 3.0)


def test_a_failure_from_the_start_leaves_clients_what_they_had(tmp_path: Path) -> None:
    nodes, _ = run(plan(2, action="hold"), tmp_path, [BAD, BAD])
    assert nodes.serving() == {0.0}


def test_an_override_reaches_the_clients_in_the_next_round(tmp_path: Path) -> None:
    class Person(Nodes):
        def _answer(self, request: Message, context: Context) -> Message:
            """Somebody overrides while round 2 trains."""
            train = request.metadata.message_type == "train"
            number = request.content.config_records[messages.ORDER]["round"]
            if train and number == 2 and request.metadata.dst_node_id == 0:
                override(Ledger(tmp_path / "ledger.sqlite"), 1, reason="it is fine", by="Ada")
            return super()._answer(request, context)

    of = plan(3, action="hold")
    nodes = Person(of, tmp_path / "clients", [BAD, BAD, BAD])
    monitor = Monitor(of, Ledger(tmp_path / "ledger.sqlite"))
    federate(nodes, of, monitor, tmp_path, report=lambda *told: None)  # type: ignore[arg-type]
    assert actions(tmp_path) == [("hold", 0), ("hold", 0), ("overruled", 1), ("hold", 1)]
    assert nodes.serving() == {1.0}
