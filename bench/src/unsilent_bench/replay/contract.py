"""What every method of the replay is, and what it may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unsilent_bench.replay.batch import Batch
from unsilent_bench.verdicts.people import Array

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MethodVerdicts:
    """What a method said of each mode in each round of each run.

    Attributes:
        failure: (federations, draws, rounds, modes) FAILURE, or an alarm.
        about: Of the same shape: the truth, over the rounds that a FAILURE is about. Scoring only.
        score: (federations, draws, modes) the most that spoke for a failure in any round; larger
            is worse.
        healthy: As ``failure`` for HEALTHY; None if the method never says so.
        guarded: As ``about`` for a HEALTHY: the worst truth of the windows that it rests on.
        visibility: (federations, draws, modes) of a FAILURE in the last round: 1 silent, -1
            loud, 0 undetermined; None if the method does not say.
    """

    failure: Flags
    about: Array
    score: Array
    healthy: Flags | None = None
    guarded: Array | None = None
    visibility: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a dashboard shows: numbers without a verdict, on which a threshold is put in hindsight.

    Attributes:
        statistics: Name to (federations, rounds); larger is worse.
    """

    statistics: Mapping[str, Array]


class Method(Protocol):
    """One way to monitor a federation.

    Attributes:
        name: In the table.
        private: Whether it spends a budget; one that does not is scored once, epsilon None.
        sees: What it has to see, in words.
        note: What else a reader has to know to compare it fairly.
    """

    name: str
    private: bool
    sees: str
    note: str

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> MethodVerdicts | Shown:
        """What it says of each federation of a batch, under a budget for all rounds together."""
        ...
