"""From a name to a recorded federation: run one, and record the set that ships."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from unsilent.errors import InputError
from unsilent.models.personalization import method_of
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.plan.personalization import USUAL
from unsilent.progress import Progress
from unsilent_bench.fleet.bank import Bank, embedded_bank
from unsilent_bench.fleet.federation import FederationSetup, simulate
from unsilent_bench.fleet.measuring import Ledger
from unsilent_bench.fleet.private import Training
from unsilent_bench.fleet.probes import Asked, asked, universe
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.scenarios import MAIN, SCENARIOS
from unsilent_bench.traces import keep, kept
from unsilent_bench.traces.federation import DOSES, Dose, Federation, Tier

FRESH = 501
"""Seeds from here on are fresh: no dose, weight or tolerance was ever looked at on them. Doses were
set on seeds 101 to 104; on those from 301 on earlier forms of the benchmark were looked at."""
SIZES = (128, 256)
FLEET: Tier = "fleet"
PERSONALIZATIONS = ("ditto", "fedsa", "local")
"""Beside the usual one, those of the shipped traces."""
TRAININGS = (
    "secure-sum",
    "dp-fedavg:2.1",
    "dp-fedavg:6.9",
    "dp-sgd:8",
    "dp-sgd:2",
)
"""What the claim is tried on: epsilon of about 8 and 2 for a client's update in all ten rounds
(DP-FedAvg), and for one of its records (DP-SGD)."""


def fleet_plan() -> MonitoringPlan:
    """The one monitoring plan of the fleet's traces."""
    with as_file(files("unsilent_bench") / "plans" / "fleet.toml") as path:
        return read_plan(path)


@dataclass(frozen=True)
class Job:
    """Which federation to run."""

    scenario: str
    dose: Dose
    clients: int
    seed: int
    personalization: str = USUAL
    training: str = "plain"

    @property
    def name(self) -> str:
        """Its id in traces."""
        parts = ["fleet", self.scenario, self.dose, str(self.clients), f"s{self.seed}"]
        parts += [] if self.personalization == USUAL else [self.personalization]
        parts += [] if self.training == "plain" else [self.training.replace(":", "-")]
        return "-".join(parts)


class Recorder:
    """Runs federations under one plan.

    Args:
        plan: The monitoring plan, ``fleet_plan()`` if none is given; clients and seed are the
            job's.
        bank: Embeddings and heads; the embedded ones if none are given.
        share: Of the items that the plan asks of a client, how many it is asked.

    Raises:
        AssetError: An embedded package cannot be had.
    """

    def __init__(
        self, plan: MonitoringPlan | None = None, bank: Bank | None = None, share: float = 1.0
    ) -> None:
        self._plan, self._bank = plan or fleet_plan(), bank or embedded_bank()
        self._universe, self._share = universe(self._bank), share
        self._last: Asked | None = None

    def record(self, job: Job) -> Federation:
        """Train a federation and measure every round of it.

        Raises:
            InputError: No such scenario or personalization, not one of the fleet's, or more
                clients than texts.
        """
        if job.scenario not in SCENARIOS or "fleet" not in SCENARIOS[job.scenario].tiers:
            raise InputError(
                f"the fleet has no scenario {job.scenario!r}",
                where="--scenario",
                remedy=f"Known: {', '.join(SCENARIOS)}.",
            )
        scenario = SCENARIOS[job.scenario]
        strength, rounds = scenario.strength(job.dose), self._plan.federation.rounds
        crowd = Crowd.of(scenario, strength, job.clients, job.seed)
        training = Training.parse(scenario.training or job.training)
        ledger = Ledger(self._bank, self._asked(job.seed), crowd, rounds)
        world = FederationSetup(crowd, job.seed, rounds, method_of(job.personalization), training)
        simulate(self._bank, world, ledger.measure)
        return Federation(
            federation=job.name,
            tier="fleet",
            scenario=job.scenario,
            code=scenario.code,
            dose=job.dose,
            strength=strength,
            clients=job.clients,
            rounds=rounds,
            seed=job.seed,
            split="fresh" if job.seed >= FRESH else "development",
            personalization=job.personalization,
            training=training.name,
            plan=self._plan.digest,
            numbers=ledger.numbers,
            truth=ledger.truth,
            truth_se=ledger.errors,
        )

    def _asked(self, seed: int) -> Asked:
        """What is asked with a seed; kept, since all scenarios and doses of it are asked alike."""
        if self._last is None or self._last.seed != seed:
            self._last = asked(self._universe, self._plan, seed, self._share)
        return self._last


def record(
    jobs: Sequence[Job], folder: Path | None, progress: Progress, share: float = 1.0
) -> tuple[Federation, ...]:
    """Run jobs one after the other.

    Args:
        jobs: Of scenarios that are of this tier.
        folder: Each is recorded below it, in a folder of traces of its own; those there are read
            and not run again. None to record nothing.
        progress: Told how far it is.
        share: Of the plan's items, how many a client is asked.

    Raises:
        InputError: A scenario is unknown or not of this tier, or what lies in the folder was
            recorded under another plan.
        AssetError: The embedded model or data cannot be had.
    """
    plan, found = fleet_plan(), list[Federation]()
    recorder: Recorder | None = None
    for place, job in enumerate(jobs):
        progress.update("Federations", place, len(jobs))
        federation = kept(folder, job.name, plan.digest) if folder else None
        if federation is None:
            recorder = recorder or Recorder(plan, share=share)
            federation = recorder.record(job)
            if folder is not None:
                keep(folder, federation)
        found.append(federation)
    return tuple(found)


def shipped(seeds: int = 20, few: int = 3, fewest: int = 2) -> Iterator[Job]:
    """The fleet's jobs of the shipped traces, the most needed first.

    The six main scenarios at every dose with 128 clients; at the ends of the dose with 256, and
    further causes; then personalized otherwise, and trained privately (what the claim needs).

    Args:
        seeds: Fresh seeds of the main scenarios.
        few: Fresh seeds of larger federations and of further causes.
        fewest: Fresh seeds of other personalizations and trainings.
    """
    ends: tuple[Dose, ...] = ("strong", "none")
    middle: tuple[Dose, ...] = tuple(dose for dose in DOSES if dose not in ends)
    small, large = SIZES
    for doses in (ends, middle):
        yield from _main(_fresh(seeds), small, doses)
    yield from _main(_fresh(few), large, ends)
    for seed in _fresh(few):
        yield from (Job(name, dose, small, seed) for dose in ends for name in _further())
    for seed in _fresh(fewest):
        for personalization in PERSONALIZATIONS:
            for dose in ends:
                yield from (Job(name, dose, small, seed, personalization) for name in MAIN)
    for seed in _fresh(fewest):
        for training in TRAININGS:
            yield from (Job(name, "strong", small, seed, training=training) for name in MAIN)


def _fresh(count: int) -> range:
    return range(FRESH, FRESH + count)


def _further() -> list[str]:
    return [name for name, each in SCENARIOS.items() if not each.main and FLEET in each.tiers]


def _main(seeds: Iterable[int], size: int, doses: Iterable[Dose]) -> Iterator[Job]:
    for seed in seeds:
        yield from (Job(name, dose, size, seed) for dose in doses for name in MAIN)
