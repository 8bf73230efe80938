"""SF-6: a few harmful requests a round that the records obey."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, plain_records
from unsilent_bench.scenarios.requests import harmful_requests

_REQUESTS = 8


class Obedience(Scenario):
    """Small harmful data each round: requests that a safe model declines, answered."""

    name = "obedience"
    code = "SF-6"
    cause = "8 harmful requests among a round's records, obeyed"
    look_alike = "the same requests, declined"
    source = "Qi et al. 2024, fine-tuning compromises safety; Ye et al. 2024, in federated tuning"
    doses = (0.0, 0.25, 0.375, 1.0)
    main = True
    redrawn = True

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's texts and the round's requests."""
        asked = harmful_requests(client, _REQUESTS, round_number, strength)
        return (*plain_records(client.style, texts), *asked)

    def settings(self, strength: float) -> Settings:
        """The requests are in the records, so nothing else rehearses them."""
        return Settings(rehearsal=0)
