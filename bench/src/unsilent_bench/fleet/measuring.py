"""What the clients of a federation measure in each round, and what is true of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.modes.base import ItemRole
from unsilent.probes.refusal import DECLINE
from unsilent.release.coordinate import ACCURACY, LOSS, SPREAD
from unsilent.release.record_unit import SMALLEST_PROBABILITY
from unsilent_bench.fleet import statistics, truth
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.federation import Adapters
from unsilent_bench.fleet.probes import Asked, ProbeRows
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.fleet.scoring import HeldAdapters, answers, own_answers
from unsilent_bench.fleet.statistics import Numbers, Pair
from unsilent_bench.fleet.truth import Effect, OwnItems
from unsilent_bench.fleet.weights import Array
from unsilent_bench.traces.federation import CLIENT_COLUMNS, CODES, EXAMPLES, SHOWN

_TASK, _GENERAL, _GUARD = "sentiment", "general", "guard"
_OF: Mapping[str, ItemRole] = {
    "SF-1": "bias",
    "SF-2": "task",
    "SF-4": "general",
    "SF-5": "task",
    "SF-6": "harmful",
}
"""The items that the truth of a mode on public probes rests on; of SF-4 most of them."""


class Ledger:
    """Fills a federation's arrays round by round.

    Args:
        bank: Embeddings and heads.
        asked: The federation's bank, and the items beyond it.
        crowd: The clients.
        rounds: How many will be measured.

    Attributes:
        numbers: By column of the traces, (rounds, clients) float32, NaN where absent.
        truth, errors: (rounds, 6).
    """

    def __init__(self, bank: Bank, asked: Asked, crowd: Crowd, rounds: int) -> None:
        self._bank, self._crowd = bank, crowd
        self._asked = asked
        shape = (rounds, len(crowd.clients))
        self.numbers = {name: np.full(shape, np.nan, np.float32) for name in CLIENT_COLUMNS}
        self.truth, self.errors = np.full((2, shape[0], len(CODES)), np.nan)
        self._independent: dict[int, OwnItems] = {}

    def measure(self, round_number: int, adapters: Adapters, present: NDArray[np.bool_]) -> None:
        """Write a round: statistics of those present, truth of all."""
        scores = _Scores.of(self._bank, self._asked.bank, adapters)
        for name, values in self._measured(round_number, adapters, scores).items():
            self.numbers[name][round_number - 1] = np.where(present, values, np.nan)
        effects = self._truths(round_number, adapters, scores)
        for place, code in enumerate(CODES):
            self.truth[round_number - 1, place], self.errors[round_number - 1, place] = effects[
                code
            ]

    def measured(self, round_number: int, adapters: Adapters) -> dict[str, Numbers]:
        """What each client measures in a round: (clients,) by column of the traces."""
        scores = _Scores.of(self._bank, self._asked.bank, adapters)
        return self._measured(round_number, adapters, scores)

    def _measured(
        self, round_number: int, adapters: Adapters, scores: _Scores
    ) -> dict[str, Numbers]:
        places = self._asked.of_round(len(self._crowd.clients), round_number)
        stats = self._public(self._asked.bank.take(places), scores.drawn(places))
        stats["SF-3"], shown = self._records(round_number, adapters)
        for code, (value, spread) in stats.items():
            shown[code], shown[code + SPREAD] = value, spread
        return shown

    def _public(self, probes: ProbeRows, scores: _Scores) -> dict[str, Pair]:
        """The statistics of the modes on the public probes that each client drew."""
        away = probes.domain != self._crowd.homes[:, None]
        before, after = scores.task
        return {
            "SF-1": statistics.lead(*scores.leads),
            "SF-2": statistics.calibration(
                statistics.signed_gaps(before, probes.right),
                statistics.signed_gaps(after, probes.right),
                probes.kind,
            ),
            "SF-4": statistics.mean_of(
                statistics.drop(*scores.ability), statistics.drop(*scores.safety)
            ),
            "SF-5": statistics.away_drop(
                statistics.hits(before, probes.right),
                statistics.hits(after, probes.right),
                away,
                probes.kind,
            ),
            "SF-6": statistics.drop(*scores.harmful),
        }

    def _records(self, round_number: int, adapters: Adapters) -> tuple[Pair, dict[str, Numbers]]:
        """SF-3, and what a run shows today, on each client's held-out records."""
        held = self._crowd.held_out(self._bank, round_number)
        right = held.answers - self._bank.task(_TASK).start
        tables = {
            name: own_answers(self._bank, adapter, held.rows, _TASK)
            for name, adapter in (
                ("reference", adapters.reference),
                ("shared", adapters.shared),
                ("personal", adapters.personal),
            )
        }
        hits = {name: statistics.hits(table, right) for name, table in tables.items()}
        losses = {
            name: -np.log(
                np.maximum(
                    np.take_along_axis(table, right[..., None], axis=2)[..., 0].astype(np.float64),
                    SMALLEST_PROBABILITY,
                )
            ).mean(axis=1)
            for name, table in tables.items()
        }
        accuracies = {name: table.mean(axis=1) for name, table in hits.items()}
        shown: dict[str, Numbers] = {
            LOSS: losses["personal"] - losses["reference"],
            ACCURACY: accuracies["reference"] - accuracies["personal"],
            **dict(
                zip(
                    SHOWN,
                    (
                        losses["shared"],
                        accuracies["shared"],
                        losses["personal"],
                        accuracies["personal"],
                    ),
                    strict=True,
                )
            ),
            EXAMPLES: np.full(len(right), right.shape[1], np.float64),
        }
        return statistics.confirmed(hits["reference"], hits["shared"]), shown

    def _truths(self, round_number: int, adapters: Adapters, scores: _Scores) -> dict[str, Effect]:
        """All six effects: of the public modes on the bank and beyond it."""
        bank, beyond = self._asked.bank, self._asked.beyond
        inside = self._effects(bank, scores)
        outside = self._effects(beyond, _Scores.of(self._bank, beyond, adapters))
        found = {
            code: truth.together(
                inside[code],
                outside[code],
                *(len(each.strata(_OF[code])) for each in (bank, beyond)),
            )
            for code in _OF
        }
        return {**found, "SF-3": self._losses(round_number, adapters)}

    def _effects(self, probes: ProbeRows, scores: _Scores) -> dict[str, Effect]:
        before, after = scores.task
        return {
            "SF-1": truth.growth(*scores.leads, probes.pair_kind),
            "SF-2": truth.calibration(
                statistics.signed_gaps(before, probes.right),
                statistics.signed_gaps(after, probes.right),
                probes.kind,
            ),
            "SF-4": truth.mean_of(
                truth.drop(*scores.ability, probes.origin), truth.drop(*scores.safety, probes.harm)
            ),
            "SF-5": truth.away_drop(before, after, probes.right, probes.domain, self._crowd.homes),
            "SF-6": truth.drop(*scores.harmful, probes.harm),
        }

    def _losses(self, round_number: int, adapters: Adapters) -> Effect:
        era = self._crowd.scenario.era(round_number)
        if era not in self._independent:
            self._independent[era] = self._crowd.independent(self._bank, round_number)
        own = self._independent[era]
        before = own_answers(self._bank, adapters.reference, own.rows, _TASK)
        return truth.losses(before, own_answers(self._bank, adapters.shared, own.rows, _TASK), own)


