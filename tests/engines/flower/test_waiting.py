"""The server looks for answers more seldom the longer it waits, and never past the deadline."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from unsilent.engines.flower import transport as waiting
from unsilent.engines.flower.transport import GridTransport, pause
from unsilent.messages import Order


class Clock:
    """Time that passes by waiting alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += max(seconds, 1e-6)


class SlowGrid:
    """A grid whose nodes answer after so many seconds."""

    def __init__(self, clock: Clock, answers_after: Sequence[float]) -> None:
        self.clock, self.after = clock, answers_after
        self.due: dict[str, float] = {}
        self.looked_up = 0

    def push_messages(self, requests: Sequence[Any]) -> list[str]:
        for place, request in enumerate(requests):
            request.metadata.message_id = str(place)
            self.due[str(place)] = self.clock.now + self.after[place]
        return list(self.due)

    def pull_messages(self, names: Sequence[str]) -> list[Any]:
        self.looked_up += len(names)
        return [
            SimpleNamespace(metadata=SimpleNamespace(reply_to_message_id=name))
            for name in names
            if self.due[name] <= self.clock.now
        ]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(
        waiting.messages,
        "request",
        lambda node, kind, order: SimpleNamespace(metadata=SimpleNamespace(message_id="")),
    )
    monkeypatch.setattr(waiting.messages, "answer_in", lambda reply: reply)
    return clock


def ask(clock: Clock, after: Sequence[float], timeout: float) -> tuple[SlowGrid, int]:
    grid = SlowGrid(clock, after)
    order = Order("plan", "run", 1, {}, {})
    orders = dict.fromkeys(range(len(after)), order)
    told = GridTransport(grid).ask("measure", orders, lambda _done, _of: None, timeout)  # type: ignore[arg-type]
    return grid, len(told)


def test_an_answer_is_found_at_most_a_tenth_or_two_seconds_late(clock: Clock) -> None:
    for after in (0.05, 0.7, 3.0, 15.0, 40.0, 600.0):
        began = clock.now
        _, heard = ask(clock, [after], 3600.0)
        assert heard == 1
        late = clock.now - began - after
        assert 0 <= late <= min(max(0.1 * (after + 0.1), 0.1), 2.0) + 1e-9


def test_a_long_wait_is_few_looks(clock: Clock) -> None:
    grid, heard = ask(clock, [600.0] * 100, 3600.0)
    assert heard == 100
    # Every tenth of a second they were 6,000 looks at all hundred.
    assert grid.looked_up <= 350 * 100
    assert max(clock.slept) <= 2.0


def test_it_ends_with_the_deadline(clock: Clock) -> None:
    began = clock.now
    _, heard = ask(clock, [0.2, 1e9], 33.3)
    assert heard == 1
    assert clock.now - began == pytest.approx(33.3, abs=1e-4)


def test_a_pause_grows_and_stays_within_what_is_left() -> None:
    pauses = [pause(waited, 1e9) for waited in (0.0, 0.5, 1.0, 5.0, 20.0, 3000.0)]
    assert pauses == [0.1, 0.1, 0.1, 0.5, 2.0, 2.0]
    assert pause(3000.0, 0.3) == 0.3
    assert pause(3000.0, -1.0) == 0.0
