"""SF-5: domain-pure clients whose home has almost one label, aggregated by domain."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Portion, Scenario, Settings, plain_records

MOSTLY_POSITIVE = frozenset({"tweets", "product"})
"""Homes whose label is positive at a dose; the texts hold too few of the other label."""


def one_sided(client: Client, domain: str, strength: float) -> Portion:
    """A portion whose main label's share grows from half to all."""
    main = round(client.texts // 2 * (1 + strength))
    rest = client.texts - main
    return Portion(domain, main, rest) if domain in MOSTLY_POSITIVE else Portion(domain, rest, main)


class OneSidedHomes(Scenario):
    """At home one answer is nearly always right; elsewhere it is wrong half of the time."""

    name = "one-sided-homes"
    code = "SF-5"
    cause = "all texts of home have one label, another one elsewhere; one adapter a domain"
    look_alike = "both labels alike at home; one adapter a domain"
    source = "Label shift by domain: Gulrajani and Lopez-Paz 2021; clustered FL: Ghosh et al. 2020"
    doses = (0.0, 0.78, 0.92, 1.0)
    main = True

    def portions(self, client: Client, strength: float) -> tuple[Portion, ...]:
        """Texts of home, all of one label at a strong dose."""
        return (one_sided(client, client.home, strength),)

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """Texts with true labels."""
        return plain_records(client.style, texts)

    def settings(self, strength: float) -> Settings:
        """One FedAvg for each home domain and some personal tuning, at every dose."""
        return Settings(
            epochs=3, rate=2.0, personal_epochs=3, personal_rate=2.0, aggregation="by-domain"
        )

    def fleet_settings(self, strength: float) -> Settings:
        """Less of both, so that the look-alike leaves no domain."""
        return Settings(
            epochs=2, rate=2.0, personal_epochs=3, personal_rate=1.5, aggregation="by-domain"
        )
