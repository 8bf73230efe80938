"""Record federations of the language-model tier, one after the other, and go on where it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from unsilent.bench.lm.federation import Run, federate
from unsilent.bench.lm.probes import openings_of, probes_of
from unsilent.bench.scenarios import SCENARIOS
from unsilent.bench.traces import read, write
from unsilent.bench.traces.federation import Dose, Federation
from unsilent.bench.traces.format import SUMS
from unsilent.errors import InputError
from unsilent.models import load_model
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.progress import Progress

FRESH = 101
"""Seeds from here on are fresh: no dose, weight or tolerance was ever looked at on them."""
_BEYOND = 1


def lm_plan() -> MonitoringPlan:
    """The one monitoring plan of the tier's traces."""
    with as_file(files("unsilent.bench") / "plans" / "lm.toml") as path:
        return read_plan(path)


@dataclass(frozen=True)
class Job:
    """Which federation to run."""

    scenario: str
    dose: Dose
    seed: int

    def name(self, clients: int) -> str:
        """Its id in traces."""
        return f"lm-{self.scenario}-{self.dose}-{clients}-s{self.seed}"


def record(jobs: Iterable[Job], folder: Path, progress: Progress) -> tuple[Federation, ...]:
    """Record jobs, each into a folder of traces of its own; those already there are read.

    Args:
        jobs: Of scenarios that are of this tier.
        folder: Holds a folder for each.
        progress: Told how far it is.

    Raises:
        InputError: A scenario is unknown or not of this tier.
        AssetError: The embedded model or data cannot be had.
    """
    plan, chosen = lm_plan(), list(jobs)
    for job in chosen:
        if job.scenario not in SCENARIOS or "lm" not in SCENARIOS[job.scenario].tiers:
            known = ", ".join(name for name, each in SCENARIOS.items() if "lm" in each.tiers)
            raise InputError(
                f"the language-model tier has no scenario {job.scenario!r}",
                where="--scenario",
                remedy=f"Known: {known}.",
            )
    found: list[Federation] = []
    make = None
    for place, job in enumerate(chosen):
        own = folder / job.name(plan.federation.clients)
        if not (own / SUMS).is_file():
            if make is None:
                probes = probes_of(plan, beyond=_BEYOND, openings=openings_of(plan))
                sets = [*probes.released.values(), *probes.beyond.values()]
                make = (load_model(plan, sets), probes)
            steps = plan.federation.rounds + plan.federation.clients
            done = iter(range(1, steps + 1))
            federation = federate(
                Run(
                    SCENARIOS[job.scenario],
                    job.dose,
                    job.seed,
                    plan,
                    *make,
                    "fresh" if job.seed >= FRESH else "development",
                ),
                told=lambda words, p=place, d=done, s=steps: progress.update(
                    f"federation {p + 1} of {len(chosen)}: {words}", next(d, s), s
                ),
            )
            write(own, [federation])
        found += read(own).federations
    return tuple(found)
