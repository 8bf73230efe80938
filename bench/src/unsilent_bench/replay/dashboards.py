"""What federated systems show today, in the clear, with the best threshold in hindsight."""

from __future__ import annotations

import numpy as np

from unsilent_bench.replay.batch import Batch
from unsilent_bench.replay.contract import Shown
from unsilent_bench.traces.federation import EXAMPLES, SHOWN
from unsilent_bench.verdicts.people import Array

_FEWEST = 0.1
"""Share of the clients that the client summary shows by themselves."""


class SystemMean:
    """Weighted means of loss and accuracy, as Flower and FedLLM-Bench show them.

    Of the global and the personalized adapters, each as it is and as its change since the first
    round. The alarm is on getting worse.
    """

    name = "system-mean"
    private = False
    sees = "each client's loss and accuracy in the clear"
    note = "statistic and threshold chosen on the very runs that are scored: an upper bound"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> Shown:
        """As ``Method.judge``; nothing is private and nothing is drawn."""
        weights = batch.column(EXAMPLES)
        found: dict[str, Array] = {}
        for name in SHOWN:
            values = _worse(name, batch.column(name))
            mean = np.nansum(values * weights, axis=2) / np.nansum(weights, axis=2)
            found[name] = mean
            found[f"{name} since round 1"] = mean - mean[:, :1]
        return Shown(found)


class ClientSummary:
    """Deciles over clients, and the mean of the worst tenth, as FederatedScope summarizes them."""

    name = "client-summary"
    private = False
    sees = "each client's loss and accuracy in the clear"
    note = "statistic and threshold chosen on the very runs that are scored: an upper bound"

    def judge(self, batch: Batch, epsilon: float | None, seed: int) -> Shown:
        """As ``Method.judge``; nothing is private and nothing is drawn."""
        found: dict[str, Array] = {}
        for name in ("loss", "accuracy"):
            values = _worse(name, batch.column(name))
            deciles = np.nanquantile(values, np.arange(1, 10) / 10, axis=2)
            found |= {f"decile {n} of {name}": each for n, each in enumerate(deciles, start=1)}
            # Worse is larger, so that the worst come last; NaN, who took no part, comes after all.
            ordered = np.sort(values, axis=2)
            worst = np.maximum(np.rint(_FEWEST * batch.clients), 1).astype(int)
            found[f"worst tenth of {name}"] = np.stack(
                [
                    ordered[:, moment, count - few : count].mean(axis=1)
                    for moment, (count, few) in enumerate(zip(batch.clients, worst, strict=True))
                ],
                axis=1,
            )
        return Shown(found)


def _worse(name: str, values: Array) -> Array:
    """Values of which larger is worse."""
    return values if name.endswith("loss") else -values
