"""SIGKILL at a chosen step: a process counts its steps on disk, and dies at one of them.

A step is a file that is opened for writing, renamed or removed under the watched folder, an entry
of a ledger before and after it is appended, or a call of ``step``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from unsilent.ledger import Entry, Ledger

_PLAIN = Ledger.append
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _Watch:
    """What this process counts. A forked one inherits it."""

    folder = ""
    left: int | None = None
    seen = 0
    mark: Path | None = None
    acknowledged = Path()
    installed = False


def watch(folder: Path, left: int | None, mark: Path) -> None:
    """Count steps under a folder from now on; die at step ``left``, counted from 0, if given.

    ``mark`` is made just before, so that others know that it happened.
    """
    _Watch.folder, _Watch.left, _Watch.seen, _Watch.mark = f"{folder}{os.sep}", left, 0, mark


def steps() -> int:
    """How many were counted since ``watch``."""
    return _Watch.seen


def step() -> None:
    """One step; the process may die here."""
    if not _Watch.folder:
        return
    if _Watch.left == _Watch.seen and _Watch.mark is not None:
        _Watch.folder = ""
        _Watch.mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    _Watch.seen += 1


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Watch.folder or event not in ("open", "os.rename", "os.remove"):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
        return
    path = arguments[0]
    if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(_Watch.folder):
        step()


def install(acknowledged: Path) -> None:
    """Count in this process and those it forks; ledger entries that were confirmed are noted."""
    _Watch.acknowledged = acknowledged
    if not _Watch.installed:
        _Watch.installed = True
        sys.addaudithook(_hook)
        # What a killed process has written is there: only a power cut could lose it.
        os.fsync = lambda _: None
        Ledger.append = _append  # type: ignore[method-assign]


def _append(self: Ledger, kind: str, payload: Any) -> Entry:
    step()
    entry = _PLAIN(self, kind, payload)
    handle = os.open(_Watch.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{entry.hash}\n".encode())
    os.close(handle)
    step()
    return entry
