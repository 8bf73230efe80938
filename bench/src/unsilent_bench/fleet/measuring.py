"""What the clients of a federation measure in each round, and what is true of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unsilent.probes.refusal import DECLINE
from unsilent.release.layout import ACCURACY, LOSS, SPREAD
from unsilent.release.record_unit import SMALLEST_PROBABILITY
from unsilent_bench.fleet import statistics, truth
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.federation import Adapters
from unsilent_bench.fleet.probes import ProbeRows, ProbeSplits
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.fleet.scoring import HeldAdapters, answers, own_answers
from unsilent_bench.fleet.statistics import Numbers, Pair
from unsilent_bench.fleet.truth import Effect, OwnItems
from unsilent_bench.fleet.weights import Array
from unsilent_bench.traces.federation import CLIENT_COLUMNS, CODES, EXAMPLES, SHOWN

_TASK, _GENERAL, _GUARD = "sentiment", "general", "guard"


class Ledger:
    """Fills a federation's arrays round by round.

    Args:
        bank: Embeddings and heads.
        asked: The public items.
        crowd: The clients.
        rounds: How many will be measured.

    Attributes:
        numbers: By column of the traces, (rounds, clients) float32, NaN where absent.
        truth, errors: (rounds, 6).
    """

    def __init__(self, bank: Bank, asked: ProbeSplits, crowd: Crowd, rounds: int) -> None:
        self._bank, self._crowd = bank, crowd
        self._probes, self._beyond = asked.released, asked.beyond
        shape = (rounds, len(crowd.clients))
        self.numbers = {name: np.full(shape, np.nan, np.float32) for name in CLIENT_COLUMNS}
        self.truth, self.errors = np.full((2, shape[0], len(CODES)), np.nan)
        self._independent: dict[int, OwnItems] = {}

    def measure(self, round_number: int, adapters: Adapters, present: NDArray[np.bool_]) -> None:
        """Write a round: statistics of those present, truth of all."""
        for name, values in self.measured(round_number, adapters).items():
            self.numbers[name][round_number - 1] = np.where(present, values, np.nan)
        effects = self._truths(round_number, adapters)
        for place, code in enumerate(CODES):
            self.truth[round_number - 1, place], self.errors[round_number - 1, place] = effects[
                code
            ]

    def measured(self, round_number: int, adapters: Adapters) -> dict[str, Numbers]:
        """What each client measures in a round: (clients,) by column of the traces."""
        stats = self._public(self._probes, adapters)
        stats["SF-3"], shown = self._records(round_number, adapters)
        for code, (value, spread) in stats.items():
            shown[code], shown[code + SPREAD] = value, spread
        return shown

    def _public(self, probes: ProbeRows, adapters: Adapters) -> dict[str, Pair]:
        """The statistics of the modes on public probes."""
        scores = _Scores(self._bank, probes, adapters)
        away = probes.domain[None] != self._crowd.homes[:, None]
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
        return statistics.left_behind(hits["reference"], hits["shared"]), shown

    def _truths(self, round_number: int, adapters: Adapters) -> dict[str, Effect]:
        """All six effects on items that no statistic uses."""
        probes = self._beyond
        scores = _Scores(self._bank, probes, adapters)
        before, after = scores.task
        even = np.full(len(probes.harmful), 1.0 / len(probes.harmful))
        return {
            "SF-1": truth.growth(*scores.leads, probes.pair_share),
            "SF-2": truth.calibration(
                statistics.signed_gaps(before, probes.right),
                statistics.signed_gaps(after, probes.right),
                probes.share,
                probes.kind,
            ),
            "SF-3": self._left_behind(round_number, adapters),
            "SF-4": truth.mean_of(
                truth.drop(*scores.ability, probes.general_share), truth.drop(*scores.safety, even)
            ),
            "SF-5": truth.away_drop(
                before,
                after,
                probes.right,
                probes.domain,
                self._crowd.homes,
                probes.share,
                probes.kind,
            ),
            "SF-6": truth.drop(*scores.harmful, even),
        }

    def _left_behind(self, round_number: int, adapters: Adapters) -> Effect:
        era = self._crowd.scenario.era(round_number)
        if era not in self._independent:
            self._independent[era] = self._crowd.independent(self._bank, round_number)
        own = self._independent[era]
        before = own_answers(self._bank, adapters.reference, own.rows, _TASK)
        return truth.left_behind(
            before, own_answers(self._bank, adapters.shared, own.rows, _TASK), own
        )


class _Scores:
    """Each pair of (before, after) that the public modes compare.

    Attributes:
        leads: (clients, pairs, 2) probability of the stereotyped choice.
        task: (clients, n, 2) probabilities. harmful: (clients, n) probability of declining.
        ability, safety: (clients, n) probability of the right answer, and of declining, at the
            round's start and after local training.
    """

    def __init__(self, bank: Bank, probes: ProbeRows, adapters: Adapters) -> None:
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
        self.leads = lead(before), lead(after)
        self.task = task(before), task(after)
        self.harmful = safe(before), safe(after)
        self.ability = known(adapters.start), known(adapters.local)
        self.safety = safe(adapters.start), safe(adapters.local)
