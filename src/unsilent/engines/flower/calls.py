"""What a call of a strategy's method holds, whatever its parameters are called.

Flower names them ``server_round``, ``arrays``, ``grid`` and ``replies``; a fork names them as it
likes, adds some, and returns what it likes. A call is only read here: it is made as it came.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from numbers import Integral
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid

from unsilent.engines.flower.model_record import ARRAYS, alike, model_in

_ROUNDS = ("server_round", "current_round", "round_number", "round_num", "round", "rnd")
_RECORDS = (ArrayRecord, MetricRecord, ConfigRecord)
_GRID = ("push_messages", "pull_messages", "get_node_ids")
_DEPTH = 2


class Call:
    """One call.

    Args:
        method: The user's method, whose signature names the positional arguments.
        args: Given by position.
        kwargs: Given by name.

    Attributes:
        args: The positional arguments to call it with.
        kwargs: The others.
    """

    def __init__(
        self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.args = list(args)
        self.kwargs = dict(kwargs)
        places = _places(method)
        # What a method takes as ``*args`` has no name; no parameter is called by a number.
        names = [*places, *map(str, range(len(places), len(args)))][: len(args)]
        self._named: dict[str, Any] = {**dict(zip(names, args, strict=True)), **kwargs}
        self._at = {name: place for place, name in enumerate(names) if name not in kwargs}

    @property
    def round(self) -> int | None:
        """The round: what is called so, else the only whole number; None if neither is there."""
        numbers = {
            name: int(value)
            for name, value in self._named.items()
            if isinstance(value, Integral) and not isinstance(value, bool)
        }
        for name in _ROUNDS:
            if name in numbers:
                return numbers[name]
        return next(iter(numbers.values())) if len(numbers) == 1 else None

    @property
    def grid(self) -> Grid | None:
        """What reaches the nodes."""
        for value in self._named.values():
            if all(callable(getattr(value, name, None)) for name in _GRID):
                return value
        return None

    @property
    def arrays(self) -> ArrayRecord | None:
        """The model among the arguments."""
        return model_in(self._arrays)

    @property
    def replies(self) -> Collection[Any] | Iterator[Any] | None:
        """The replies: what is called so, else the only argument that holds messages."""
        name = self._replies
        value = None if name is None else self._named[name]
        return value.values() if isinstance(value, Mapping) else value

    def with_arrays(self, arrays: ArrayRecord) -> None:
        """Let the call be made with another model."""
        given = self.arrays
        for name, each in self._arrays.items():
            if each is given:
                self._put(name, arrays)

    def with_replies(self, replies: Iterator[Any]) -> None:
        """Let the call be made with other replies."""
        if self._replies is not None:
            self._put(self._replies, replies)

    @property
    def _arrays(self) -> dict[str, ArrayRecord]:
        return {n: value for n, value in self._named.items() if isinstance(value, ArrayRecord)}

    @property
    def _replies(self) -> str | None:
        held = {name: value for name, value in self._named.items() if _may_hold_messages(value)}
        if "replies" in held:
            return "replies"
        sure = [name for name, value in held.items() if _holds_messages(value)]
        found = sure or list(held)
        return found[0] if len(found) == 1 else None

    def _put(self, name: str, value: Any) -> None:
        self._named[name] = value
        if name in self._at:
            self.args[self._at[name]] = value
        else:
            self.kwargs[name] = value


class Noted:
    """An iterator that tells what passes through it, and is otherwise the one that it was made of.

    Whoever makes messages one by one does so still.
    """

    def __init__(self, given: Iterable[Any], note: Callable[[Any], None]) -> None:
        self._given = given
        self._items: Iterator[Any] | None = None
        self._note = note

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._items is None:
            self._items = iter(self._given)
        item = next(self._items)
        self._note(item)
        return item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._given, name)


def aggregated(result: Any, sent: ArrayRecord | None) -> tuple[ArrayRecord | None, str]:
    """The model in what a strategy aggregated; without one, why there is none.

    Args:
        result: Flower's pair of arrays and metrics, or whatever it returned.
        sent: The model that its clients were sent, if known.
    """
    first = result[0] if isinstance(result, tuple) and result else result
    if first is None:
        return None, "the strategy aggregated no arrays"
    found = {name: each for name, each in _parts(result) if isinstance(each, ArrayRecord)}
    model = model_in(found, like=sent)
    fits = model is not None and (sent is None or alike(model, sent))
    # Flower's own pair, unless what it begins with is not the model and something else is.
    if isinstance(first, ArrayRecord) and (not fits or sent is None or alike(first, sent)):
        return ArrayRecord(dict(first)), ""
    if model is not None and (fits or model is found.get(ARRAYS)):
        return ArrayRecord(dict(model)), ""
    if not found:
        kind = type(result).__name__
        return None, f"what the strategy returned ({kind}) holds no ArrayRecord"
    return None, (
        f"of what the strategy returned no ArrayRecord is the first, named {ARRAYS!r}, or alone in "
        "having the names and shapes of the arrays that were sent"
    )


def metrics_in(result: Any) -> Mapping[str, Any] | None:
    """The aggregated metrics in a result."""
    parts = [result] if isinstance(result, MetricRecord) else [each for _, each in _parts(result)]
    return next((each for each in parts if isinstance(each, MetricRecord)), None)


def messages_in(given: Iterable[Any]) -> list[Message]:
    """The messages among some values."""
    values = given.values() if isinstance(given, Mapping) else given
    return [each for each in list(values) if isinstance(each, Message)]


def _parts(result: Any, depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    """What a result holds, by name: of a pair, a mapping, a dataclass or another object."""
    if isinstance(result, _RECORDS):
        yield "", result
        return
    for name, value in _fields(result).items():
        if isinstance(value, _RECORDS):
            yield name, value
        elif depth > 1:
            yield from _parts(value, depth - 1)


def _fields(result: Any) -> dict[str, Any]:
    if isinstance(result, Mapping):
        return {str(name): value for name, value in result.items()}
    if isinstance(result, tuple | list):
        names = getattr(result, "_fields", map(str, range(len(result))))
        return dict(zip(names, result, strict=False))
    if dataclasses.is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return dict(getattr(result, "__dict__", {}))


def _places(method: Callable[..., Any]) -> list[str]:
    """Names of a method's positional parameters; none if it cannot say."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in positional]


def _may_hold_messages(value: Any) -> bool:
    """Whether it is empty, holds messages, or cannot be looked into without using it up."""
    if isinstance(value, (str, bytes, Message, *_RECORDS)):
        return False
    if isinstance(value, Iterator):
        return True
    return _listed(value) and (len(value) == 0 or _holds_messages(value))


def _holds_messages(value: Any) -> bool:
    return _listed(value) and bool(messages_in(value))


def _listed(value: Any) -> bool:
    # An array or a tensor counts as a collection, and holds no messages.
    return isinstance(value, Collection) and not hasattr(value, "dtype")
