"""Processes that end with whoever started them, however that one ends.

A handler of signals runs in a process that still lives; ``kill -9`` leaves none. So a second, small
process watches: what a keeper's owner starts carries a mark in its environment, and so does all
that those start, in whatever group or session. Once the owner is gone, the watcher ends whatever
still carries the mark. Processes are found by ``/proc``; where there is none, the owner's own
clean-up is all there is.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

GRACE_S = 10.0
"""How long those that are asked to end have before they are killed."""
_KILLED_S = 10.0
"""How long the killed are waited for."""
_SETTLED_S = 1.0
"""A child that was being started when its owner died shows its mark only after this at most."""
_POLL_S = 0.1
_DONE = b"."
_ASKING = ("SIGTERM", "SIGHUP")


class Keeper:
    """Ends what was started with its environment, at the latest when its owner has ended.

    ``with Keeper() as keeper: subprocess.Popen(command, env=keeper.env)``. Leaving the block ends
    what still runs, and waits for it.

    Args:
        grace: Seconds between asking a process to end and killing it.
    """

    def __init__(self, grace: float = GRACE_S) -> None:
        self._mark = f"UNSILENT_KEPT_{secrets.token_hex(8)}"
        # By its path: it is to need nothing of this package, nor be slow. In a session of its own,
        # so that what ends its owner's group does not end it.
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self._mark, str(os.getpid()), str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, with the mark."""
        return {**os.environ, self._mark: "1"}

    def close(self) -> None:
        """End what still runs, and wait until it has ended."""
        pipe = self._watcher.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.write(_DONE)
                pipe.close()
        self._watcher.wait()

    def __enter__(self) -> Keeper:
        """Itself."""
        return self

    def __exit__(self, *raised: object) -> None:
        """As ``close``."""
        self.close()


def leave_when_asked() -> None:
    """Let a signal that asks this process to end raise SystemExit, so that blocks are left.

    The first one: what is then cleaned up is not interrupted by a second. A signal that is ignored
    from before, as under ``nohup``, stays so.
    """

    def leave(number: int, frame: object) -> None:
        for each in (*_ASKING, "SIGINT"):
            signal.signal(getattr(signal, each), signal.SIG_IGN)
        raise SystemExit(128 + number)

    for name in _ASKING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def marked(mark: str) -> Iterator[int]:
    """Processes whose environment holds a mark; of others' processes nothing is known."""
    wanted = b"\0" + mark.encode() + b"="
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found = wanted in b"\0" + path.read_bytes()
        except OSError:  # it has ended, or is another user's
            continue
        if found:
            yield int(path.parent.name)


def end(mark: str, grace: float, settled: float) -> None:
    """End all that carry a mark: asked first, killed after ``grace`` seconds.

    Args:
        mark: Name of the variable.
        grace: Seconds.
        settled: For how many seconds none may have been seen before that is believed.
    """
    asked: set[int] = set()

    def ask(number: int) -> None:
        if number not in asked:
            asked.add(number)
            _signal(number, signal.SIGTERM)

    if not _none_left(mark, ask, grace, settled):
        _none_left(mark, lambda number: _signal(number, signal.SIGKILL), _KILLED_S, settled)


def _none_left(mark: str, each: Callable[[int], None], patience: float, settled: float) -> bool:
    """Do something to all that are marked until there are none; False if patience ends first."""
    began = seen = time.monotonic()
    while True:
        found = list(marked(mark))
        for number in found:
            each(number)
        now = time.monotonic()
        if found and now - began >= patience:
            return False
        if not found and now - seen >= settled:
            return True
        seen = now if found else seen
        time.sleep(_POLL_S)


def _signal(number: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(number, what)


def _watch(mark: str, owner: int, grace: float) -> None:
    """Wait until the owner has ended or is done, and end what it left."""
    for name in (*_ASKING, "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    settled = _SETTLED_S
    # A copy of the owner's, made by a fork, may hold the pipe open after it.
    while os.getppid() == owner:
        if select.select([0], [], [], 0.5)[0]:
            settled = 0.0 if os.read(0, 1) == _DONE else settled
            break
    end(mark, grace, settled)


if __name__ == "__main__":
    _watch(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
