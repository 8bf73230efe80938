"""A server ships the plan's probes to its clients, and none that the plan does not pin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.wire import OBSERVE
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.messages import ANSWER, FAILED, ORDER
from unsilent.errors import InputError, ItemError
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import Item, ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import check
from unsilent.probes.check import pin_of
from unsilent.probes.shipping import shipped_fields, shipped_in

NODES, ODD = 8, 2
FIELD = "probes.task"
ITEMS = [
    Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2]) for n in range(16)
]
OTHER = [
    Item(i.id, f"Does Ann have it? {i.id}", i.choices, i.answer, domain=i.domain) for i in ITEMS
]
Change = Callable[[Any], None]
"""Done to the order of a message to the odd node."""


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def plan(folder: Path, pin: str, aggregation: str = "plain") -> MonitoringPlan:
    return parse_plan(
        {
            "name": "shipped",
            "federation": {"clients": NODES, "rounds": 1},
            "monitor": {"rounds": [1], "min_cohort": 2, "timeout": 20.0},
            "privacy": {"aggregation": aggregation, "dropout": 0.25},
            "modes": {"confidence_miscalibration": {"tolerance": 0.1, "clip": 0.4}},
            "probes": {"task": f"{folder / 'probes.jsonl'}{pin}", "items": 16},
        }
    )


class Server(InProcess):
    """A grid whose server says something else to the odd node."""

    def __init__(self, *args: Any, change: Change, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._change = change

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        whole = list(requests)
        for request in whole:
            if request.metadata.dst_node_id == ODD and ORDER in request.content.config_records:
                self._change(request.content.config_records[ORDER])
        return super().push_messages(whole)


class Run:
    """One run of a monitored app whose clients hold no copy of the probes."""

    def __init__(
        self,
        folder: Path,
        pin: str,
        *,
        change: Change = lambda order: None,
        agreed: MonitoringPlan | None = None,
        aggregation: str = "plain",
        everyone: bool = False,
    ) -> None:
        file = folder / "probes.jsonl"
        write_items(file, ITEMS)
        self.plan = plan(folder, pin, aggregation)
        self.prompts: dict[int, set[str]] = {}
        app = ClientApp()

        @app.train()
        def train(message: Message, context: Context) -> Message:
            file.unlink(missing_ok=True)
            content = RecordDict(
                {
                    "arrays": ArrayRecord([np.ones(2, np.float32)]),
                    "metrics": MetricRecord({"num-examples": 3}),
                }
            )
            return Message(content, reply_to=message)

        def score(
            items: ItemSet, arrays: ArrayRecord | None, context: Context
        ) -> list[list[float]]:
            seen = self.prompts.setdefault(context.node_id, set())
            seen.update(item.prompt for item in items)
            return [[0.5, 0.5] for _ in items]

        grid = Server(monitor_client(app, score), NODES, folder / "nodes", change=change)
        for node, context in grid.contexts.items():
            if everyone or (agreed and node == ODD):
                context.node_config["plan"] = (agreed or self.plan).digest
        strategy = monitor_strategy(FedAvg(fraction_evaluate=0.0), self.plan, out=folder / "run")
        arrays = ArrayRecord([np.zeros(2, np.float32)])
        strategy.start(grid, initial_arrays=arrays, num_rounds=1)  # type: ignore[arg-type]
        self.failed = [
            str(values[FAILED])
            for reply in grid.received
            if (values := reply.content.config_records.get(ANSWER)) and FAILED in values
        ]
        self.carried = [
            kind
            for (kind, _), sent in zip(grid.asked, grid.sent, strict=True)
            if FIELD in sent.content.config_records.get(ORDER, {})
        ]
        self._log = folder / "nodes" / str(ODD) / "error.log"
        self.ledger = Ledger(folder / "run" / "ledger.sqlite")

    @property
    def missed(self) -> list[str]:
        return [entry.payload["reason"] for entry in self.ledger.entries("missed")]

    @property
    def log(self) -> str:
        """What the odd node's owner reads."""
        return self._log.read_text(encoding="utf-8")


PIN = pin_of(ItemSet("task", tuple(ITEMS)))


def lines(items: list[Item]) -> bytes:
    return "\n".join(json.dumps(item.to_json()) for item in items).encode()


