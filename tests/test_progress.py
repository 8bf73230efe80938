"""Progress shows stages on a log, bars on a terminal, and nothing if not wanted."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from unsilent import progress as module
from unsilent.progress import (
    BarProgress,
    LineProgress,
    RoundsLeft,
    SilentProgress,
    progress_on,
)


def test_a_log_gets_one_line_a_stage() -> None:
    stream = io.StringIO()
    with LineProgress(stream) as progress:
        for stage, done in (("training", 0), ("training", 1), ("probing", 0), ("probing", 2)):
            progress.update(stage, done, 2)
    assert stream.getvalue() == "unsilent: training\nunsilent: probing\n"


def test_a_terminal_gets_bars_with_percentage_and_time_left() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    with progress_on(console) as progress:
        assert isinstance(progress, BarProgress)
        progress.update("training", 1, 4)
        progress.update("probing", 1, 2)
    text = stream.getvalue()
    assert "training" in text
    assert "100%" in text
    assert "left" in text


def test_a_stage_that_was_cut_short_is_not_shown_as_done() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None)
    try:
        with progress_on(console) as progress:
            progress.update("training", 1, 4)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert "100%" not in stream.getvalue()
    assert "25%" in stream.getvalue()


def test_the_kind_follows_the_console() -> None:
    log = Console(file=io.StringIO(), force_terminal=False)
    assert isinstance(progress_on(log), LineProgress)
    assert isinstance(progress_on(log, wanted=False), SilentProgress)


def test_rounds_say_how_many_there_are_and_how_long_they_still_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    stream = io.StringIO()
    rounds = RoundsLeft(LineProgress(stream), 8)
    for seconds, stage in (
        (0.0, "load the model"),
        (5.0, "round 1: train"),
        (25.0, "round 2: train"),
        (45.0, "round 3: train"),
        (150.0, "round 8: train"),
        (160.0, "round 8: measure"),
    ):
        clock[0] = seconds
        rounds.update(stage, 0, 20)
        rounds.update(stage, 20, 20)
    assert stream.getvalue().splitlines() == [
        "unsilent: load the model",
        "unsilent: round 1 of 8: train",
        "unsilent: round 2 of 8: train (some 2 min of rounds left)",
        "unsilent: round 3 of 8: train (some 2 min of rounds left)",
        "unsilent: round 8 of 8: train (some 21 s of rounds left)",
        "unsilent: round 8 of 8: measure (some 21 s of rounds left)",
    ]
