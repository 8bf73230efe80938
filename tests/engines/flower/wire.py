"""What a node of a test says and hears, in the engine's own messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, Context, Message, RecordDict

from unsilent import messages as kinds
from unsilent.client.failures import guarded as guard
from unsilent.client.site import Site
from unsilent.engines.flower import messages
from unsilent.engines.flower.arrays import PlainArrays
from unsilent.engines.flower.messages import (
    ADAPTER,
    ANSWER,
    FAILED,
    METRICS,
    ORDER,
    REFERENCE,
    SPENT,
    type_of,
)
from unsilent.messages import Answer, Order
from unsilent.models.base import Adapter
from unsilent.reference import participant

__all__ = ["ADAPTER", "ANSWER", "FAILED", "METRICS", "ORDER", "REFERENCE", "SPENT", "type_of"]

NAME, OBSERVE = type_of(kinds.NAME), type_of(kinds.OBSERVE)
KEYS, DRAW, SHARES = type_of(kinds.KEYS), type_of(kinds.DRAW), type_of(kinds.SHARES)
BOXES, AGREE, UNMASK = type_of(kinds.BOXES), type_of(kinds.AGREE), type_of(kinds.UNMASK)
MASKS = frozenset(map(type_of, kinds.MASKS))
START, PROMOTE = type_of(participant.START), type_of(participant.PROMOTE)


def request(
    node: int,
    message_type: str,
    values: Mapping[str, Any],
    round_number: int,
    adapter: Adapter | ArrayRecord | None = None,
    reference: Adapter | ArrayRecord | None = None,
) -> Message:
    """A message to a node, as the transport makes it."""
    body = dict(values)
    if isinstance(adapter, Adapter):
        body["base"] = adapter.base
    given = {"adapter": adapter, "reference": reference}
    arrays = {
        name: each.tensors if isinstance(each, Adapter) else each
        for name, each in given.items()
        if each is not None
    }
    plan, run = str(body.pop("plan", "")), str(body.pop("run", ""))
    kind = messages.kind_of(message_type) or message_type
    made = messages.request(node, kind, Order(plan, run, round_number, body, arrays))
    made.metadata.message_type = message_type
    return made


def answer(
    message: Message,
    values: Mapping[str, Any],
    *,
    adapter: Adapter | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Message:
    """A node's reply."""
    arrays = {} if adapter is None else {"adapter": adapter.tensors}
    if FAILED in values:
        told = Answer(
            failed=str(values[FAILED]),
            exit_code=int(values.get("exit_code", 1)),
            spent=values.get(SPENT) is True,
        )
    else:
        told = Answer(values, arrays, metrics or {})
    return messages.reply(message, told)


def adapter_of(content: RecordDict, base: str) -> Adapter:
    """The adapter of a message."""
    return Adapter(base, PlainArrays(content.array_records[ADAPTER]))


def guarded(
    handle: Callable[[Message, Context], Message], log: Callable[[Context], Path]
) -> Callable[[Message, Context], Message]:
    """A handler whose failures are told as a client's are; the text goes beside ``log``."""

    def run(message: Message, context: Context) -> Message:
        made: list[Message] = []

        def work() -> Answer:
            made.append(handle(message, context))
            return Answer()

        try:
            folder = log(context).parent
        except Exception:
            folder = None
        told = guard(work, Site(store=folder))
        return made[0] if made else messages.reply(message, told)

    return run
