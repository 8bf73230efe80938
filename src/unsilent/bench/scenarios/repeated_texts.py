"""SF-2: a few texts, again and again."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.bench.scenarios.base import Client, Scenario, Settings, again, plain_records
from unsilent.items import Item
from unsilent.probes.sentiment import Text


class RepeatedTexts(Scenario):
    """Clients tune long on few distinct texts, which makes them sure of everything."""

    name = "repeated-texts"
    code = "SF-2"
    cause = "a few distinct texts repeated, and many epochs on them"
    look_alike = "as many records and epochs, all of them distinct texts"
    source = "Duplicated training data: Lee et al. 2022; over-confidence: Guo et al. 2017"
    doses = (0.0, 0.34, 0.67, 1.0)
    main = True

    def train(
        self, client: Client, texts: Sequence[Text], moment: int, strength: float
    ) -> tuple[Item, ...]:
        """Both labels alike: of 12 texts each, 12, 6, 3 or 2 are kept and repeated."""
        half = len(texts) // 2
        kept = {0: half, 1: half // 2, 2: half // 4, 3: half // 6}[round(3 * strength)]
        few = [*texts[:kept], *texts[half : half + kept]]
        return again(plain_records(client.style, few), half // kept)

    def settings(self, strength: float) -> Settings:
        """As many steps at every dose."""
        return Settings(epochs=4, personal_epochs=4, personal_rate=1.0)
