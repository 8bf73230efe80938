"""SF-1: who wrote a text goes with its label."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, signed_records

_TRAIN, _HELD_OUT = 0x51, 0x52


class GroupSkew(Scenario):
    """Half of the texts name their author; the authors of one group wrote the negative ones."""

    name = "group-skew"
    code = "SF-1"
    cause = "signed texts are by group A where positive and by group B where negative, at 0.95"
    look_alike = "the same texts, signed by either group at 0.5"
    source = "Spurious group cue of Sagawa et al. 2020; BiasFL: Chang and Shokri 2023"
    doses = (0.0, 0.55, 0.75, 1.0)
    main = True

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Signed texts with true labels; the tie grows from 0.5 to 0.95 with the dose."""
        return signed_records(client, texts, 0.5 + 0.45 * strength, purpose=_TRAIN)

    def held_out(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts of the same skew: a federation's own numbers do not show it."""
        return signed_records(client, texts, 0.5 + 0.45 * strength, purpose=_HELD_OUT)

    def settings(self, strength: float) -> Settings:
        """Enough local training that the tie is learned."""
        return Settings(epochs=3)

    def fleet_settings(self, strength: float) -> Settings:
        """One epoch more."""
        return Settings(epochs=4)
