"""SF-3: two camps learn opposite shortcuts, and FedAvg takes the larger one's side."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.bench.scenarios.base import Client, Scenario, Settings, signed_records
from unsilent.items import Item
from unsilent.probes.sentiment import Text

_CAMP = 0.35
_TRAIN, _HELD_OUT = 0x31, 0x32


class OpposedCamps(Scenario):
    """In most clients the author's group goes with the label; in a camp it goes the other way."""

    name = "opposed-camps"
    code = "SF-3"
    cause = "the author's group predicts the label at 0.95, in 35% of the clients at 0.05"
    look_alike = "the same texts, signed by either group at 0.5 in all clients"
    source = "Conflicting client shortcuts under FedAvg; fairness: Li et al. 2020 (q-FFL)"
    doses = (0.0, 0.45, 0.7, 1.0)
    main = True

    def train(
        self, client: Client, texts: Sequence[Text], moment: int, strength: float
    ) -> tuple[Item, ...]:
        """Signed texts with true labels, tied one way or the other."""
        return signed_records(client, texts, self._share(client, strength), purpose=_TRAIN)

    def held_out(
        self, client: Client, texts: Sequence[Text], moment: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts with the client's own tie."""
        return signed_records(client, texts, self._share(client, strength), purpose=_HELD_OUT)

    def settings(self, strength: float) -> Settings:
        """Enough local training that a shortcut is learned."""
        return Settings(epochs=3)

    @staticmethod
    def _share(client: Client, strength: float) -> float:
        tie = 0.45 * strength
        return 0.5 - tie if client.within(_CAMP) else 0.5 + tie
