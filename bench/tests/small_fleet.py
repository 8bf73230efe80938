"""A fleet of a few clients on drawn embeddings, under any personalization."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.federation import Adapters, FederationSetup, simulate
from unsilent_bench.fleet.private import Training
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.fleet.weights import Array, arrays_of
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.scenarios.base import Settings

from unsilent.models.personalization import Personalization

CLIENTS, ROUNDS, SEED = 5, 3, 7


def fleet(
    bank: Bank,
    method: Personalization,
    *,
    settings: Settings | None = None,
    training: str = "plain",
) -> list[Adapters]:
    """The adapters of each round of the group-skew scenario, trained as ``settings`` say."""
    scenario = type(SCENARIOS["group-skew"])()
    if settings is not None:
        scenario.fleet_settings = lambda strength: settings
    crowd = Crowd.of(scenario, 1.0, CLIENTS, SEED)
    told: list[Adapters] = []

    def measure(round_number: int, adapters: Adapters, present: NDArray[np.bool_]) -> None:
        assert round_number == len(told) + 1
        told.append(adapters)

    simulate(bank, FederationSetup(crowd, SEED, ROUNDS, method, Training.parse(training)), measure)
    return told


def parts(bank: Bank, rows: Array) -> dict[str, Array]:
    """By name, (clients, …)."""
    return dict(arrays_of(rows, bank.shape))
