"""How a model writes answers, and within what time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from unsilent.plan import MonitoringPlan

AT_ONCE = 8
"""Units of prompts that are answered under all adapters before the next ones are begun."""


@dataclass(frozen=True)
class Writing:
    """What an app's ``write`` function is told.

    Attributes:
        tokens: Most tokens of an answer.
        temperature: 0 for the likeliest token, else tokens are drawn.
        seed: Of that draw; the same for all adapters.
        system: What stands before a user's turn: the persona, or nothing.
    """

    tokens: int
    temperature: float = 0.0
    seed: int = 0
    system: str = ""


@dataclass
class TimeLeft:
    """A budget of seconds that several sets share.

    Args:
        seconds: For all of them.
        clock: Monotonic seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _ends: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends = self.clock() + self.seconds

    def part(self, left: int) -> TimeLeft:
        """An equal part of what is left, for the next of ``left`` sets."""
        return TimeLeft(max(self._ends - self.clock(), 0.0) / max(left, 1), self.clock)

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return self.seconds - (self._ends - self.clock())

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.clock() >= self._ends


def most_tokens(plan: MonitoringPlan) -> int:
    """Tokens that one client writes in a round at most, under both adapters.

    Labelled answers that come from a file are rated and not written.
    """
    from unsilent.modes import MODES
    from unsilent.modes._written import WrittenMode

    answers = 0
    for code in plan.planned:
        mode = MODES[code]
        if isinstance(mode, WrittenMode):
            prompts = 2 if code == "OT-1" else 1
            answers += 2 * prompts * plan.drawn(mode.asked)
    return answers * plan.writing.tokens
