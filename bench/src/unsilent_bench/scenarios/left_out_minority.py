"""SF-3 again: a minority with other labels that never takes part in training."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Portion, Scenario, Settings, plain_records
from unsilent_bench.scenarios.opposed_camps import leaning

LEFT_OUT = 0.22


class LeftOutMinority(Scenario):
    """The global adapter serves 22% of the clients that it never heard of."""

    name = "left-out-minority"
    code = "SF-3"
    cause = "22% of the clients, with the other label at 0.95, are never aggregated"
    look_alike = "22% of the clients, with both labels alike as all, are never aggregated"
    source = "Partial participation: Li et al. 2020 (q-FFL); Mohri et al. 2019 (agnostic FL)"
    doses = (0.0, 0.25, 0.5, 1.0)

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """Texts of home with the camp's label."""
        return (leaning(client, strength, LEFT_OUT),)

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts with true labels."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """The camp is left out at every dose."""
        return Settings(left_out=LEFT_OUT)
