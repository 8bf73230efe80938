"""Whether a federation that is run again agrees with its recorded trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from unsilent.errors import InputError
from unsilent_bench.traces import Federation
from unsilent_bench.traces.federation import CODES

AGREEMENT = 0.02
"""Largest difference of a mean over clients, or of a truth, in any round.

On one machine a federation comes out the same to the last bits that traces keep. Elsewhere sums
are rounded in another order, and hundreds of training steps carry that on: single answers turn,
means over a hundred clients hardly move."""


@dataclass(frozen=True)
class Agreement:
    """How far two runs of one federation are apart.

    Attributes:
        federation: Its id.
        statistic: Largest difference, over modes and rounds, of the mean over clients.
        truth: Largest difference of a truth.
    """

    federation: str
    statistic: float
    truth: float

    @property
    def holds(self) -> bool:
        """Whether both are within ``AGREEMENT``."""
        return max(self.statistic, self.truth) <= AGREEMENT


def agreement(again: Federation, recorded: Iterable[Federation]) -> Agreement:
    """Compare a federation with the recorded one of the same id.

    Raises:
        InputError: None of this id is recorded, or under another monitoring plan.
    """
    found = {each.federation: each for each in recorded}.get(again.federation)
    where = f"federation {again.federation}"
    if found is None:
        raise InputError(
            "is not among the recorded ones",
            where=where,
            remedy="Name a scenario, dose, size and seed that the traces hold.",
        )
    if found.plan != again.plan:
        raise InputError("was recorded under another monitoring plan", where=where)
    apart = [
        np.abs(
            np.nanmean(again.numbers[code].astype(np.float64), axis=1)
            - np.nanmean(found.numbers[code].astype(np.float64), axis=1)
        ).max()
        for code in CODES
    ]
    truth = np.nanmax(np.abs(again.truth - found.truth))
    return Agreement(again.federation, float(max(apart)), float(truth))
