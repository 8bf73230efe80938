"""Onsets: how a failure builds up over rounds, when it is heard, and what a run shows meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unsilent_bench.replay.rows import ReplayCell
from unsilent_bench.replay.score import Score
from unsilent_bench.traces.federation import EXAMPLES


@dataclass(frozen=True)
class Onset:
    """The mean course of one cell's federations; all lists are over rounds.

    Attributes:
        tier, mode, scenario, personalization, clients: Of the cell.
        epsilon: The budget.
        truth: Mean effect of the mode by full access; ``low`` and ``high`` over federations.
        heard: Share of runs with a true FAILURE by that round.
        loss, accuracy: Weighted means of the global adapter, as a run shows them.
        tolerance: The plan's.
        seeds: Federations.
    """

    tier: str
    mode: str
    scenario: str
    personalization: str
    clients: int
    epsilon: float | None
    truth: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    heard: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    tolerance: float | None
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """The course as JSON-ready data."""
        return {
            key: [round(each, 6) for each in value] if isinstance(value, tuple) else value
            for key, value in vars(self).items()
        }


def onset(
    cell: ReplayCell,
    epsilon: float | None,
    scores: Mapping[str, Score],
    truth: Mapping[str, np.ndarray],
) -> Onset:
    """The course of a cell whose mode is planned."""
    at = cell.position or 0
    effects = np.stack([truth[each.federation][:, at] for each in cell.dosed])
    heard = [scores[each.federation].by_round[:, :, at].mean(axis=0) for each in cell.dosed]
    shown = {}
    for name in ("loss", "accuracy"):
        means: list[np.ndarray] = []
        for each in cell.dosed:
            weights = each.numbers[EXAMPLES].astype(np.float64)
            means.append(
                np.nansum(each.numbers[name] * weights, axis=1) / np.nansum(weights, axis=1)
            )
        shown[name] = tuple(np.mean(means, axis=0).tolist())
    return Onset(
        tier=cell.tier,
        mode=cell.mode,
        scenario=cell.scenario,
        personalization=cell.personalization,
        clients=cell.clients,
        epsilon=epsilon,
        truth=tuple(effects.mean(axis=0).tolist()),
        low=tuple(effects.min(axis=0).tolist()),
        high=tuple(effects.max(axis=0).tolist()),
        heard=tuple(np.mean(heard, axis=0).tolist()),
        tolerance=cell.tolerance,
        seeds=len(cell.dosed),
        **shown,
    )