def test_clients_without_a_copy_answer_what_the_server_ships(tmp_path: Path) -> None:
    done = Run(tmp_path, PIN)
    assert done.missed == done.failed == []
    assert done.prompts == {node: {item.prompt for item in ITEMS} for node in range(1, NODES + 1)}
    assert set(done.carried) == {OBSERVE}


def test_without_a_pin_nothing_is_shipped(tmp_path: Path) -> None:
    done = Run(tmp_path, "", everyone=True)
    assert done.carried == []
    assert Sentence.UNUSABLE.text.rstrip(".") in done.missed[0]
    assert "no such file" in done.log


def more(order: Any) -> None:
    order[FIELD] = lines(ITEMS) + b"\n" * 3000


FAULTS: dict[str, tuple[Change, str]] = {
    "another set": (lambda order: order.update({FIELD: lines(OTHER)}), "not the pinned ones"),
    "one less": (lambda order: order.update({FIELD: lines(ITEMS[:-1])}), "not the pinned ones"),
    "one word": (
        lambda order: order.update({FIELD: order[FIELD].replace(b"yes", b"Ann")}),
        "not the pinned ones",
    ),
    "hidden field": (
        lambda order: order.update({FIELD: order[FIELD].replace(b'"id"', b'"note": "x", "id"')}),
        "unknown field 'note'",
    ),
    "hidden attribute": (
        lambda order: order.update(
            {FIELD: order[FIELD].replace(b'"id"', b'"attributes": {"a": "b"}, "id"')}
        ),
        "not the pinned ones",
    ),
    "too large": (more, "more than 3000"),
    "role without a pin": (
        lambda order: order.update({"probes.task": lines(ITEMS), "probes.other": b"x"}),
        "no probe set",
    ),
    "no bytes": (lambda order: order.update({FIELD: "text"}), "no probe set"),
    "nothing": (lambda order: order.pop(FIELD, None), "did not come with the message"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_of_which_something_else_is_asked_answers_nothing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, reason = FAULTS[fault]
    if fault == "too large":
        monkeypatch.setattr(check, "MAX_SHIPPED_BYTES", 3000)

    def at_measuring(order: Any) -> None:
        if FIELD in order:
            change(order)

    done = Run(tmp_path, PIN, change=at_measuring)
    assert len(done.failed) == 1
    assert done.failed[0] in {sentence.text for sentence in Sentence}
    assert reason in done.log
    assert ODD not in done.prompts
    assert done.missed == []


def own_question(order: Any) -> None:
    """A plan for one client alone, with a pin that fits a set for it alone."""
    asked = json.loads(order["plan"])
    asked["probes"]["task"] = asked["probes"]["task"].partition("#")[0] + pin_of(
        ItemSet("task", tuple(OTHER))
    )
    order["plan"] = json.dumps(asked)
    if FIELD in order:
        order[FIELD] = lines(OTHER)


def test_a_client_with_a_plan_of_its_own_is_in_no_secure_sum(tmp_path: Path) -> None:
    done = Run(tmp_path, PIN, change=own_question, aggregation="secure-sum")
    # It is in no sum, so that it is not asked to measure either.
    assert done.failed == []
    (total,) = done.ledger.entries("sum")
    assert total.payload["clients"] == NODES - 1


def test_a_client_that_agreed_on_a_plan_answers_for_no_other(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    agreed = plan(tmp_path / "own", PIN)
    done = Run(tmp_path / "own", PIN, change=own_question, agreed=agreed)
    assert set(done.failed) == {Sentence.NOT_AGREED.text}
    assert "this client agreed to" in done.log
    assert done.missed == []
    (tmp_path / "same").mkdir()
    agreed = plan(tmp_path / "same", PIN)
    assert Run(tmp_path / "same", PIN, agreed=agreed).failed == []


def test_a_server_ships_no_file_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    write_items(tmp_path / "probes.jsonl", OTHER)
    with pytest.raises(ItemError, match="not the pinned ones"):
        shipped_fields(plan(tmp_path, PIN), Path)


def test_what_was_shipped_is_found_by_role() -> None:
    assert shipped_in({"plan": "{}", FIELD: b"x", "round": 1}) == (("task", b"x"),)
    with pytest.raises(InputError, match="no probe set"):
        shipped_in({"probes.records": b"x"})
