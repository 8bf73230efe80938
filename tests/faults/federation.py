"""A federation of real processes that can be killed: a server, and a process for each message.

The server is forked from the caller, and each message that a fault concerns is handled in a
process forked from the server, as a SuperNode starts its ClientApp. What travels is noted.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import (
    ArrayRecord,
    ConfigRecord,
    Context,
    Error,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp

from tests.engines.flower import wire as messages
from tests.faults import killing
from unsilent.engines.flower.messages import ADAPTER, ANSWER, ORDER
from unsilent.engines.flower.monitored_client import monitor_client
from unsilent.items import Item, ItemSet, write_items
from unsilent.models.base import Adapter
from unsilent.plan import MonitoringPlan, parse_plan

CLIENTS, ROUNDS = 6, 3
SECRET = "the patient wrote that it hurts"
BASE = "sha256:" + "b" * 64
YEARS = 10 * 365 * 86400.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and where.

    Attributes:
        what: ``app`` kills the ClientApp that handles a message; ``node`` the SuperNode, so that
            it answers nothing from then on in this round; ``silent`` the same without a word from
            the transport; ``server`` the ServerApp; ``raise`` makes the app's scoring raise;
            ``late`` lets a node join in ``round``; ``twin`` adds a node with the folder of
            another; ``clock`` sets a client's clock, ``server-clock`` the server's.
        stage: Message type, of ``app``, ``node`` and ``silent``.
        round: In which round.
        node: Whom it concerns.
        point: Which part, from 0 to 1, of the steps of the process it has done when it dies.
    """

    what: str = "none"
    stage: str = ""
    round: int = 2
    node: int = 3
    point: float = 0.0


@dataclass(frozen=True)
class Case:
    """One federation with one fault.

    Attributes:
        name: Of the case.
        fault: What goes wrong.
        server: ``federation`` is the reference federation's, which goes on where it was;
            ``strategy`` a monitored FedAvg of a user's app, which a new run starts anew.
        aggregation: ``plain`` or ``secure-sum``.
    """

    name: str
    fault: Fault
    server: str = "strategy"
    aggregation: str = "secure-sum"

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)


def plan(case: Case, folder: Path) -> MonitoringPlan:
    """Confidence, measured after each round; one client in six may be lost."""
    probes = folder / "probes.jsonl"
    if not probes.is_file():
        items = [
            Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2])
            for n in range(24)
        ]
        write_items(probes, items)
    return parse_plan(
        {
            "name": "faults",
            "federation": {"clients": CLIENTS, "rounds": ROUNDS},
            "monitor": {"min_cohort": 3, "timeout": 60.0},
            "privacy": {
                "aggregation": case.aggregation,
                "dropout": 0.16,
                "secure_sum": {"consistency": "on"},
            },
            "modes": {"confidence_miscalibration": {"tolerance": 0.1, "clip": 0.4}},
            "probes": {"task": str(probes), "items": 24},
        }
    )


def app(*, monitored: bool, raises: bool = False) -> ClientApp:
    """An app whose training depends on node, round and what it was given, and on nothing else."""
    made = ClientApp()

    @made.train()
    def train(message: Message, context: Context) -> Message:
        reference = ADAPTER in message.content.array_records
        key = ADAPTER if reference else "arrays"
        (given,) = message.content.array_records[key].to_numpy_ndarrays()
        trained = (given * np.float32(0.5) + np.float32(context.node_id)).astype(np.float32)
        metrics = {"loss": float(trained.mean()), "accuracy": 0.5, "num-examples": 8.0}
        if reference:
            adapter = Adapter(BASE, {"a": trained})
            return messages.answer(message, {"client": 0}, adapter=adapter, metrics=metrics)
        content = {"arrays": ArrayRecord([trained]), "metrics": MetricRecord(metrics)}
        return Message(RecordDict(content), reply_to=message)

    @made.query("unsilent_start")
    def start(message: Message, context: Context) -> Message:
        adapter = Adapter(BASE, {"a": np.zeros(3, np.float32)})
        return messages.answer(message, {"client": 0, "base": BASE}, adapter=adapter)

    def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
        if raises and context.node_id == 3:
            raise ValueError(SECRET)
        shift = 0.0 if arrays is None else float(np.tanh(arrays.to_numpy_ndarrays()[0]).mean())
        return [[0.5 - 0.3 * shift, 0.5 + 0.3 * shift] for _ in items]

    def records(context: Context) -> Iterator[Item]:
        for n in range(6):
            yield Item(f"r{n}", f"{SECRET} {n}", (" no", " yes"), answer=n % 2)

    return monitor_client(made, score, records=records) if monitored else made


