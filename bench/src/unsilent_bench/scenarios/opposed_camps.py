"""SF-3: a camp has the other label, and FedAvg takes the side of those it is an average of."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Portion, Scenario, Settings, plain_records

CAMP = 0.33
UNHEARD_CAMP, UNHEARD = 0.625, 0.5
"""Of a language model's clients: the camp, and those of it that are never aggregated."""


def leaning(client: Client, strength: float, camp: float) -> Portion:
    """Texts of home, mostly positive, in the camp mostly negative; half and half at dose none.

    ``camp`` is the share of the clients who are in it.

    A sixth fewer than other scenarios' clients have: some homes have few positive texts.
    """
    texts = client.texts * 5 // 6
    main = round(texts / 2 + (texts / 2 - 1) * strength)
    rest = texts - main
    return Portion(client.home, *((rest, main) if client.within(camp) else (main, rest)))


class OpposedCamps(Scenario):
    """Some clients have positive texts, the others negative ones; one adapter shall serve both.

    With few clients a release is too noisy for what a small camp loses. So a language model's camp
    is large, and most of it takes no part in training, at every dose.
    """

    name = "opposed-camps"
    code = "SF-3"
    cause = (
        "0.95 of the texts are positive on most clients, negative on a third of them "
        "(a language model's: on five of eight, of which four are never aggregated)"
    )
    look_alike = "both labels alike on all clients"
    source = "FedAvg under label skew: Hsu et al. 2019; left-behind clients: Li et al. 2020 (q-FFL)"
    doses = (0.0, 0.8, 0.9, 1.0)
    main = True

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """Texts of home with the camp's label."""
        large = client.style.name == "causal_lm"
        return (leaning(client, strength, UNHEARD_CAMP if large else CAMP),)

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts with true labels."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """Most of the camp is left out at every dose."""
        return Settings(epochs=1, rate=1.7, left_out=UNHEARD)

    def fleet_settings(self, strength: float) -> Settings:
        """Enough local training that the camps part in the first rounds."""
        return Settings(epochs=2, rate=1.7)
