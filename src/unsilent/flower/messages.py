"""What travels between a federation's server and its clients for monitoring, and how errors do not.

Adapters travel as arrays, everything else as one config record. A client that fails answers with
its error's one line if the error is ours, which holds no private data; any other exception's text
stays on the client, in its own log.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from unsilent.errors import BudgetSpentError, UnsilentError
from unsilent.files import write_whole
from unsilent.models.base import Adapter

START = "query.unsilent_start"
"""Message type of the question for an adapter to start from."""
NAME = "query.unsilent_name"
"""Message type of the question which client a node is, and of its signing key."""
OBSERVE = "query.unsilent_observe"
"""Message type of a monitoring round."""
KEYS = "query.unsilent_keys"
"""Message type of the first exchange of a set-up: public keys."""
DRAW = "query.unsilent_draw"
"""Of the next where each client has some neighbours only: all keys in, a value out to draw from."""
SHARES = "query.unsilent_shares"
"""Of the next: all keys in, encrypted shares out."""
BOXES = "query.unsilent_boxes"
"""Of the last: the shares of others in, a confirmation out."""
AGREE = "query.unsilent_agree"
"""Of the consistency exchange: who is in the sum, signed."""
UNMASK = "query.unsilent_unmask"
"""Of the last exchange of a round: who is in the sum, and the shares that open it."""

MASKS = frozenset({KEYS, DRAW, SHARES, BOXES, AGREE, UNMASK})
"""Message types of the secure sum's exchanges."""
PROMOTE = "query.unsilent_promote"
"""Of the gate's word which adapter to use from now on."""

ORDER = "unsilent.order"
"""Config of a request: plan, run, round, and the base of its adapter."""
ADAPTER = "unsilent.adapter"
REFERENCE = "unsilent.reference"
ANSWER = "unsilent.answer"
METRICS = "metrics"

# An error reply may not carry a client's exception text, so failures are answers with a reason.
FAILED = "failed"
# Beside it: whether it is that the client's budget is spent.
SPENT = "spent"


def adapter_record(adapter: Adapter) -> ArrayRecord:
    """An adapter as arrays; its base travels as the order's or the answer's ``base``."""
    return ArrayRecord({name: Array(tensor) for name, tensor in adapter.tensors.items()})


def adapter_of(content: RecordDict, base: str) -> Adapter:
    """The adapter of a message."""
    record = content.array_records[ADAPTER]
    return Adapter(base, {name: array.numpy() for name, array in record.items()})


def reference_of(content: RecordDict, base: str) -> Adapter | None:
    """The reference adapter of a message; None if it is the base model."""
    record = content.array_records.get(REFERENCE)
    if record is None:
        return None
    return Adapter(base, {name: array.numpy() for name, array in record.items()})


def request(
    node: int,
    kind: str,
    order: dict[str, Any],
    round_number: int,
    adapter: Adapter | ArrayRecord | None = None,
    reference: Adapter | ArrayRecord | None = None,
) -> Message:
    """A message to one node. Arrays of another app travel as they are."""
    records: dict[str, Any] = {}
    if isinstance(adapter, Adapter):
        order = {**order, "base": adapter.base}
    for name, arrays in ((REFERENCE, reference), (ADAPTER, adapter)):
        if arrays is not None:
            records[name] = adapter_record(arrays) if isinstance(arrays, Adapter) else arrays
    records[ORDER] = ConfigRecord({**order, "round": round_number})
    return Message(
        RecordDict(records), dst_node_id=node, message_type=kind, group_id=str(round_number)
    )


def answer(
    message: Message,
    values: dict[str, Any],
    *,
    adapter: Adapter | None = None,
    metrics: dict[str, float] | None = None,
) -> Message:
    """A client's reply."""
    records: dict[str, Any] = {ANSWER: ConfigRecord(values)}
    if adapter is not None:
        records[ADAPTER] = adapter_record(adapter)
    if metrics is not None:
        records[METRICS] = MetricRecord(dict(metrics))
    return Message(RecordDict(records), reply_to=message)


def guarded(
    handle: Callable[[Message, Context], Message], log: Callable[[Context], Path]
) -> Callable[[Message, Context], Message]:
    """The handler with its exceptions kept on the client, in the file that ``log`` names."""

    def run(message: Message, context: Context) -> Message:
        try:
            return handle(message, context)
        except UnsilentError as error:
            if error.__cause__ is not None:
                _note(context, log)
            values = {FAILED: _told(error, context, log), "exit_code": error.exit_code}
            spent = {SPENT: True} if isinstance(error, BudgetSpentError) else {}
            return answer(message, values | spent)
        except Exception:  # the boundary: whatever it is, its text may be private
            noted = _note(context, log)
            where = f"; see {noted.name} in its own folder" if noted else ""
            return answer(message, {FAILED: f"the client failed{where}"})

    return run


def _note(context: Context, log: Callable[[Context], Path]) -> Path | None:
    """Write what was raised where the client's owner finds it; None if there is no such place."""
    try:
        path = log(context)
        write_whole(path, traceback.format_exc().encode(errors="replace"))
    except (UnsilentError, OSError):
        return None
    return path


def _told(error: UnsilentError, context: Context, log: Callable[[Context], Path]) -> str:
    """The error's line, without where on the client's machine anything lies."""
    line = error.line()
    with suppress(UnsilentError):
        line = line.replace(str(log(context).parent), "the client's folder")
    # Whoever simulates has all clients' files, and wants to find this one.
    if context.node_config.get("store") and Path(error.where).is_absolute():
        line = line.replace(error.where, Path(error.where).name)
    return line
