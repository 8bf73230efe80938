"""What a caller gets for a user's method: the method in all respects, and watched when called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from unsilent.server.monitored_run import MonitoredRun


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
    except Exception as error:  # noted, and the user's own again
        kind = type(error).__name__
        run.quietly(lambda: run.close(failed=kind))
        raise
    except GeneratorExit:
        # Nobody asks for its further rounds.
        run.quietly(run.close)
        raise
    except BaseException:
        run.leave()
        raise
    finally:
        # A coroutine may be ended from elsewhere than where it began.
        with suppress(ValueError):
            STARTED.reset(token)


def after(
    result: Any,
    look: Callable[[Any], Any],
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Any:
    """Look at a result once it is there, and return what the look returns.

    Args:
        result: Of a coroutine it is there once somebody awaited it, of a generator once it is
            exhausted; of one that is asynchronous it is None.
        look: At the result.
        during: Goes around all that is still to come.
    """

    async def awaited() -> Any:
        with during():
            found = await result
        return look(found)

    def exhausted() -> Any:
        with during():
            found = yield from result
        return look(found)

    async def streamed() -> Any:
        with during():
            async for each in result:
                yield each
        look(None)

    for is_one, later in (
        (inspect.iscoroutine, awaited),
        (inspect.isgenerator, exhausted),
        (inspect.isasyncgen, streamed),
    ):
        if is_one(result):
            return later()
    return look(result)
