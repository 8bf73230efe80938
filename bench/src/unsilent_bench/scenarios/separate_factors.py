"""SF-3 again: the two factors of an adapter are averaged apart although clients name them apart."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, plain_records


class SeparateFactors(Scenario):
    """The product of the means of A and B is not the mean of the products.

    A client's adapter is the same function with its hidden units in another order. FedAvg of each
    factor mixes units that have nothing to do with one another.
    """

    name = "separate-factors"
    code = "SF-3"
    cause = "A and B are averaged apart, and clients hold their hidden units in other orders"
    look_alike = "A and B are averaged apart, with hidden units in the same order"
    source = "Inexact aggregation of LoRA: Sun et al. 2024 (FFA-LoRA); Singhal et al. 2025 (FedEx)"
    doses = (0.0, 0.1, 0.3, 1.0)
    tiers = ("fleet",)

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's texts."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """The dose is the share of clients with an order of their own."""
        return Settings(shuffled=strength)
