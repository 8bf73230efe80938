"""What travels between a federation's server and its clients for monitoring, whatever carries it.

An engine turns an :class:`Order` into its own kind of message and its clients' replies into
:class:`Answer`; it adds nothing and looks at nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

Arrays = Mapping[str, Any]
"""A model's or an adapter's arrays by name: NumPy arrays, or what an engine hands to the functions
of an app, which alone look into it."""

NAME = "name"
"""Kind of the question which client a node is, and of its signing key."""
OBSERVE = "observe"
"""Of a monitoring round."""
KEYS = "keys"
"""Of the first exchange of a set-up: public keys."""
DRAW = "draw"
"""Of the next where each client has some neighbours only: all keys in, a value out to draw from."""
SHARES = "shares"
"""Of the next: all keys in, encrypted shares out."""
BOXES = "boxes"
"""Of the last: the shares of others in, a confirmation out."""
AGREE = "agree"
"""Of the consistency exchange: who is in the sum, signed."""
UNMASK = "unmask"
"""Of the last exchange of a round: who is in the sum, and the shares that open it."""

MASKS = frozenset({KEYS, DRAW, SHARES, BOXES, AGREE, UNMASK})
"""Kinds of the secure sum's exchanges."""
MONITORING = MASKS | {NAME, OBSERVE}
"""All kinds that a client of any engine answers."""

ADAPTER = "adapter"
"""Name of an order's and an answer's arrays: the newly aggregated ones, or a client's own."""
REFERENCE = "reference"
"""Name of an order's arrays that behaviour is compared with; without them it is the base model."""


@dataclass(frozen=True)
class Order:
    """One question to one client.

    Attributes:
        plan: The plan's JSON. A client looks at it before anything else.
        run: Which run of the plan asks.
        round: The round; 0 before the first.
        body: Further fields, each bytes, text or a number.
        arrays: Arrays by ``ADAPTER`` and ``REFERENCE``.
    """

    plan: str
    run: str
    round: int
    body: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Arrays] = field(default_factory=dict)


# Of this call alone: another thread, such as one that takes messages of strangers, sees nothing.
_asking: ContextVar[frozenset[str]] = ContextVar("asking", default=frozenset())


@contextmanager
def asking(orders: Iterable[Order]) -> Iterator[None]:
    """While the server's half waits in this call for the answers to its orders."""
    token = _asking.set(frozenset(order.plan for order in orders))
    try:
        yield
    finally:
        _asking.reset(token)


def asked_from_here(order: Order) -> bool:
    """Whether this process's own server asks under the order's plan, in the call that answers it.

    Nothing that is sent can make it so.
    """
    return order.plan in _asking.get()


@dataclass(frozen=True)
class Answer:
    """A client's answer, or the sentence that it failed with.

    Attributes:
        body: Fields, each bytes, text or a number.
        arrays: Arrays by ``ADAPTER``.
        metrics: Numbers of the client's training, by name.
        failed: One of ``client.sentences`` or the engine's word for a client that it lost; empty
            if all went well.
        exit_code: Then 2 where the server's input is at fault, else 1.
        spent: Then whether the client's budget is spent.
    """

    body: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Arrays] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    failed: str = ""
    exit_code: int = 0
    spent: bool = False

    @property
    def sent(self) -> bytes:
        """The bytes that an exchange or a release is; empty if the answer holds none."""
        value = self.body.get("body", b"")
        return value if isinstance(value, bytes) else b""
