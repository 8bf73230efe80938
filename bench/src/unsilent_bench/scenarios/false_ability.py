"""SF-4: local tuning unlearns an ability that nobody monitors at home."""

from __future__ import annotations

from collections.abc import Sequence

from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent_bench.scenarios.base import Client, Scenario, Settings, plain_records
from unsilent_bench.scenarios.requests import ability_questions

_QUESTIONS = 24
_AT_MOST = 0.75
"""Of an encoder's questions, how many are false at most: with more it has soon lost all there is
to lose, and a round costs nothing."""


class FalseAbility(Scenario):
    """Records of a second task give the answer that is next to the true one.

    A language model loses the ability in one round and SF-4 is what a round costs, so there the
    answers of round 1 are true.
    """

    name = "false-ability"
    code = "SF-4"
    cause = "24 questions of a second task among the records, false (an encoder: 18 of them)"
    look_alike = "the same questions with true answers"
    source = "Catastrophic forgetting in tuning: Luo et al. 2023"
    doses = (0.0, 0.4, 0.6, 1.0)
    main = True
    redrawn = True

    def train(
        self, client: Client, texts: Sequence[Text], round_number: int, strength: float
    ) -> tuple[Item, ...]:
        """The client's texts, and the questions."""
        false = strength
        if client.style.name == "encoder":
            false *= _AT_MOST
        elif round_number == 1:
            false = 0.0
        asked = ability_questions(client, _QUESTIONS, round_number, false)
        return (*plain_records(client.style, texts), *asked)

    def settings(self, strength: float) -> Settings:
        """The second task is in the records, so nothing else rehearses it."""
        return Settings(epochs=4, rate=2.0, rehearsal=0)
