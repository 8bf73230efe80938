"""SF-2 again: many epochs of personal tuning on the few texts of one domain."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, plain_records

_MOST = 24


class LongTuning(Scenario):
    """Balanced texts with true labels; only the number of epochs differs."""

    name = "long-tuning"
    code = "SF-2"
    cause = "24 epochs of personal tuning on 24 texts of one domain, at a high rate"
    look_alike = "one epoch of it"
    source = "Over-confidence of over-fitted networks: Guo et al. 2017"
    doses = (0.0, 0.1, 0.3, 1.0)
    tunes_more = True

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's texts."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """From 1 epoch to 24."""
        return Settings(personal_epochs=round(1 + (_MOST - 1) * strength), personal_rate=2.0)
