"""Flower's grid as a transport: one message to each node, and whose reply is whose."""

from __future__ import annotations

import time
from collections.abc import Mapping

from flwr.app import Message
from flwr.serverapp import Grid

from unsilent.engines.flower import messages
from unsilent.messages import Answer, Order
from unsilent.server.transport import Told

_SOONEST_S, _LATEST_S = 0.1, 2.0
"""Seconds between two looks for answers, at least and at most."""
_PART = 0.1
"""Of what was waited for already, what the next pause is: an answer comes at most so much late."""


class GridTransport:
    """Asks the nodes of a grid.

    Args:
        grid: Flower's.

    Attributes:
        grid: The same.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> Mapping[int, Answer]:
        """Send each node its order and wait, at most ``timeout`` seconds, for all answers."""
        # Most often all nodes are asked the same: its arrays are turned into records once.
        made = {id(order): messages.carried(order) for order in orders.values()}
        requests = {
            node: messages.request(node, kind, made[id(order)]) for node, order in orders.items()
        }
        sent = set(self.grid.push_messages(list(requests.values())))
        # The grid names each message when it is pushed; one that it could not push is not there.
        asked = {request.metadata.message_id: node for node, request in requests.items()}
        asked = {name: node for name, node in asked.items() if name in sent}
        replies: dict[int, Message] = {}
        began = time.monotonic()
        deadline = began + timeout
        told(0, len(requests))
        while len(replies) < len(asked) and time.monotonic() < deadline:
            waiting = [name for name, node in asked.items() if node not in replies]
            # The transport knows its nodes: who answers for another one is not heard.
            arrived = {
                asked[reply.metadata.reply_to_message_id]: reply
                for reply in self.grid.pull_messages(waiting)
                if reply.metadata.reply_to_message_id in asked
            }
            if arrived:
                replies |= arrived
                told(len(replies), len(requests))
            else:
                now = time.monotonic()
                time.sleep(pause(now - began, deadline - now))
        return {node: messages.answer_in(reply) for node, reply in replies.items()}


def pause(waited: float, left: float) -> float:
    """Seconds until the next look for answers; a look is at all who have not answered.

    It grows with the wait, since the answers of an exchange take about as long as each other, and
    ends with the time that is left.

    Args:
        waited: Seconds since all were asked.
        left: Seconds until no answer counts any more.
    """
    wanted = min(max(_PART * waited, _SOONEST_S), _LATEST_S)
    return max(0.0, min(wanted, left))
