"""What a caller gets for a user's method: the method in all respects, and watched when called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from unsilent.engines.flower.monitored_run import MonitoredRun


class WatchedMethod:
    """A method, or whatever stands for one: what it is asked, the method answers.

    Args:
        method: The method, bound.
        call: Calls a method with arguments by position and by name, and returns what it returns.
    """

    __slots__ = ("_call", "_method")

    def __init__(
        self,
        method: Callable[..., Any],
        call: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any],
    ) -> None:
        object.__setattr__(self, "_method", method)
        object.__setattr__(self, "_call", call)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method, watched."""
        return _CALL(self)(_METHOD(self), args, kwargs)

    def __getattribute__(self, name: str) -> Any:
        # Its class, too: by that others see whether it is a method, and is to be awaited.
        return getattr(_METHOD(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_METHOD(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_METHOD(self), name)

    def __eq__(self, other: object) -> bool:
        return _METHOD(self) == (_METHOD(other) if type(other) is WatchedMethod else other)

    def __hash__(self) -> int:
        return hash(_METHOD(self))

    def __repr__(self) -> str:
        return repr(_METHOD(self))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _METHOD(self).__reduce_ex__(protocol)


_METHOD: Callable[[Any], Callable[..., Any]] = WatchedMethod._method.__get__  # type: ignore[attr-defined]
_CALL: Callable[[Any], Callable[..., Any]] = WatchedMethod._call.__get__  # type: ignore[attr-defined]


_WITHIN: ContextVar[tuple[tuple[str, Path | None], ...]] = ContextVar("within", default=())
"""Methods that are being called for a run's folder."""
STARTED: ContextVar[tuple[MonitoredRun, ...]] = ContextVar("started", default=())
"""Runs whose ``start`` is being called."""


def outermost(
    method: Callable[..., Any], name: str, run: MonitoredRun
) -> Callable[..., Any] | None:
    """The method, within which it is not watched for this run again; None if that is so already.

    Monitored once, by the outermost: another line for the same run may lie within.
    """
    key = (name, run.where)
    if key[1] is not None and key in _WITHIN.get():
        return None

    def alone(*args: Any, **kwargs: Any) -> Any:
        token = _WITHIN.set((*_WITHIN.get(), key))
        try:
            return method(*args, **kwargs)
        finally:
            _WITHIN.reset(token)

    return alone


@contextmanager
def started(run: MonitoredRun) -> Iterator[None]:
    """While a strategy's run goes on; an exception that ends it passes."""
    token = STARTED.set((*STARTED.get(), run))
    try:
        yield
    except Exception as error:
        kind = type(error).__name__
        run.quietly(lambda: run.close(failed=kind))
        raise
    except BaseException:
        run.leave()
        raise
    finally:
        # A coroutine may be ended from elsewhere than where it began.
        with suppress(ValueError):
            STARTED.reset(token)


def after(result: Any, look: Callable[[Any], Any]) -> Any:
    """Look at a result; at that of a coroutine once somebody awaited it."""
    if not inspect.iscoroutine(result):
        return look(result)

    async def later() -> Any:
        return look(await result)

    return later()
