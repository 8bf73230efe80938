"""SF-3 again: private training that silently trains nothing but noise."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, plain_records


class LostGradients(Scenario):
    """DP-SGD whose hooks miss the adapter's layers: the noise is applied, the gradients are not.

    Reported for opacus with peft: epsilon is accounted for, no error or warning is seen, and the
    models are unusable. The accountant's number stays right: noise alone is private.
    """

    name = "lost-gradients"
    code = "SF-3"
    cause = "DP-SGD at epsilon 8 applies its noise without the per-record gradients"
    look_alike = "DP-SGD at epsilon 8 with the gradients"
    source = "meta-pytorch/opacus issue 820"
    doses = (0.0, 0.25, 0.5, 1.0)
    tiers = ("fleet",)
    training = "dp-sgd:8"

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's texts."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """The dose is the share of clients with the faulty optimizer."""
        return Settings(lost_gradients=strength)
