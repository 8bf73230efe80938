"""Exchanges of the server with its clients: one question to each, and who answered what.

An answer belongs to the node that was asked, whatever it says of itself: the transport knows its
nodes, and a client that answers for another one is not heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from flwr.app import Message
from flwr.serverapp import Grid

from unsilent.engines.flower import messages
from unsilent.errors import InputError, RunError, UnsilentError

Report = Callable[[str, int, int], None]
"""Told the stage, how many clients have answered, and of how many."""

_POLL_S = 0.1
_LONGEST_REASON = 300


@dataclass
class Answers:
    """What came back of one exchange.

    Attributes:
        good: Answers by node, in the order in which the nodes were asked.
        reasons: Why others are missing, in plain words; no client's exception is among them.
        bad_input: The first reason that is about the user's input, if one is.
        spent: How many did not answer because their budget is spent.
    """

    good: dict[int, Message] = field(default_factory=dict)
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
    grid: Grid,
    requests: Mapping[int, Message],
    report: Callable[[int, int], None],
    *,
    timeout: float,
) -> Answers:
    """Send a request to each node and wait, at most ``timeout`` seconds, for all answers."""
    sent = set(grid.push_messages(list(requests.values())))
    # The grid names each message when it is pushed; one that it could not push is not in ``sent``.
    asked = {request.metadata.message_id: node for node, request in requests.items()}
    asked = {name: node for name, node in asked.items() if name in sent}
    replies: dict[int, Message] = {}
    deadline = time.monotonic() + timeout
    report(0, len(requests))
    while len(replies) < len(asked) and time.monotonic() < deadline:
        waiting = [name for name, node in asked.items() if node not in replies]
        arrived = {
            asked[reply.metadata.reply_to_message_id]: reply
            for reply in grid.pull_messages(waiting)
            if reply.metadata.reply_to_message_id in asked
        }
        if arrived:
            replies |= arrived
            report(len(replies), len(requests))
        else:
            time.sleep(_POLL_S)
    answers = sorted_answers(requests, replies)
    late = len(requests) - len(replies)
    if late:
        answers.reasons.append(f"{late} of {len(requests)} clients did not answer in time")
    return answers


def sorted_answers(nodes: Iterable[int], replies: Mapping[int, Message]) -> Answers:
    """Good answers in the order of ``nodes``, and the reasons of the others."""
    found = Answers()
    for node in nodes:
        reply = replies.get(node)
        if reply is None:
            continue
        if reply.has_error():
            found.reasons.append(f"no answer from a node (Flower error {reply.error.code})")
            continue
        values = reply.content.config_records.get(messages.ANSWER)
        if values is None:
            found.reasons.append("an answer of another app")
        elif messages.FAILED in values:
            reason = _plain(str(values[messages.FAILED]))
            found.reasons.append(reason)
            found.spent += values.get(messages.SPENT) is True
            if found.bad_input is None and values.get("exit_code") == InputError.exit_code:
                found.bad_input = reason
        else:
            found.good[node] = reply
    return found


def _plain(text: str) -> str:
    """A client's words as one short line: they go into the ledger and to a terminal."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
