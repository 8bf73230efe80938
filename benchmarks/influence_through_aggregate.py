"""How far one client moves the others' numbers through the aggregate, which no epsilon counts.

The benchmark's fleet, in which nothing is wrong, is trained with one client and without it (FedAvg,
weighted by examples). All others train and personalize on the same records with the same seeds, and
measure themselves after the last round. What is told is the L2 norm of the change of the sum of
their encoded vectors, in units of the joint clip: 1 is as much as a client's own numbers can move
that sum. Asked of ordinary clients, and of clients with ten times the data and every label turned.

    python benchmarks/influence_through_aggregate.py                              # minutes
    python benchmarks/influence_through_aggregate.py --clients 16 --seeds 1 --each 1 --rounds 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from common import Rows, arguments, show
from numpy.typing import NDArray
from unsilent_bench.fleet.bank import Bank, embedded_bank
from unsilent_bench.fleet.federation import RATE, Adapters, start_adapter
from unsilent_bench.fleet.measuring import Ledger
from unsilent_bench.fleet.private import seeds
from unsilent_bench.fleet.probes import Asked, asked, universe
from unsilent_bench.fleet.recording import fleet_plan
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.fleet.scoring import HeldAdapters
from unsilent_bench.fleet.training import Data, Tuning, train
from unsilent_bench.fleet.weights import mean_of
from unsilent_bench.scenarios import SCENARIOS

from unsilent.release.coordinate import MODEL_NAMES
from unsilent.release.layout import Layout

TIMES = 10
"""How many times the data of an ordinary client the other one has."""
SCENARIO = "group-skew"
ORDINARY, TURNED = "ordinary", f"all labels turned, {TIMES} times the data"
_SPARE = 8 * (TIMES - 1)
"""Of any eight clients in a row at least one is of each home."""
_LOCAL, _PERSONAL = 1, 2


@dataclass(frozen=True)
class Fleet:
    """One federation, to be trained with and without a client.

    Attributes:
        bank: Embeddings and heads.
        asked: The public items and who draws which. layout: How clients release.
        crowd: The clients. spare: Others, whose records the client with more data gets.
        seed: Of all randomness.
        rounds: How many are trained.
    """

    bank: Bank
    asked: Asked
    layout: Layout
    crowd: Crowd
    spare: Crowd
    seed: int
    rounds: int

    def moved(self, client: int, everyone: NDArray[np.int64]) -> tuple[float, float]:
        """What a client does to the sum of the others, as it is and with turned labels.

        Args:
            client: Its place.
            everyone: (clients, coordinates) vectors where all train as they are.
        """
        others = np.delete(np.arange(len(self.crowd.clients)), client)
        without = self.vectors(without=client)[others].sum(axis=0)
        found = [
            float(np.linalg.norm((vectors[others].sum(axis=0) - without).astype(np.float64)))
            for vectors in (everyone, self.vectors(turned=client))
        ]
        return found[0] / self.layout.bound, found[1] / self.layout.bound

    def vectors(
        self, *, without: int | None = None, turned: int | None = None
    ) -> NDArray[np.int64]:
        """(clients, coordinates) encoded vectors after the last round.

        Args:
            without: Whose update is left out of every round.
            turned: Who has more data with turned labels.
        """
        scenario, bank = self.crowd.scenario, self.bank
        settings = scenario.fleet_settings(self.crowd.strength)
        local = Tuning(settings.epochs, RATE, settings.batch, settings.rehearsal)
        clients = len(self.crowd.clients)
        weights = np.ones(clients)
        if without is not None:
            weights[without] = 0
        if turned is not None:
            weights[turned] = TIMES
        reference = start_adapter(bank, clients, self.seed)
        shared = begun = reference
        trained = np.empty((0, 0), np.float32)
        for moment in range(1, self.rounds + 1):
            begun = shared
            data = self.crowd.training(bank, moment)
            numbers = seeds(self.seed, clients, moment, _LOCAL)
            trained = train(bank, np.repeat(begun[None], clients, axis=0), data, local, numbers)
            if turned is not None:
                own = self._turned(data, turned, moment)
                number = numbers[turned : turned + 1]
                trained[turned] = train(bank, begun[None], own, local, number)[0]
            shared = mean_of(trained, weights.tolist())
        aggregated, data = HeldAdapters.one(shared, clients), self.crowd.training(bank, self.rounds)
        tuning = replace(local, epochs=settings.personal_epochs, rate=RATE * settings.personal_rate)
        numbers = seeds(self.seed, clients, self.rounds, _PERSONAL)
        personal = HeldAdapters.each(train(bank, aggregated.full(), data, tuning, numbers))
        adapters = Adapters(
            HeldAdapters.one(reference, clients),
            HeldAdapters.one(begun, clients),
            HeldAdapters.each(trained),
            aggregated,
            personal,
        )
        ledger = Ledger(bank, self.asked, self.crowd, self.rounds)
        values = ledger.measured(self.rounds, adapters)
        # Everybody measures the model that serves.
        values = {**values, **{name: np.zeros(clients) for name in MODEL_NAMES}}
        inputs = {name: values[name].astype(np.float64) for name in self.layout.inputs}
        return self.layout.encode_all(inputs)

    def _turned(self, data: Data, client: int, moment: int) -> Data:
        """The client's records and those of spare clients of its home, with turned labels."""
        alike = np.flatnonzero(self.spare.homes == self.crowd.homes[client])[: TIMES - 1]
        parts = [data.of(np.array([client])), self.spare.training(self.bank, moment).of(alike)]
        rows, tasks, answers = (
            np.concatenate([getattr(part, name).ravel() for part in parts])[None]
            for name in ("rows", "tasks", "answers")
        )
        task = self.bank.tasks[0]
        return Data(rows, tasks, task.start + task.stop - 1 - answers)


