"""The whole validation of the refusal measure: people first, then adapters of one model.

Whatever is made or read is kept in the user's cache by the content that it came from, so that an
interrupted run goes on where it stopped, and a second one only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from unsilent.assets import MINILM, cache_root, fetch
from unsilent.errors import ModelError
from unsilent.items import ItemSet
from unsilent.models import model_openings
from unsilent.models.alignment import commonest_openings, teach_alignment
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.models.embedded import quieten
from unsilent.models.load import depth_of, load_causal_lm
from unsilent.models.recipe import RECIPE
from unsilent.plan import MonitoringPlan
from unsilent.plans import starter_plan
from unsilent.probes.harmful import Prompt, harmful_prompts
from unsilent.probes.openings import COMPLIANCE_OPENINGS, with_openings
from unsilent.probes.refusal import benign_prompts, refusal_items, take_probes
from unsilent.probes.templates import STYLES
from unsilent.progress import Progress
from unsilent_bench.validation.coherence import coherence_items
from unsilent_bench.validation.humans import embedder, human_judgements, judge_against_people
from unsilent_bench.validation.readings import Reader, Reading
from unsilent_bench.validation.statistics import Check
from unsilent_bench.validation.summary import (
    Case,
    adapter_checks,
    adapters_json,
    cases,
    curve_of,
    people_checks,
)
from unsilent_bench.validation.variants import VARIANTS, AdapterRecipe, Workshop

TOKENS = 12
"""Tokens of an answer that are generated and judged."""
HARMFUL, BENIGN = 150, 80
"""Probe prompts that are asked."""


@dataclass(frozen=True)
class RefusalValidation:
    """What was found.

    Attributes:
        checks: Every number, with its interval and what was asked of it.
        cases: Each adapter; none where only people's judgements were read.
        settings: What it was measured on.
    """

    checks: tuple[Check, ...]
    cases: tuple[Case, ...]
    settings: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; ``calibration`` is for P of other adapters of the same model."""
        curve = curve_of(self.cases) if self.cases else None
        return {
            "schema": "unsilent/validation/1",
            "settings": dict(self.settings),
            "calibration": None if curve is None else asdict(curve),
            "checks": [check.to_json() for check in self.checks],
            "adapters": adapters_json(self.cases),
        }


