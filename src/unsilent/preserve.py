"""What monitoring must leave as it was in a process that trains: random numbers, and its time."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from unsilent.errors import TimeLimitError

_AGAIN_S = 0.1


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Afterwards the global random states of Python, NumPy and torch are what they were.

    A torch that was first loaded inside is left as if nothing had been drawn from it.
    """
    plain, numbers, tensors = random.getstate(), np.random.get_state(), _torch_states()
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numbers)
        _restore(tensors)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError inside after so many seconds, where the system has an alarm clock.

    In another thread than the main one, or without such a clock, nothing is limited. An import is
    let finish: half a module would break whoever imports it next. An alarm of the surrounding
    program goes on.
    """
    clock = getattr(signal, "setitimer", None)
    if clock is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        if _importing(frame):
            clock(signal.ITIMER_REAL, _AGAIN_S)
            return
        raise TimeLimitError(
            f"the client took longer than {seconds:g} seconds",
            where="monitor.timeout",
            remedy="Allow more time, or ask fewer items.",
        )

    before = signal.signal(signal.SIGALRM, ring)
    left, interval = clock(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        clock(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _torch_states() -> tuple[Any, list[Any]] | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _restore(states: tuple[Any, list[Any]] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if states is None:
        # A new generator has the seed that torch starts with.
        torch.set_rng_state(torch.Generator().get_state())
        return
    cpu, cuda = states
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
