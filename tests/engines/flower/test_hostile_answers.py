"""What a client may answer: it costs its own part, and nobody else's round or training."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.small_app import begin, score, small_app, small_plan
from tests.engines.flower.wire import NAME, OBSERVE, START
from tests.reference.small_encoder import small_encoder
from tests.reference.small_federation import CLIENTS, plan
from unsilent.engines.flower.client import app
from unsilent.engines.flower.messages import ADAPTER, ANSWER, METRICS
from unsilent.engines.flower.server import federate
from unsilent.engines.flower.transport import GridTransport
from unsilent.errors import RunError
from unsilent.flower import monitor_client
from unsilent.ledger import Ledger
from unsilent.messages import Order
from unsilent.models.base import Adapter
from unsilent.reference import client as worker
from unsilent.server.monitor import Monitor

LIAR = 2


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def unreadable() -> ArrayRecord:
    return ArrayRecord({"x": Array("float32", (4,), "numpy.ndarray", b"garbage")})


def told(name: str, value: Any) -> Callable[[Message], None]:
    def change(reply: Message) -> None:
        reply.content.metric_records[METRICS][name] = value

    return change


def without(record: str) -> Callable[[Message], None]:
    def change(reply: Message) -> None:
        del reply.content[record]

    return change


def arrays(make: Callable[[ArrayRecord], Any]) -> Callable[[Message], None]:
    def change(reply: Message) -> None:
        reply.content[ADAPTER] = make(reply.content.array_records[ADAPTER])

    return change


LIES = {
    "no number": told("loss", math.nan),
    "no end": told("accuracy", math.inf),
    "too large": told("loss", 1e308),
    "a list": told("loss", [1.0]),
    "no examples": told("num-examples", 0.0),
    "fewer than none": told("num-examples", -8.0),
    "all examples": told("num-examples", 1e308),
    "no metrics": without(METRICS),
    "no adapter": without(ADAPTER),
    "unreadable": arrays(lambda record: unreadable()),
    "no arrays": arrays(lambda record: ArrayRecord()),
    "another shape": arrays(
        lambda r: ArrayRecord({n: Array(np.zeros((1, 1), np.float32)) for n in r})
    ),
    "not finite": arrays(
        lambda r: ArrayRecord(
            {n: Array(np.full(a.shape, np.nan, np.float32)) for n, a in r.items()}
        )
    ),
    "words": arrays(lambda r: ArrayRecord({n: Array(np.full(a.shape, "x")) for n, a in r.items()})),
}


class Reference:
    """The reference federation, in which some of what clients say is changed on its way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.model = small_encoder(folder)
        monkeypatch.setattr(worker, "load_model", lambda plan, sets: self.model)
        worker._resident.cache_clear()  # pyright: ignore[reportPrivateUsage]
        self.plan, self.folder = plan("fine-tune", [2]), folder

    def run(self, tap: Callable[[str, int, Message], Message | None]) -> Adapter:
        grid: Any = InProcess(app, CLIENTS, self.folder / "c", agreed=self.plan, tap=tap)
        ledger = Ledger(self.folder / "ledger.sqlite")
        monitor = Monitor(self.plan, ledger, accept_underpowered=True)
        return federate(grid, self.plan, monitor, self.folder, report=lambda *told: None)


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reference:
    return Reference(monkeypatch, tmp_path)


def trained(
    change: Callable[[Message], None], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> str:
    """The last adapter of a run in which one client's answers to training are changed."""

    def tap(kind: str, node: int, reply: Message) -> Message:
        if kind == "train" and node == LIAR:
            change(reply)
        return reply

    return Reference(monkeypatch, folder).run(tap).digest


@pytest.fixture(scope="module")
def without_it(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What training gives where that client fails."""

    def failed(reply: Message) -> None:
        reply.content[ANSWER] = ConfigRecord({"failed": "x"})

    with pytest.MonkeyPatch.context() as patched:
        enter_run(patched)
        return trained(failed, patched, tmp_path_factory.mktemp("failed"))


@pytest.mark.parametrize("lie", LIES)
def test_training_goes_on_as_without_the_client_that_sent_it(
    lie: str, without_it: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert trained(LIES[lie], monkeypatch, tmp_path) == without_it


def test_training_in_which_nothing_can_be_averaged_says_so(reference: Reference) -> None:
    def tap(kind: str, node: int, reply: Message) -> Message:
        if kind == "train":
            LIES["no number"](reply)
        return reply

    with pytest.raises(RunError, match="can be averaged"):
        reference.run(tap)


@pytest.mark.parametrize("lie", ["no adapter", "unreadable"])
def test_a_start_that_is_none_is_said_to_be_none(lie: str, reference: Reference) -> None:
    def tap(kind: str, node: int, reply: Message) -> Message:
        if kind == START:
            LIES[lie](reply)
        return reply

    with pytest.raises(RunError, match="start from"):
        reference.run(tap)


@pytest.mark.parametrize("kind", [NAME, OBSERVE])
def test_arrays_that_nobody_asked_for_are_not_looked_at(kind: str, tmp_path: Path) -> None:
    def tap(asked: str, node: int, reply: Message) -> Message:
        if node == LIAR:
            reply.content[ADAPTER] = unreadable()
        return reply

    declared = small_plan(tmp_path)
    client = monitor_client(small_app(), score)
    grid: Any = begin(tmp_path / "c", client, agreed=declared, tap=tap)
    order = Order("{}", "run", 3)
    answers = GridTransport(grid).ask(
        kind.removeprefix("query.unsilent_"), dict.fromkeys([1, LIAR], order), lambda n, of: None, 5
    )
    assert set(answers) == {1, LIAR}


@pytest.mark.parametrize(
    "values", [{"failed": 3}, {"failed": [1]}, {"failed": "x", "exit_code": [2], "spent": [True]}]
)
def test_failures_of_odd_types_are_failures(values: dict[str, Any], tmp_path: Path) -> None:
    def tap(kind: str, node: int, reply: Message) -> Message:
        return Message(RecordDict({ANSWER: ConfigRecord(values)}), reply_to=grid.sent[-1])

    grid: Any = begin(tmp_path / "c", small_app(), tap=tap)
    found = GridTransport(grid).ask("name", {1: Order("", "", 0)}, lambda n, of: None, 5)[1]
    assert (bool(found.failed), found.exit_code, found.spent) == (True, 1, False)
