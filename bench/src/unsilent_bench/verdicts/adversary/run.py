"""Attack all plans: the shipped ones with all worlds, their variants with a quarter of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unsilent.errors import InputError, PlanError
from unsilent.plan import MonitoringPlan
from unsilent.progress import Progress, SilentProgress
from unsilent_bench.verdicts.adversary.genes import Genome
from unsilent_bench.verdicts.adversary.judged import FalseVerdicts, Strip
from unsilent_bench.verdicts.adversary.rows import AttackRow, row_of
from unsilent_bench.verdicts.adversary.search import SIDES, Found, replay, search
from unsilent_bench.verdicts.adversary.variants import PlanVariant, own_forms, variants

WORLDS = 2000
SHORT_WORLDS = 300
"""Worlds of the short form for a plan with one look; with more looks, which take longer, fewer."""
_SHORT_LEAST = 60
_PART = 4
"""A variant gets one in so many worlds of what the plan itself gets."""
REPETITIONS = 2000
_VARIANT_REPETITIONS = 1000
_SETS = ("clients", "population", "items", "participation", "changed")


@dataclass(frozen=True)
class Attack:
    """What came of it.

    Attributes:
        seed: Of all randomness.
        rows: One for each plan that was attacked.
        skipped: The variants that were not, and why.
    """

    seed: int
    rows: tuple[AttackRow, ...]
    skipped: tuple[tuple[PlanVariant, str], ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "seed": self.seed,
            "rows": [row.to_json() for row in self.rows],
            "skipped": [
                {
                    "plan": variant.name,
                    **{name: getattr(variant, name) for name in _SETS},
                    "why": why,
                }
                for variant, why in self.skipped
            ],
        }


def attack(
    seed: int,
    worlds: int | None = None,
    *,
    short: bool = False,
    strip: Strip | None = None,
    progress: Progress | None = None,
) -> Attack:
    """Search for the worst worlds of every plan, the same for the same seed.

    Args:
        seed: Of all randomness.
        worlds: To try for each plan as it ships; None for as many as the form has.
        short: The shipped plans alone, and fewer worlds.
        strip: Attack a broken judge, see ``judge``.
        progress: Told after each world.
    """
    shown = progress or SilentProgress()
    chosen: Iterable[PlanVariant] = own_forms() if short else (*own_forms(), *variants())
    rows: list[AttackRow] = []
    skipped: list[tuple[PlanVariant, str]] = []
    for number, variant in enumerate(chosen):
        if variant.plan is None:
            skipped.append((variant, variant.refused or ""))
            continue
        tried = worlds or (_short(variant.plan) if short else WORLDS)
        tried = tried if variant.own else max(tried // _PART, 20)
        repetitions = REPETITIONS if variant.own else _VARIANT_REPETITIONS
        stage = f"{variant.name}, {variant.clients} clients, {variant.population}, {variant.items}"
        stage += f", {variant.changed}" if variant.changed else ""

        def told(done: int, stage: str = stage, tried: int = tried) -> None:
            shown.update(stage, done, tried)

        try:
            found = against(variant, tried, (seed, number), repetitions, strip=strip, told=told)
        except PlanError as error:
            # A plan whose noise cannot be drawn lets no run begin.
            skipped.append((variant, str(error)))
            continue
        rows.append(row_of(variant, found, tried, repetitions, seed))
    return Attack(seed, tuple(rows), tuple(skipped))


def _short(plan: MonitoringPlan) -> int:
    return max(SHORT_WORLDS // len(plan.monitoring_rounds), _SHORT_LEAST)


def against(
    variant: PlanVariant,
    worlds: int,
    seed: tuple[int, ...],
    repetitions: int,
    *,
    strip: Strip | None = None,
    told: Callable[[int], None] | None = None,
) -> list[Found]:
    """The worst worlds of one variant that has a plan, all sides."""
    found: list[Found] = []
    if variant.plan is None:
        return found
    done = 0
    for place, (side, part) in enumerate(SIDES.items()):
        count = round(part * worlds)
        before = done

        def counted(number: int, before: int = before) -> None:
            if told is not None:
                told(before + number)

        generator = np.random.default_rng((*seed, place))
        found += search(
            variant.plan,
            side,
            count,
            generator,
            repetitions=repetitions,
            strip=strip,
            told=counted,
        )
        done += count
    return found


def replayed(row: Mapping[str, Any], word: str) -> FalseVerdicts:
    """Play the worst world of a row again, the same runs.

    Args:
        row: Of the JSON.
        word: Of ``row["worst"]``, such as ``failure``.

    Raises:
        InputError: No shipped plan or variant is the row's.
    """
    data = row["worst"][word]
    for variant in (*own_forms(), *variants()):
        same = all(getattr(variant, name) == row[name] for name in _SETS)
        if same and (variant.name, variant.own) == (row["plan"], row["own"]) and variant.plan:
            genes = np.array(data["genes"], dtype=np.float64)
            genome = Genome(genes, len(variant.plan.planned), data["side"], data["seed"])
            return replay(variant.plan, genome, row["repetitions"], data["runs_seed"])
    raise InputError(
        "no plan or variant is this row's", where=str(row["plan"]), remedy="Search again."
    )