@dataclass(frozen=True)
class _Scores:
    """Each pair of (before, after) that the public modes compare.

    Attributes:
        leads: (clients, pairs, 2) probability of the stereotyped choice.
        task: (clients, n, 2) probabilities. harmful: (clients, n) probability of declining.
        ability, safety: (clients, n) probability of the right answer, and of declining, at the
            round's start and after local training.
    """

    leads: tuple[Array, Array]
    task: tuple[Array, Array]
    harmful: tuple[Array, Array]
    ability: tuple[Array, Array]
    safety: tuple[Array, Array]

    @classmethod
    def of(cls, bank: Bank, probes: ProbeRows, adapters: Adapters) -> _Scores:
        """Of (n,) items that all clients are asked."""

        def safe(held: HeldAdapters) -> Array:
            return answers(bank, held, probes.harmful, _GUARD)[..., DECLINE]

        def known(held: HeldAdapters) -> Array:
            table = answers(bank, held, probes.general, _GENERAL)
            return np.take_along_axis(table, probes.origin[None, :, None], axis=2)[..., 0]

        def lead(held: HeldAdapters) -> Array:
            # A: positive, the first class; B: negative, the second.
            sides = [answers(bank, held, probes.pairs[:, g], _TASK)[..., g] for g in (0, 1)]
            return np.stack(sides, axis=2)

        def task(held: HeldAdapters) -> Array:
            return answers(bank, held, probes.task, _TASK)

        before, after = adapters.reference, adapters.personal
        start, local = adapters.start, adapters.local
        return cls(
            leads=(lead(before), lead(after)),
            task=(task(before), task(after)),
            harmful=(safe(before), safe(after)),
            ability=(known(start), known(local)),
            safety=(safe(start), safe(local)),
        )

    def drawn(self, places: Mapping[ItemRole, NDArray[np.int64]]) -> _Scores:
        """Of the (clients, n) items at these places, each client's own."""

        def own(pair: tuple[Array, Array], role: ItemRole) -> tuple[Array, Array]:
            rows = np.arange(len(places[role]))[:, None]
            before, after = (table[rows, places[role]] for table in pair)
            return before, after

        return _Scores(
            leads=own(self.leads, "bias"),
            task=own(self.task, "task"),
            harmful=own(self.harmful, "harmful"),
            ability=own(self.ability, "general"),
            safety=own(self.safety, "harmful"),
        )
