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
from unsilent_bench.fleet.probes import ROLES, Asked, asked, universe
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

_FEWEST = 8


def fleet_plan(share: float = 1.0) -> MonitoringPlan:
    """The one monitoring plan of the fleet's traces.

    Args:
        share: Of its probes, how many a client answers, in (0, 1]; no plan asks fewer than 8. Of
            fewer items spreads are larger, by the root of as many times, and so are their clips.
    """
    with as_file(files("unsilent_bench") / "plans" / "fleet.toml") as path:
        plan = read_plan(path)
    if share == 1.0:
        return plan
    sizes = {role: max(_FEWEST, round(share * plan.probes.size(role))) for role in ROLES}
    probes = plan.probes.model_copy(update={"sizes": plan.probes.sizes.model_copy(update=sizes)})
    wider = {
        name: mode.model_copy(update={"spread_clip": mode.spread_clip / share**0.5})
        for name, mode in plan.modes
        if mode is not None and mode.spread_clip is not None
    }
    return plan.model_copy(
        update={"probes": probes, "modes": plan.modes.model_copy(update=wider)},
    )


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

    Raises:
        AssetError: An embedded package cannot be had.
    """

    def __init__(self, plan: MonitoringPlan | None = None, bank: Bank | None = None) -> None:
        self._plan, self._bank = plan or fleet_plan(), bank or embedded_bank()
        self._universe = universe(self._bank)
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
            self._last = asked(self._universe, self._plan, seed)
        return self._last


def record(
    jobs: Sequence[Job],
    folder: Path | None,
    progress: Progress,
    plan: MonitoringPlan | None = None,
) -> tuple[Federation, ...]:
    """Run jobs one after the other.

    Args:
        jobs: Of scenarios that are of this tier.
        folder: Each is recorded below it, in a folder of traces of its own; those there are read
            and not run again. None to record nothing.
        progress: Told how far it is.
        plan: The monitoring plan, ``fleet_plan()`` if none is given.

    Raises:
        InputError: A scenario is unknown or not of this tier, or what lies in the folder was
            recorded under another plan.
        AssetError: The embedded model or data cannot be had.
    """
    plan, found = plan or fleet_plan(), list[Federation]()
    recorder: Recorder | None = None
    for place, job in enumerate(jobs):
        progress.update("Federations", place, len(jobs))
        federation = kept(folder, job.name, plan.digest) if folder else None
        if federation is None:
            recorder = recorder or Recorder(plan)
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
