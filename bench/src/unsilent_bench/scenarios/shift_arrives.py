"""SF-2 again, from a round on: covariate and label shift that arrive in mid-course."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import (
    Client,
    Portion,
    Scenario,
    Settings,
    plain_records,
    signed_records,
)

ARRIVAL = 5
_TRAIN, _HELD_OUT = 0x71, 0x72


class ShiftArrives(Scenario):
    """Before it, balanced unsigned texts; from round 5 signed ones, of one label on a client."""

    name = "shift-arrives"
    code = "SF-2"
    cause = "from round 5 texts are signed, and all of one label, positive on half of the clients"
    look_alike = "from round 5 texts are signed; labels stay balanced"
    source = "Concept and label shift over rounds: Yoon et al. 2021, Jothimurugesan et al. 2023"
    doses = (0.0, 0.5, 0.75, 1.0)
    tiers = ("fleet",)

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """Half of the texts for the rounds before, half for those after."""
        quarter = client.texts // 4
        main = round(quarter * (1 + strength))
        after = (main, 2 * quarter - main)
        if client.index // 16 % 2:
            after = after[::-1]
        return (Portion(client.home, quarter, quarter), Portion(client.home, *after))

    def of_time(self, texts: Sequence[Text], round_number: int) -> Sequence[Text]:
        """The first portion's before the shift, the second's after it."""
        half = len(texts) // 2
        return texts[:half] if round_number < ARRIVAL else texts[half:]

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The texts, signed once the shift is there."""
        return self._records(client, texts, round_number, _TRAIN)

    def held_out(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The texts, signed once the shift is there."""
        return self._records(client, texts, round_number, _HELD_OUT)

    def era(self, round_number: int) -> int:
        """Before and after."""
        return int(round_number >= ARRIVAL)

    def settings(self, strength: float) -> Settings:
        """Enough tuning that a client's adapter becomes its own."""
        return Settings(personal_epochs=8, personal_rate=2.0)

    def _records(
        self, client: Client, texts: Sequence[Text], round_number: int, purpose: int
    ) -> tuple[Item, ...]:
        if round_number < ARRIVAL:
            return plain_records(client.style, texts)
        return signed_records(client, texts, 0.5, purpose=purpose)
