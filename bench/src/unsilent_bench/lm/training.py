"""What a language-model federation is made of, and its clients' local and personal training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

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
from unsilent_bench.lm.answers import Answers
from unsilent_bench.lm.probes import Universes
from unsilent_bench.scenarios.base import Client, Scenario, Settings
from unsilent_bench.scenarios.client_texts import ClientTexts
from unsilent_bench.traces.federation import Dose, Split

_LOCAL, _PERSONAL = 0, 1

Job = tuple[Adapter, ItemSet, Training]
"""Where training begins, on what, and how."""


@runtime_checkable
class Ahead(Protocol):
    """A model that trains several adapters side by side, and keeps them until asked for."""

    def ahead(self, jobs: Sequence[Job]) -> None:
        """Train them."""
        ...


@dataclass(frozen=True)
class Run:
    """What a federation is made of.

    Attributes:
        scenario, dose, seed: Which one.
        plan: The tier's monitoring plan; its seed is not used.
        model: Resident, shared by all clients.
        universes: What is asked, by role.
        answers: Of the model, to keep those of the base from one federation to the next.
        split: As in ``Federation``.
        personalization: How the global adapter becomes a client's own.
    """

    scenario: Scenario
    dose: Dose
    seed: int
    plan: MonitoringPlan
    model: PersonalModel
    universes: Universes
    answers: Answers
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
        return self._train(client, round_number, start, self._local(client, round_number))

    def foresee(self, round_number: int, starts: Mapping[int, Adapter], *, tuned: bool) -> None:
        """Train side by side what clients will ask for, where the model can.

        Args:
            round_number: The round.
            starts: By client, the adapter that it begins from.
            tuned: Whether it is their personal tuning, that of the usual personalization alone.
        """
        model = self._run.model
        if not isinstance(model, Ahead):
            return
        if tuned and not isinstance(self._run.personalization, FineTune):
            return
        jobs: list[Job] = []
        for index, start in starts.items():
            client = self._clients[index]
            how = (self._personal if tuned else self._local)(client, round_number)
            if how.epochs:
                jobs.append((start, self._records(client, round_number), how))
        model.ahead(jobs)

    def _local(self, client: Client, round_number: int) -> Training:
        federation, settings, usual = self._run.plan.federation, self._settings, self._usual
        return self._training(
            client,
            round_number,
            epochs=round(federation.epochs * settings.epochs / usual.epochs),
            rate=federation.learning_rate * settings.rate / usual.rate,
            purpose=_LOCAL,
        )

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
        adapter, _ = self._run.model.train(start, self._records(client, round_number), training)
        return adapter

    def _records(self, client: Client, round_number: int) -> ItemSet:
        scenario = self._run.scenario
        texts = scenario.of_time(self._parts[client.index].train, round_number)
        items = scenario.train(client, texts, round_number, self._strength)
        return ItemSet(f"client-{client.index}-train-{round_number}", items)
