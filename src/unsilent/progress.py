"""Progress of long work: which stage, how far, how long still.

The runner calls ``update``; what becomes of it is the caller's choice. On a terminal it is a bar
with the time left; elsewhere a plain line for each stage, and each half minute of a long one, on
standard error, so that logs stay short.
"""

from __future__ import annotations

import re
import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBars

_SILENT_S = 30.0
"""How long a stage may say nothing."""


class Progress(Protocol):
    """Told about progress, in order."""

    def update(self, stage: str, done: float, total: float) -> None:
        """``done`` of ``total`` units of ``stage`` are finished; a new stage ends the last one."""
        ...


class SilentProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def update(self, stage: str, done: float, total: float) -> None:
        """Do nothing."""


class LineProgress:
    """One plain line at each new stage, and each half minute of a long one, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None, every: float = _SILENT_S) -> None:
        self._stream = stream or sys.stderr
        self._stage: str | None = None
        self._every = every
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def update(self, stage: str, done: float, total: float) -> None:
        """Write the stage's name if it is new, and how far a long one is."""
        now = time.monotonic()
        new = stage != self._stage
        if not new and (now - self._told < self._every or not 0 < done < total):
            return
        self._stage, self._told = stage, now
        share = "" if new else f", {done / total:.0%}"
        self._stream.write(f"unsilent: {stage}{share}\n")
        self._stream.flush()


class BarProgress:
    """A bar for each stage with its percentage and the time left, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._bars = RichBars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
        )
        self._task: TaskID | None = None
        self._stage: str | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def update(self, stage: str, done: float, total: float) -> None:
        """Move the stage's bar; a new stage fills the last one and opens its own."""
        if stage != self._stage or self._task is None:
            self._finish()
            self._stage = stage
            self._task = self._bars.add_task(stage, total=total)
        self._bars.update(self._task, completed=done, total=total)

    def _finish(self) -> None:
        if self._task is not None:
            total = self._bars.tasks[-1].total
            self._bars.update(self._task, completed=total)


class RoundsLeft:
    """Says beside each stage of a round how many rounds there are, and how long they still take.

    Known once a round was seen from its beginning to its end.

    Args:
        shown: Told the stages with that said.
        rounds: Of the whole federation.
    """

    def __init__(self, shown: Progress, rounds: int) -> None:
        self._shown, self._rounds = shown, rounds
        self._began: dict[int, float] = {}
        self._names: dict[str, str] = {}

    def update(self, stage: str, done: float, total: float) -> None:
        """As ``Progress.update``; a stage keeps the name that it began with."""
        if stage not in self._names:
            self._names[stage] = self._named(stage)
        self._shown.update(self._names[stage], done, total)

    def _named(self, stage: str) -> str:
        found = re.fullmatch(r"round (\d+): (.+)", stage)
        if found is None:
            return stage
        number, what = int(found[1]), found[2]
        now = self._began.setdefault(number, time.monotonic())
        first = min(self._began)
        name = f"round {number} of {self._rounds}: {what}"
        if number == first:
            return name
        left = (now - self._began[first]) / (number - first) * (self._rounds - number + 1)
        return f"{name} (some {_span(left)} of rounds left)"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def progress_on(
    console: Console, *, wanted: bool = True
) -> BarProgress | LineProgress | SilentProgress:
    """What suits a console: bars on a terminal, lines elsewhere, nothing if not wanted."""
    if not wanted:
        return SilentProgress()
    if console.is_terminal:
        return BarProgress(console)
    return LineProgress(console.file if isinstance(console.file, TextIO) else None)
