"""From a name to a recorded federation of the language-model tier, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from unsilent.errors import InputError
from unsilent.models import PersonalModel, load_model
from unsilent.models.personalization import method_of
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.plan.personalization import USUAL
from unsilent.progress import Progress
from unsilent_bench.lm.answers import Answers
from unsilent_bench.lm.federation import federate
from unsilent_bench.lm.kept import Kept
from unsilent_bench.lm.probes import Universes, openings_of, universes_of
from unsilent_bench.lm.products import faster_products
from unsilent_bench.lm.training import Run
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.traces import keep, kept
from unsilent_bench.traces.federation import Dose, Federation, Split

FRESH = 108
"""Seeds from here on are fresh: no dose, weight or tolerance was ever looked at on them."""


def lm_plan() -> MonitoringPlan:
    """The one monitoring plan of the tier's traces."""
    with as_file(files("unsilent_bench") / "plans" / "lm.toml") as path:
        return read_plan(path)


@dataclass(frozen=True)
class LmJob:
    """Which federation to run; its number of clients is the plan's."""

    scenario: str
    dose: Dose
    seed: int
    personalization: str = USUAL

    def name(self, clients: int) -> str:
        """Its id in traces."""
        usual = f"lm-{self.scenario}-{self.dose}-{clients}-s{self.seed}"
        return usual if self.personalization == USUAL else f"{usual}-{self.personalization}"


def record(
    jobs: Iterable[LmJob], folder: Path | None, progress: Progress, *, device: str = "cpu"
) -> tuple[Federation, ...]:
    """Run jobs one after the other, with one resident model.

    Args:
        jobs: Of scenarios that are of this tier.
        folder: Each is recorded below it, in a folder of traces of its own; those there are read
            and not run again. None to record nothing.
        progress: Told how far it is.
        device: Where the model lies.

    Raises:
        InputError: A personalization or scenario is unknown or not of this tier, or what lies in
            the folder was recorded under another plan.
        ModelError: There is no such device.
        AssetError: The embedded model or data cannot be had.
    """
    plan, chosen = lm_plan(), list(jobs)
    for job in chosen:
        _check(job)
    found: list[Federation] = []
    made: tuple[PersonalModel, Universes, Answers] | None = None
    for place, job in enumerate(chosen, start=1):
        name = job.name(plan.federation.clients)
        before = kept(folder, name, plan.digest) if folder else None
        if before is not None:
            found.append(before)
            continue
        if made is None:
            model, universes = _model(plan, device)
            made = (model, universes, Answers(model))
        stage = f"Federation {place} of {len(chosen)}"
        method = method_of(job.personalization)
        run = Run(SCENARIOS[job.scenario], job.dose, job.seed, plan, *made, _split(job), method)
        with faster_products():
            trained = federate(run, told=lambda d, t, s=stage: progress.update(s, d, t))
        federation = replace(trained, federation=name, personalization=job.personalization)
        if folder is not None:
            keep(folder, federation)
        found.append(federation)
    return tuple(found)


def _model(plan: MonitoringPlan, device: str) -> tuple[PersonalModel, Universes]:
    """The resident model and all that it is asked."""
    from unsilent.models.causal_lm import CausalLM
    from unsilent_bench.lm.last_layer import LastLayer, fits

    universes = universes_of(openings_of(plan))
    place = plan.model.model_copy(update={"device": device})
    sets = [universe.items for universe in universes.values()]
    with faster_products():
        model = load_model(plan.model_copy(update={"model": place}), sets)
    if isinstance(model, CausalLM):
        model.engine = Kept(model.engine)
        if fits(model):
            return LastLayer(model), universes
    return model, universes


def _split(job: LmJob) -> Split:
    return "fresh" if job.seed >= FRESH else "development"


def _check(job: LmJob) -> None:
    if job.scenario not in SCENARIOS or "lm" not in SCENARIOS[job.scenario].tiers:
        known = ", ".join(name for name, each in SCENARIOS.items() if "lm" in each.tiers)
        raise InputError(
            f"the language-model tier has no scenario {job.scenario!r}",
            where="--scenario",
            remedy=f"Known: {known}.",
        )
