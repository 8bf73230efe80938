"""A grid whose nodes run a ClientApp in this process, each with a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity

Tap = Callable[[str, int, Message], Message | None]
"""Sees each reply by message type and node, and says what arrives of it."""


def enter_run(monkeypatch: Any) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


class InProcess:
    """As Flower's grid: an exception of an app comes back as an error with its text.

    Args:
        app: What each node runs.
        nodes: How many there are, numbered from 1.
        folder: Holds a folder for each node, which is its ``store``.
        tap: Changes or loses replies.
    """

    def __init__(self, app: ClientApp, nodes: int, folder: Path, *, tap: Tap | None = None) -> None:
        self._app = app
        self._tap = tap
        self._replies: dict[str, Message] = {}
        self._count = 0
        self.asked: list[tuple[str, int]] = []
        self.sent: list[Message] = []
        self.received: list[Message] = []
        self.contexts = {
            node: Context(
                run_id=1,
                node_id=node,
                node_config={"partition-id": node - 1, "store": str(folder / str(node))},
                state=RecordDict(),
                run_config={},
            )
            for node in range(1, nodes + 1)
        }

    def get_node_ids(self) -> list[int]:
        return list(self.contexts)

    def push_messages(self, requests: Iterable[Message]) -> list[str]:
        names = []
        for request in requests:
            self._count += 1
            name = f"message-{self._count}"
            request.metadata.__dict__["_message_id"] = name
            names.append(name)
            self.sent.append(request)
            kind, node = request.metadata.message_type, request.metadata.dst_node_id
            self.asked.append((kind, node))
            reply: Message | None
            try:
                reply = self._app(request, self.contexts[node])
            except Exception as error:
                reply = Message(Error(code=2, reason=str(error)), reply_to=request)
            if self._tap is not None:
                reply = self._tap(kind, node, reply)
            if reply is not None:
                self.received.append(reply)
                self._replies[name] = reply
        return names

    def pull_messages(self, names: Iterable[str]) -> list[Message]:
        return [self._replies.pop(name) for name in list(names) if name in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        return self.pull_messages(self.push_messages(messages))
