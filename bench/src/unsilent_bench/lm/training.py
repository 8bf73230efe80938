"""What a language-model federation is made of, and its clients' local and personal training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from unsilent.items import ItemSet
from unsilent.models import Adapter, PersonalModel, Training
from unsilent.models.personalization import (
    ClientRounds,
    Memory,
    Personalization,
    personalized,
)
from unsilent.models.personalization.methods import FineTune
from unsilent.plan import MonitoringPlan
from unsilent_bench.lm.probes import ProbeSets
from unsilent_bench.scenarios.base import Client, Scenario, Settings
from unsilent_bench.scenarios.client_texts import ClientTexts
from unsilent_bench.traces.federation import Dose, Split

_LOCAL, _PERSONAL = 0, 1


@dataclass(frozen=True)
class Run:
    """What a federation is made of.

    Attributes:
        scenario, dose, seed: Which one.
        plan: The tier's monitoring plan; its seed is not used.
        model: Resident, shared by all clients.
        probes: Released ones, and those of the truth.
        split: As in ``Federation``.
        personalization: How the global adapter becomes a client's own.
    """

    scenario: Scenario
    dose: Dose
    seed: int
    plan: MonitoringPlan
    model: PersonalModel
    probes: ProbeSets
    split: Split
    personalization: Personalization = field(default_factory=FineTune)


class LocalTraining:
    """Local and personal training of a federation's clients.

    How much is the plan's, the same for all scenarios; what a dose changes of it is kept, relative
    to the scenario's look-alike.
    """

    def __init__(
        self,
        run: Run,
        settings: Settings,
        strength: float,
        clients: Sequence[Client],
        parts: Sequence[ClientTexts],
    ) -> None:
        self._run, self._settings, self._strength = run, settings, strength
        self._usual = run.scenario.settings(0.0)
        self._clients, self._parts = clients, parts

    def present(self, round_number: int) -> list[Client]:
        """Who takes part in a round."""
        count = max(1, round(self._settings.participation * len(self._clients)))
        if count == len(self._clients):
            return list(self._clients)
        random = np.random.default_rng([self._run.seed, round_number, 0x9A])
        drawn = sorted(random.choice(len(self._clients), count, replace=False))
        return [self._clients[index] for index in drawn]

    def local(self, client: Client, round_number: int, start: Adapter) -> Adapter:
        """The client's adapter after its local training."""
        federation, settings, usual = self._run.plan.federation, self._settings, self._usual
        training = self._training(
            client,
            round_number,
            epochs=round(federation.epochs * settings.epochs / usual.epochs),
            rate=federation.learning_rate * settings.rate / usual.rate,
            purpose=_LOCAL,
        )
        return self._train(client, round_number, start, training)

    def rounds(self, client: Client, start: Adapter) -> ClientRounds:
        """What the client keeps and makes of its own, round by round."""

        def tune(round_number: int, aggregated: Adapter, own: Adapter) -> Adapter:
            return personalized(
                self._run.personalization,
                self._personal(client, round_number),
                lambda begun, how: self._train(client, round_number, begun, how),
                aggregated=aggregated,
                own=own,
            )

        return ClientRounds(self._run.personalization, lambda name: Memory(), lambda: start, tune)

    def _personal(self, client: Client, round_number: int) -> Training:
        federation, settings, usual = self._run.plan.federation, self._settings, self._usual
        share = settings.personal_epochs / max(1, usual.personal_epochs)
        rate = settings.personal_rate / usual.personal_rate
        return self._training(
            client,
            round_number,
            epochs=round(federation.personal_epochs * share),
            rate=federation.personal_learning_rate * rate,
            purpose=_PERSONAL,
        )

    def _training(
        self, client: Client, round_number: int, *, epochs: int, rate: float, purpose: int
    ) -> Training:
        words = np.random.SeedSequence([self._run.seed, client.index, round_number, purpose])
        batch = self._run.plan.federation.batch
        return Training(epochs, rate, batch, int(words.generate_state(1)[0]))

    def _train(
        self, client: Client, round_number: int, start: Adapter, training: Training
    ) -> Adapter:
        scenario = self._run.scenario
        texts = scenario.of_time(self._parts[client.index].train, round_number)
        items = scenario.train(client, texts, round_number, self._strength)
        records = ItemSet(f"client-{client.index}-train-{round_number}", items)
        adapter, _ = self._run.model.train(start, records, training)
        return adapter
