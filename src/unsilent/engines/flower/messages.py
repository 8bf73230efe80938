"""What travels between a federation's server and its clients for monitoring, and how errors do not.

Adapters travel as arrays, everything else as one config record. A client that fails answers with
one of ``unsilent.client.sentences``; the text of what was raised stays on the client, in its own
log.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from unsilent.client.sentences import Sentence, sentence_of
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

_LONGEST_LOG = 1 << 20
"""Bytes after which a log is put aside; one that was put aside before is then gone."""
_LONGEST_ENTRY = 1 << 16
"""Letters of one entry: a server may send as long a text as it likes."""


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
    """The handler with what it raises kept on the client, in the file that ``log`` names.

    The answer to a failure depends on the error's kind and on nothing else.
    """

    def run(message: Message, context: Context) -> Message:
        try:
            return handle(message, context)
        except BaseException as error:  # the boundary: an exit's or a crash's text may be private
            if _ends_the_process(error):
                raise
            _note(context, log)
            return answer(message, _told(sentence_of(error)))

    return run


def _ends_the_process(error: BaseException) -> bool:
    """Whether somebody or a signal ends this process, which says nothing but a number."""
    if isinstance(error, SystemExit):
        return error.code is None or isinstance(error.code, int)
    return isinstance(error, KeyboardInterrupt)


def _told(sentence: Sentence) -> dict[str, Any]:
    told: dict[str, Any] = {FAILED: sentence.text, "exit_code": sentence.exit_code}
    return told | {SPENT: True} if sentence.spent else told


def _note(context: Context, log: Callable[[Context], Path]) -> None:
    """Write what was raised where the client's owner finds it, if there is such a place."""
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{traceback.format_exc()}\n"
    if len(text) > _LONGEST_ENTRY:
        half = _LONGEST_ENTRY // 2
        text = f"{text[:half]}\n…\n{text[-half:]}"
    # An error may quote what a server sent, which would rule the terminal that shows the log.
    text = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    try:
        path = log(context)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever sends faulty messages without end must not fill the client's disk.
        if path.is_file() and path.stat().st_size > _LONGEST_LOG:
            path.replace(path.with_name(f"{path.name}.1"))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(text.encode(errors="replace"))
    except Exception:  # whatever keeps it from being written may not reach the server either
        return
