"""SF-2: clients that see one label only become sure of it, each of its own."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Portion, Scenario, Settings, plain_records


class LopsidedLabels(Scenario):
    """Half of the clients have positive texts, half negative ones; together they are balanced."""

    name = "lopsided-labels"
    code = "SF-2"
    cause = "all texts of a client have one label, positive on half of the clients"
    look_alike = "both labels alike on each client, and as much tuning"
    source = "Label skew of federated clients: Hsu et al. 2019; over-confidence: Guo et al. 2017"
    doses = (0.0, 0.83, 0.92, 1.0)
    main = True

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """Texts of home; the main label's share grows from half to all."""
        half = client.texts // 2
        main = round(half * (1 + strength))
        rest = client.texts - main
        labels = (main, rest) if client.in_first_half else (rest, main)
        return (Portion(client.home, *labels),)

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts with true labels."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """Enough tuning that a client's adapter becomes its own."""
        return Settings(personal_epochs=8, personal_rate=2.0)

    def fleet_settings(self, strength: float) -> Settings:
        """Fewer epochs, so that the look-alike leaves no domain."""
        return Settings(personal_epochs=5, personal_rate=2.0)