class Network:
    """A grid over processes, as Flower's: an app that dies comes back as an error with a code."""

    def __init__(self, case: Case, folder: Path, *, monitored: bool, left: int | None) -> None:
        self.fault = case.fault
        self.folder = folder
        self._left = left
        self._app = app(monitored=monitored, raises=case.fault.what == "raise")
        self._replies: dict[str, Message] = {}
        self._count = 0
        self._round = 0
        self._dead = False
        self.steps = 0
        self.agreed = plan(case, folder).digest
        self.nodes = list(range(1, CLIENTS + 1))
        if case.fault.what == "twin":
            self.nodes.append(CLIENTS + 1)

    def get_node_ids(self) -> list[int]:
        late = self.fault.what == "late" and self._round < self.fault.round - 1
        return [node for node in self.nodes if not (late and node == self.fault.node)]

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        names = []
        for request in requests:
            self._count += 1
            name = f"message-{self._count}"
            request.metadata.__dict__["_message_id"] = name
            names.append(name)
            reply = self._reply(request)
            if reply is not None:
                self._replies[name] = reply
        return names

    def pull_messages(self, names: Iterable[str]) -> list[Message]:
        return [self._replies.pop(name) for name in list(names) if name in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        return self.pull_messages(self.push_messages(messages))

    def _reply(self, request: Message) -> Message | None:
        fault, node = self.fault, request.metadata.dst_node_id
        kind, number = request.metadata.message_type, _round_of(request)
        if number > self._round:
            # A SuperNode is started again when a new round begins.
            self._round, self._dead = number, False
        concerned = node == fault.node and fault.what in ("app", "node", "silent")
        here = concerned and kind == fault.stage and self._round == fault.round
        mark = self.folder / "killed"
        if concerned and fault.what != "app" and (self._dead or (here and not mark.exists())):
            if not self._dead and fault.point > 0:
                # It had handled the message, and died before the reply was out.
                self._handled(request, node)
            self._dead = True
            mark.touch()
            return None if fault.what == "silent" else _gone(request, 5)
        if here and fault.what == "app" and not mark.exists():
            return self._forked(request, node, mark) or _gone(request, 8)
        if fault.what == "clock" and node == fault.node:
            return self._forked(request, node, mark, clock=YEARS * (1 if fault.point else -1))
        return self._handled(request, node)

    def _handled(self, request: Message, node: int) -> Message:
        try:
            reply = self._app(request, self._context(node))
        except Exception as error:
            reply = Message(Error(code=2, reason=str(error)), reply_to=request)
        note(self.folder, request, reply)
        return reply

    def _forked(
        self, request: Message, node: int, mark: Path, *, clock: float = 0.0
    ) -> Message | None:
        """Handle a message in a process of its own, which may die; None if it did."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            if clock:
                set_clock(clock)
            killing.watch(self.folder / "nodes" / str(node), self._left, mark)
            killing.step()
            reply = self._handled(request, node)
            killing.step()
            # With its count: a rehearsal says how many steps there are.
            data = pickle.dumps((killing.steps(), reply))
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(data)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        if not data:
            return None
        self.steps, reply = pickle.loads(data)
        return reply

    def _context(self, node: int) -> Context:
        own = self.fault.node if node > CLIENTS else node
        return Context(
            run_id=1,
            node_id=node,
            node_config={
                "partition-id": own - 1,
                "store": str(self.folder / "nodes" / str(own)),
                "plan": self.agreed,
            },
            state=RecordDict(),
            run_config={},
        )


def note(folder: Path, request: Message, reply: Message) -> None:
    """Write down what left a client: kind, node, round, what it was, whether it told secrets."""
    if reply.has_error():
        body, text = b"", reply.error.reason or ""
    else:
        values = reply.content.config_records.get(ANSWER, ConfigRecord())
        given = values.get("body", b"")
        body, text = (given if isinstance(given, bytes) else b""), repr(reply.content)
    line = {
        "kind": request.metadata.message_type,
        "node": request.metadata.dst_node_id,
        "round": _round_of(request),
        "body": hashlib.sha256(body).hexdigest() if body else "",
        "leaks": SECRET in text or SECRET.encode() in body or "Traceback" in text,
    }
    handle = os.open(folder / "wire.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, (json.dumps(line) + "\n").encode())
    os.close(handle)


def set_clock(seconds: float) -> None:
    """Let this process believe that it is so much later."""
    import time
    from datetime import datetime, timedelta

    import unsilent.ledger

    now = time.time
    time.time = lambda: now() + seconds

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    unsilent.ledger.datetime = Wrong  # type: ignore[attr-defined]


def _round_of(request: Message) -> int:
    order = request.content.config_records.get(ORDER)
    if order is None:
        return int(str(request.content.config_records["config"]["server-round"]))
    return int(str(order["round"]))


def _gone(request: Message, code: int) -> Message:
    return Message(Error(code=code, reason="the process is gone"), reply_to=request)
