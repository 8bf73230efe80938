"""Who answered what: an answer belongs to the node that was asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tests.engines.flower import wire as messages
from unsilent.engines.flower.transport import GridTransport
from unsilent.errors import InputError, RunError
from unsilent.messages import Order
from unsilent.server.transport import ask

SECRET = "the patient wrote: it hurts"


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


class Nodes:
    """A grid whose nodes answer as they are told, in the order in which they are asked for."""

    def __init__(self, answers: dict[int, dict[str, Any] | Error | None], lost: int = -1) -> None:
        self._answers = answers
        self._lost = lost
        self._pending: dict[str, Message] = {}

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        names = []
        for number, request in enumerate(requests):
            name = f"message-{number}"
            request.metadata.__dict__["_message_id"] = name
            if request.metadata.dst_node_id == self._lost:
                continue
            names.append(name)
            self._pending[name] = request
        return names

    def pull_messages(self, names: Iterable[str]) -> list[Message]:
        replies = []
        for name in reversed(list(names)):
            request = self._pending.pop(name, None)
            told = None if request is None else self._answers[request.metadata.dst_node_id]
            if isinstance(told, Error):
                replies.append(Message(told, reply_to=request))
            elif told is not None:
                record = RecordDict({messages.ANSWER: ConfigRecord(told)})
                replies.append(Message(record, reply_to=request))
        return replies


def put(nodes: Nodes, asked: Iterable[int], timeout: float = 5.0) -> Any:
    orders = {node: Order("{}", "", 1) for node in asked}
    return ask(GridTransport(nodes), "x", orders, lambda n, total: None, timeout=timeout)  # type: ignore[arg-type]


def test_answers_come_in_the_order_in_which_nodes_were_asked() -> None:
    found = put(Nodes({node: {"client": node} for node in (5, 11, 2)}), (5, 11, 2))
    assert list(found.good) == [5, 11, 2]
    assert found.reasons == []


def test_an_answer_belongs_to_the_node_that_was_asked() -> None:
    found = put(Nodes({7: {"client": 0}, 8: {"client": 0}}), (7, 8))
    assert list(found.good) == [7, 8]


def test_failures_are_set_apart_without_an_exceptions_text() -> None:
    answers: dict[int, dict[str, Any] | Error | None] = {
        1: {"client": 1},
        2: {messages.FAILED: "no room", "exit_code": 1},
        3: Error(code=3, reason=SECRET),
    }
    found = put(Nodes(answers), (1, 2, 3))
    assert list(found.good) == [1]
    assert found.reasons == ["no room", "no answer from a node (Flower error 3)"]


def test_a_node_that_keeps_silent_is_waited_for_until_the_time_is_over() -> None:
    found = put(Nodes({1: {"client": 1}, 2: None}), (1, 2), timeout=0.3)
    assert list(found.good) == [1]
    assert found.reasons == ["1 of 2 clients did not answer in time"]


def test_a_message_that_could_not_be_sent_is_not_waited_for() -> None:
    found = put(Nodes({1: {"client": 1}, 2: {"client": 2}}, lost=2), (1, 2), timeout=60.0)
    assert list(found.good) == [1]
    assert found.reasons == ["1 of 2 clients did not answer in time"]


def test_bad_input_is_told_from_other_failures() -> None:
    found = put(Nodes({1: {messages.FAILED: "x.jsonl: empty.", "exit_code": 2}}), (1,))
    assert isinstance(found.failure(), InputError)
    assert found.failure().line() == "x.jsonl: empty"
    found = put(Nodes({1: {messages.FAILED: "no room", "exit_code": 1}}), (1,))
    assert isinstance(found.failure(), RunError)


def test_clients_whose_budget_is_spent_are_counted() -> None:
    found = put(
        Nodes(
            {
                1: {messages.FAILED: "over the limit", "exit_code": 1, messages.SPENT: True},
                2: {messages.FAILED: "no room", "exit_code": 1, messages.SPENT: False},
                3: {"client": 3},
                4: {messages.FAILED: "over the limit", "exit_code": 1, messages.SPENT: True},
            }
        ),
        (1, 2, 3, 4),
    )
    assert found.spent == 2
    assert list(found.good) == [3]