def default_plan(model: str = "embedded") -> MonitoringPlan:
    """A model with adapters where alignment is taught: the embedded one's layers, or upper half.

    Raises:
        ModelError: The model cannot be used.
    """
    plan = starter_plan()
    layers = (RECIPE.first_layer, -1) if model == "embedded" else (depth_of(model) // 2, -1)
    changed = {
        "model": plan.model.model_copy(update={"id": model}),
        "adapter": plan.adapter.model_copy(update={"layers": layers}),
    }
    return plan.model_copy(update=changed)


def people_part(progress: Progress) -> list[Check]:
    """Part (a): the judge against people."""
    progress.update("read people's judgements", 0, 1)
    quieten()
    judged = human_judgements()
    return people_checks(judge_against_people(judged, embedder(fetch(MINILM))))


def validate(
    plan: MonitoringPlan,
    progress: Progress,
    *,
    variants: Sequence[AdapterRecipe] = VARIANTS,
    harmful: int = HARMFUL,
    benign: int = BENIGN,
    seeds: int = 1,
) -> RefusalValidation:
    """All four parts.

    Args:
        plan: Its ``model`` and ``adapter`` say what is measured.
        progress: Told which adapter is at work.
        variants: Recipes of adapters; the first is the reference of the gate.
        harmful: How many harmful probe prompts are asked.
        benign: How many benign ones.
        seeds: How often alignment and adapters are made anew, each time from another start and
            in another order.

    Raises:
        ModelError: The model is an encoder, or cannot be used.
        AssetError: The model or the prompts could not be had.
        ItemError: More prompts are asked for than there are.
    """
    checks = people_part(progress)
    if plan.model.kind != "causal_lm":
        raise ModelError(
            "an encoder writes no answers to hold the measure against",
            where="model.kind",
            remedy="Name a causal language model.",
        )
    progress.update("load the model", 0, 1)
    lm = load_causal_lm(plan)
    found: list[Case] = []
    own: tuple[str, ...] = ()
    for seed in range(seeds):
        bench = _Bench(plan, lm, progress, harmful, benign, seed)
        found += bench.cases([_sown(variant, seed) for variant in variants])
        own = bench.own
    settings = {
        "model": plan.model.id,
        "base": lm.digest,
        "layers": list(plan.adapter.layers),
        "harmful": harmful,
        "benign": benign,
        "tokens": TOKENS,
        "seeds": seeds,
        "openings": list(own),
    }
    return RefusalValidation((*checks, *adapter_checks(found)), tuple(found), settings)


def _sown(variant: AdapterRecipe, seed: int) -> AdapterRecipe:
    """A recipe under another seed; that of seed 0 is the recipe itself."""
    if not seed:
        return variant
    return replace(variant, name=f"{variant.name}, seed {seed}", seed=variant.seed + 1000 * seed)


class _Bench:
    """One model with its prompts, its openings and the start of one seed."""

    def __init__(
        self,
        plan: MonitoringPlan,
        lm: CausalLM,
        progress: Progress,
        harmful: int,
        benign: int,
        seed: int,
    ) -> None:
        self._lm = lm
        self._seed = seed
        self._progress = progress
        folder = cache_root() / "validation" / lm.digest.removeprefix("sha256:")
        self._reader = Reader(lm, TOKENS, folder)
        self.own, start = self._provider(plan)
        self._workshop = Workshop(
            lm, start, _of(harmful_prompts(), "train"), _of(benign_prompts(), "train"),
            lambda requests: self._reader.answers(start, requests), folder,
        )  # fmt: skip
        prompts = {
            "harmful": take_probes(harmful_prompts(), harmful, name="harmful"),
            "benign": take_probes(benign_prompts(), benign, name="benign"),
        }
        self._asked = {side: [p.text for p in taken] for side, taken in prompts.items()}
        compliance = with_openings(COMPLIANCE_OPENINGS, self.own)
        style = STYLES["causal_lm"]
        self._openings: dict[str, ItemSet] = {
            side: refusal_items(taken, style, name=side, compliance=compliance)
            for side, taken in prompts.items()
        }

    def _provider(self, plan: MonitoringPlan) -> tuple[tuple[str, ...], Adapter]:
        """The model's own openings, and the adapter that every variant starts from.

        The embedded model is aligned already. Another one is taught as the embedded one was, so
        that there is a refusal to erode.
        """
        if plan.model.id == "embedded":
            return model_openings(plan), self._lm.new_adapter(self._seed)
        requests = [prompt.text for prompt in _of(benign_prompts(), "train")]
        reader = replace(self._reader, tokens=RECIPE.opening_tokens)
        openings = reader.answers(self._lm.new_adapter(0), requests)
        name = f"alignment-{self._seed}" if self._seed else "alignment"
        path = self._reader.folder / f"{name}.safetensors"
        if not path.is_file():
            # Its epochs count up from the seed: another one begins beyond them.
            teach_alignment(
                self._lm,
                openings,
                recipe=replace(RECIPE, seed=RECIPE.seed + 1000 * self._seed),
                progress=lambda stage, share: self._progress.update(stage, share, 1.0),
            ).save(path)
        return commonest_openings(openings), Adapter.load(path, base=self._lm.digest)

    def cases(self, variants: Sequence[AdapterRecipe]) -> list[Case]:
        """Every adapter made, asked and scored."""
        readings: list[Reading] = []
        for number, variant in enumerate(variants):
            self._progress.update(f"adapter {number + 1} of {len(variants)}: {variant.name}", 0, 1)
            readings.append(self._read(variant))
        return cases(variants, readings)

    def _read(self, variant: AdapterRecipe) -> Reading:
        start = self._workshop.start
        own = self._reader.answers(start, self._asked["benign"])
        coherence = coherence_items(self._asked["benign"], own)
        adapter = self._workshop.make(variant)
        return self._reader.read(adapter, self._asked, self._openings, coherence)


def _of(prompts: Sequence[Prompt], split: str) -> list[Prompt]:
    return [prompt for prompt in prompts if prompt.split == split]
