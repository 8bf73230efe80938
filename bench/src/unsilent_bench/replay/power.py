"""Power: how detection depends on the number of clients, with the recorded clients' own numbers.

A federation of another size is reckoned as the same clients, as many times: sums grow with their
number and privacy noise does not. That is exact for the noise and says nothing about clients of
whom none was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent_bench.replay.batch import Batch, batches
from unsilent_bench.replay.intervals import Interval, share
from unsilent_bench.replay.own_method import said
from unsilent_bench.replay.rows import ReplayCell
from unsilent_bench.replay.score import scores

ENOUGH = 0.95
SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
DRAWS = 40
_MOST = 64
"""Largest multiple of the recorded clients that is looked at."""
_HALVINGS = 3


@dataclass(frozen=True)
class Point:
    """Detection of one cell's mode with another number of clients.

    Attributes:
        tier, mode, scenario, dose: Of the cell.
        recorded: How many clients it was recorded with.
        clients, epsilon: What is reckoned with.
        detection, interval: As ``Row``.
        seeds: Federations.
    """

    tier: str
    mode: str
    scenario: str
    dose: str
    recorded: int
    clients: int
    epsilon: float | None
    detection: float
    interval: Interval
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """The point as JSON-ready data."""
        return {
            **vars(self),
            "detection": round(self.detection, 6),
            "interval": [round(end, 6) for end in self.interval],
        }


class Enlarged:
    """A cell's federations with other numbers of clients.

    Args:
        cell: With a planned mode.
        plans: Tier to plan.
        seed: Of the noise.
    """

    def __init__(self, cell: ReplayCell, plans: Mapping[str, MonitoringPlan], seed: int) -> None:
        self._cell, self._seed = cell, seed
        self._batches: tuple[Batch, ...] = batches(cell.dosed, plans)

    def point(self, clients: int, epsilon: float | None) -> Point:
        """Detection with so many clients."""
        cell, rates = self._cell, list[float]()
        for batch in self._batches:
            draws = 1 if epsilon is None else DRAWS
            simulation = batch.simulation(epsilon, draws, self._seed, clients=clients)
            judged = said(batch, simulation, draws, only=cell.mode)
            rates += [
                float(score.found[:, cell.position or 0].mean())
                for score in scores(batch, judged).values()
            ]
        detection, interval = share(np.array(rates))
        return Point(
            cell.tier,
            cell.mode,
            cell.scenario,
            cell.dose,
            cell.clients,
            clients,
            epsilon,
            detection,
            interval,
            len(rates),
        )

    def needed(self, epsilon: float | None) -> int | None:
        """Fewest clients, to about a tenth, with a detection of ``ENOUGH``; None if none has it."""
        low, high = self._cell.clients, 2 * self._cell.clients
        while self.point(high, epsilon).detection < ENOUGH:
            low, high = high, 2 * high
            if high > _MOST * self._cell.clients:
                return None
        for _ in range(_HALVINGS):
            middle = round((low * high) ** 0.5)
            if self.point(middle, epsilon).detection < ENOUGH:
                low = middle
            else:
                high = middle
        return high
