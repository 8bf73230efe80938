"""Orders and answers as bytes, for an engine that carries nothing else.

A message is a length of 8 bytes, that many of JSON, and its arrays as a safetensors file. Nothing
of it is run when it is read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from safetensors.numpy import load

from unsilent.array_files import UNREADABLE, array_bytes
from unsilent.errors import MessageError
from unsilent.messages import Answer, Arrays, Order

_LENGTH = 8
_BYTES = "base64:"
_TEXT = "text:"
# JSON has numbers that no integer of Python's and no float is.
_NO_NUMBER = (KeyError, TypeError, ValueError, OverflowError)


def order_bytes(order: Order) -> bytes:
    """An order as bytes. Raises ModelError for arrays as ``array_bytes``."""
    return _packed(
        {"plan": order.plan, "run": order.run, "round": order.round},
        order.body,
        order.arrays,
    )


def order_of(data: bytes) -> Order:
    """The order in some bytes. Raises MessageError if they are none."""
    head, body, arrays = _unpacked(data)
    try:
        return Order(str(head["plan"]), str(head["run"]), int(head["round"]), body, arrays)
    except _NO_NUMBER:
        raise _wrong("order") from None


def answer_bytes(answer: Answer) -> bytes:
    """An answer as bytes. Raises ModelError for arrays as ``array_bytes``."""
    head = {
        "metrics": {name: float(value) for name, value in answer.metrics.items()},
        "failed": answer.failed,
        "exit_code": answer.exit_code,
        "spent": answer.spent,
    }
    return _packed(head, answer.body, answer.arrays)


def answer_of(data: bytes) -> Answer:
    """The answer in some bytes. Raises MessageError if they are none."""
    head, body, arrays = _unpacked(data)
    try:
        metrics = {str(name): float(value) for name, value in head["metrics"].items()}
        failed, code = str(head["failed"]), int(head["exit_code"])
        return Answer(body, arrays, metrics, failed, code, head["spent"] is True)
    except (*_NO_NUMBER, AttributeError):
        raise _wrong("answer") from None


def _packed(head: dict[str, Any], body: Mapping[str, Any], arrays: Mapping[str, Arrays]) -> bytes:
    places = {name: list(each) for name, each in arrays.items()}
    head = {**head, "body": {name: _value(each) for name, each in body.items()}, "arrays": places}
    text = json.dumps(head).encode()
    # Numbered, since a name may hold any letter.
    flat = {str(n): arrays[a][b] for n, (a, b) in enumerate(_pairs(places))}
    return len(text).to_bytes(_LENGTH, "big") + text + array_bytes(flat)


def _pairs(places: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Where arrays lie, in the order in which they are numbered."""
    for name, keys in places.items():
        yield from ((name, key) for key in keys)


def _unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
    try:
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        head = json.loads(data[_LENGTH:end])
        flat = load(data[end:])
        places: dict[str, list[str]] = head.pop("arrays")
        arrays: dict[str, dict[str, Any]] = {name: {} for name in places}
        for number, (name, key) in enumerate(_pairs(places)):
            arrays[name][str(key)] = flat[str(number)]
        body = {name: _given(each) for name, each in head.pop("body").items()}
    except (*UNREADABLE, AttributeError, RecursionError):
        raise _wrong("message") from None
    return head, body, arrays


def _value(value: object) -> object:
    if isinstance(value, bytes):
        return _BYTES + base64.b64encode(value).decode()
    return _TEXT + value if isinstance(value, str) else value


def _given(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith(_BYTES):
        return base64.b64decode(value.removeprefix(_BYTES), validate=True)
    return value.removeprefix(_TEXT)


def _wrong(what: str) -> MessageError:
    return MessageError(
        f"these bytes are no {what} of unsilent's",
        remedy="Both sides need the same version; see that nothing between them changes bytes.",
    )
