"""Orders and answers as Flower's messages.

Arrays travel as records of their own, everything else as one config record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from unsilent import messages as sides
from unsilent.engines.flower.arrays import PlainArrays, record_of
from unsilent.messages import Answer, Order

_QUERY = "query.unsilent_"

ORDER = "unsilent.order"
"""Config of a request: plan, run, round, and an order's fields."""
ADAPTER = f"unsilent.{sides.ADAPTER}"
REFERENCE = f"unsilent.{sides.REFERENCE}"
ANSWER = "unsilent.answer"
METRICS = "metrics"

# An error reply may not carry a client's exception text, so failures are answers with a reason.
FAILED = "failed"
EXIT_CODE = "exit_code"
# Beside it: whether it is that the client's budget is spent.
SPENT = "spent"

_ARRAYS = (sides.REFERENCE, sides.ADAPTER)
_TRAIN = "train"


def type_of(kind: str) -> str:
    """The message type of a kind of order."""
    return kind if kind == _TRAIN else f"{_QUERY}{kind}"


def kind_of(message_type: str) -> str | None:
    """The kind of order of a message type; None if it is no type of ours."""
    return message_type.removeprefix(_QUERY) if message_type.startswith(_QUERY) else None


def carried(order: Order) -> Order:
    """The same order with its arrays as records, made once for all nodes that it goes to."""
    return replace(order, arrays={name: record_of(each) for name, each in order.arrays.items()})


def request(node: int, kind: str, order: Order) -> Message:
    """A message to one node. Its records are its own: a node may change what it is sent."""
    records: dict[str, Any] = {
        f"unsilent.{name}": ArrayRecord(dict(record_of(arrays)))
        for name in _ARRAYS
        if (arrays := order.arrays.get(name)) is not None
    }
    # No field of its own may stand for one of these.
    fields = {**order.body, "plan": order.plan, "run": order.run, "round": order.round}
    records[ORDER] = ConfigRecord(fields)
    return Message(
        RecordDict(records),
        dst_node_id=node,
        message_type=type_of(kind),
        group_id=str(order.round),
    )


def order_in(message: Message, *, plain: bool = False) -> Order:
    """The order of a message. A field that is missing or of another type is empty.

    Args:
        message: As it came.
        plain: Whether arrays are wanted as NumPy's, read when they are looked up; else they are
            records as they came.
    """
    content = message.content if message.has_content() else RecordDict()
    fields: dict[str, Any] = dict(content.config_records.get(ORDER) or {})
    plan, run, number = (fields.pop(key, "") for key in ("plan", "run", "round"))
    arrays = _arrays_in(content, plain)
    return Order(str(plan), str(run), number if type(number) is int else -1, fields, arrays)


def reply(message: Message, answer: Answer) -> Message:
    """A client's answer as a reply to a message."""
    if answer.failed:
        told: dict[str, Any] = {FAILED: answer.failed, EXIT_CODE: answer.exit_code}
        values = told | {SPENT: True} if answer.spent else told
    else:
        values = dict(answer.body)
    records: dict[str, Any] = {ANSWER: ConfigRecord(values)}
    for name, arrays in answer.arrays.items():
        records[f"unsilent.{name}"] = record_of(arrays)
    if answer.metrics:
        records[METRICS] = MetricRecord(dict(answer.metrics))
    return Message(RecordDict(records), reply_to=message)


def answer_in(message: Message) -> Answer:
    """What a reply answers."""
    if message.has_error():
        return Answer(failed=f"no answer from a node (Flower error {message.error.code})")
    content = message.content
    values: dict[str, Any] | None = content.config_records.get(ANSWER)  # type: ignore[assignment]
    if values is None:
        return Answer(failed="an answer of another app")
    if FAILED in values:
        code = values.get(EXIT_CODE)
        return Answer(
            failed=str(values[FAILED]) or "a client failed",
            exit_code=code if isinstance(code, int) else 1,
            spent=values.get(SPENT) is True,
        )
    metrics: dict[str, Any] = dict(message.content.metric_records.get(METRICS) or {})
    numbers = {name: float(each) for name, each in metrics.items() if isinstance(each, int | float)}
    return Answer(dict(values), _arrays_in(message.content, plain=True), numbers)


def _arrays_in(content: RecordDict, plain: bool) -> dict[str, Any]:
    found: dict[str, ArrayRecord] = {
        name: record
        for name in _ARRAYS
        if (record := content.array_records.get(f"unsilent.{name}")) is not None
    }
    return {name: PlainArrays(each) for name, each in found.items()} if plain else dict(found)
