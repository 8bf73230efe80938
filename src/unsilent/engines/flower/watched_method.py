"""What stands in place of a user's method: it is called as it was, and its result looked at."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from flwr.serverapp.strategy import Strategy

from unsilent.engines.flower.calls import Call
from unsilent.server.monitored_run import MonitoredRun


class WatchedMethod:
    """In place of a strategy's method: called, signed and named as it.

    A copy of the strategy, and one that was pickled, has its plain methods and is not monitored.

    Args:
        strategy: Whose method it is.
        name: The method's name.
        method: The method, bound.
        watch: Calls a method by what a call holds, looks at it, and returns what it returned.
        run: The run that goes on.
    """

    def __init__(
        self,
        strategy: Strategy,
        name: str,
        method: Callable[..., Any],
        watch: Callable[[Callable[..., Any], Call], Any],
        run: Callable[[], MonitoredRun],
    ) -> None:
        functools.update_wrapper(self, method)
        self._strategy, self._name = strategy, name
        self._method, self._watch, self._run = method, watch, run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method with what was given, watched; unwatched within its own watched call."""
        run = self._run()
        key = (self._name, run.where)
        call = run.quietly(lambda: Call(self._method, args, kwargs))
        if call is None or (key[1] is not None and key in _WITHIN.get()):
            return self._method(*args, **kwargs)

        def alone(*args: Any, **kwargs: Any) -> Any:
            # Monitored once, by the outermost: another line for the same run may lie within.
            token = _WITHIN.set((*_WITHIN.get(), key))
            try:
                return self._method(*args, **kwargs)
            finally:
                _WITHIN.reset(token)

        return self._watch(alone, call)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in ("__self__", "__func__"):
            raise AttributeError(name)
        return getattr(self._method, name)

    def __reduce__(self) -> tuple[Any, ...]:
        self._run().copy()
        return (_plain, (self._strategy, self._name))


def _plain(strategy: Strategy, name: str) -> Callable[..., Any]:
    """The method of a strategy's class, bound to it."""
    return getattr(type(strategy), name).__get__(strategy)


_WITHIN: ContextVar[tuple[tuple[str, Path | None], ...]] = ContextVar("within", default=())
"""Methods that are being called for a run's folder."""
STARTED: ContextVar[tuple[MonitoredRun, ...]] = ContextVar("started", default=())
"""Runs whose ``start`` is being called."""


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
