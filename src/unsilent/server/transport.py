"""What the server's side needs of an engine: ask clients, each its own question, and wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from unsilent.errors import InputError, RunError, UnsilentError
from unsilent.messages import Answer, Order, asking

Report = Callable[[str, int, int], None]
"""Told the stage, how many clients have answered, and of how many."""
Told = Callable[[int, int], None]
"""Told how many clients have answered, and of how many."""

_LONGEST_REASON = 300


class Transport(Protocol):
    """How an engine reaches its clients."""

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> Mapping[int, Answer]:
        """Send each node its order and wait, at most ``timeout`` seconds, for all answers.

        An answer belongs to the node that was asked, whatever it says of itself. A node that the
        engine lost answers with ``failed`` in the engine's words; a late one is left out. Nothing
        is raised for what a client does.
        """
        ...


@dataclass
class Answers:
    """What came back of one exchange.

    Attributes:
        good: Answers by node, in the order in which the nodes were asked.
        reasons: Why others are missing, in plain words; no client's exception is among them.
        bad_input: The first reason that is about the user's input, if one is.
        spent: How many did not answer because their budget is spent.
    """

    good: dict[int, Answer] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    bad_input: str | None = None
    spent: int = 0

    def failure(self) -> UnsilentError:
        """The error of an exchange in which nobody answered well."""
        if self.bad_input is not None:
            return InputError(self.bad_input.rstrip("."))
        reason = self.reasons[0] if self.reasons else "no client answered in time"
        return RunError(f"no client could do its part: {reason.rstrip('.')}")


def ask(
    transport: Transport, kind: str, orders: Mapping[int, Order], told: Told, *, timeout: float
) -> Answers:
    """Ask nodes, each its own order; good answers, and the reasons of the others."""
    with asking(orders.values()):
        replies = transport.ask(kind, orders, told, timeout)
    answers = sorted_answers(orders, replies)
    late = sum(node not in replies for node in orders)
    if late:
        answers.reasons.append(f"{late} of {len(orders)} clients did not answer in time")
    return answers


def sorted_answers(nodes: Iterable[int], replies: Mapping[int, Answer]) -> Answers:
    """Good answers in the order of ``nodes``, and the reasons of the others."""
    found = Answers()
    for node in nodes:
        reply = replies.get(node)
        if reply is None:
            continue
        if not reply.failed:
            found.good[node] = reply
            continue
        reason = _plain(reply.failed)
        found.reasons.append(reason)
        found.spent += reply.spent
        if found.bad_input is None and reply.exit_code == InputError.exit_code:
            found.bad_input = reason
    return found


def _plain(text: str) -> str:
    """A client's words as one short line: they go into the ledger and to a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