def fleets(bank: Bank, clients: int, number: int, rounds: int) -> Iterator[Fleet]:
    """Healthy federations of the development seeds, from 1 on."""
    plan, scenario = fleet_plan(), SCENARIOS[SCENARIO]
    items = universe(bank)
    for seed in range(1, number + 1):
        everyone = Crowd.of(scenario, scenario.strength("none"), clients + _SPARE, seed)
        crowd, spare = _part(everyone, 0, clients), _part(everyone, clients, clients + _SPARE)
        public = asked(items, plan, seed)
        yield Fleet(bank, public, Layout.from_plan(plan), crowd, spare, seed, rounds)


def _part(crowd: Crowd, first: int, stop: int) -> Crowd:
    """Some of a crowd's clients."""
    return replace(
        crowd,
        clients=crowd.clients[first:stop],
        parts=crowd.parts[first:stop],
        homes=crowd.homes[first:stop],
        _kept={},
    )


def measured(of: Fleet, each: int) -> Iterator[tuple[float, float]]:
    """Both influences of clients drawn at random from one federation."""
    everyone, clients = of.vectors(), len(of.crowd.clients)
    for client in np.random.default_rng([of.seed, clients]).permutation(clients)[:each].tolist():
        yield of.moved(client, everyone)


def rows_of(found: Sequence[tuple[float, float]], clients: int, rounds: int) -> Rows:
    """Mean and spread of each kind."""
    rows: Rows = []
    for kind, own in zip((ORDINARY, TURNED), zip(*found, strict=True), strict=True):
        values = np.array(own)
        rows.append(
            {
                "client": kind,
                "clients": clients,
                "rounds": rounds,
                "measured": len(values),
                "mean": round(float(values.mean()), 3),
                "sd": round(float(values.std(ddof=1)), 3) if len(values) > 1 else None,
                "lowest": round(float(values.min()), 3),
                "highest": round(float(values.max()), 3),
            }
        )
    return rows


def main() -> None:
    """Measure both kinds of clients."""
    parser = arguments(__doc__)
    parser.add_argument("--clients", nargs="+", type=int, default=[128])
    parser.add_argument("--rounds", nargs="+", type=int, default=[1, 10])
    parser.add_argument("--seeds", type=int, default=5, help="federations of each size")
    parser.add_argument("--each", type=int, default=4, help="clients of each federation")
    options = parser.parse_args()
    bank = embedded_bank()
    rows: Rows = []
    for clients in options.clients:
        for rounds in options.rounds:
            found = [
                pair
                for fleet in fleets(bank, clients, options.seeds, rounds)
                for pair in measured(fleet, options.each)
            ]
            rows += rows_of(found, clients, rounds)
    show(
        "What one client does to the sum of the others' vectors, in units of the joint clip",
        rows,
        as_json=options.json,
        seeds=list(range(1, options.seeds + 1)),
    )


if __name__ == "__main__":
    main()
