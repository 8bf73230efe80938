"""The search: worlds are changed and crossed as long as a verdict gets nearer to being false.

Every world is screened with few repetitions; one that looks bad is played again, more often. What
comes out is the worst world by a third set of repetitions, and its rates are from a fourth: the
worst of many noisy rates is too high, and a rate that chose nothing is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import MODE_SIDES, Genome, Side, child, fresh
from unsilent_bench.verdicts.adversary.judged import FalseVerdicts, Strip, judge
from unsilent_bench.verdicts.adversary.play import Stage

SIDES: dict[Side, float] = {
    "failure": 0.3,
    "healthy": 0.3,
    "either": 0.16,
    "silent": 0.12,
    "loud": 0.12,
}
"""Which words are attacked, and the share of the worlds that goes to each."""
SCREENED = 32
"""Repetitions of a world that is looked at first."""
AGAIN = 128
CHOSEN = 400
"""Repetitions that choose among the finalists."""
FINALISTS = 6
_KEPT = 3
"""Worlds kept of each niche, a target and whether drop-outs depend on the effect."""
_FIRST = 0.2
"""Share of the worlds that are random: before the first is changed, and then among the others."""
_LATER = 0.05
_ANY_NICHE = 0.3
_BY_EFFECT = 0.3


@dataclass(frozen=True, eq=False)
class Found:
    """The worst world of one kind.

    Attributes:
        genome: The world.
        control, attendance: What it chose, in words.
        informed: Whether its drop-outs depend on the effect.
        said: What was said of it, in fresh repetitions.
        seed: Of these.
        broken: How many of the worlds that were tried had a run without an interval.
    """

    genome: Genome
    control: str
    attendance: str
    informed: bool
    said: FalseVerdicts
    seed: int
    broken: int = 0


@dataclass(eq=False)
class _Archive:
    """The worst worlds so far, by niche."""

    niches: dict[tuple[int, bool], list[tuple[float, Genome]]] = field(default_factory=dict)

    def floor(self, niche: tuple[int, bool]) -> float:
        """What a world must pass to be kept."""
        kept = self.niches.get(niche, [])
        return kept[-1][0] if len(kept) == _KEPT else -np.inf

    def add(self, niche: tuple[int, bool], score: float, genome: Genome) -> None:
        kept = [*self.niches.get(niche, []), (score, genome)]
        self.niches[niche] = sorted(kept, key=lambda each: -each[0])[:_KEPT]

    def parent(self, generator: np.random.Generator) -> Genome:
        """One of the worst, or now and then one of any niche.

        Drop-outs by effect make any world worse, so most parents are from those without.
        """
        niches = {
            name: kept
            for name, kept in sorted(self.niches.items())
            if not name[1] or generator.random() < _BY_EFFECT
        }
        niches = niches or self.niches
        if generator.random() < _ANY_NICHE:
            names = sorted(niches)
            kept = niches[names[int(generator.integers(len(names)))]]
            return kept[int(generator.integers(len(kept)))][1]
        every = sorted((each for kept in niches.values() for each in kept), key=lambda e: -e[0])
        return every[min(int(generator.exponential(1.5)), len(every) - 1)][1]

    def ranked(self, informed: bool) -> list[tuple[float, Genome]]:
        """All worlds with, or without, drop-outs by effect, the worst first."""
        every = [
            each
            for (_, knows), kept in sorted(self.niches.items())
            for each in kept
            if informed == knows
        ]
        return sorted(every, key=lambda each: -each[0])


def search(
    plan: MonitoringPlan,
    side: Side,
    worlds: int,
    generator: np.random.Generator,
    *,
    repetitions: int,
    strip: Strip | None = None,
    told: Callable[[int], None] | None = None,
) -> list[Found]:
    """The worst world of a side without, and if there are any with, drop-outs by effect.

    Args:
        plan: The plan to attack.
        side: Which word is to be false.
        worlds: How many to try.
        generator: Source of randomness.
        repetitions: Of the rates that are reported.
        strip: Search a broken judge, see ``judge``.
        told: Told after each world how many there were.
    """
    archive, modes, broken = _Archive(), len(plan.planned), 0
    for number in range(worlds):
        if number < max(_FIRST * worlds, 2) or generator.random() < _LATER:
            genome = fresh(modes, side, generator)
        else:
            genome = child(archive.parent(generator), archive.parent(generator), generator)
        stage = Stage(plan, genome)
        niche = (stage.target, stage.attendance.informed)
        said = _said(stage, SCREENED, generator, strip)
        score, broken = _score(said, side), broken + int(said.broken.any())
        if score > archive.floor(niche):
            score = _score(_said(stage, AGAIN, generator, strip), side)
            if score > archive.floor(niche):
                archive.add(niche, score, genome)
        if told is not None:
            told(number + 1)
    found: list[Found] = []
    for informed in (False, True):
        finalists = [genome for _, genome in archive.ranked(informed)[:FINALISTS]]
        if finalists and not (informed and side not in MODE_SIDES):
            worst = _final(plan, side, finalists, generator, repetitions, strip)
            found.append(replace(worst, broken=broken))
    return found


def replay(
    plan: MonitoringPlan, genome: Genome, repetitions: int, seed: int, strip: Strip | None = None
) -> FalseVerdicts:
    """What is said of a world, all modes and the system metrics; the same for the same seed."""
    stage = Stage(plan, genome)
    played = stage.play(repetitions, np.random.default_rng(seed))
    return judge(played, stage.control, strip=strip)


def _final(
    plan: MonitoringPlan,
    side: Side,
    finalists: list[Genome],
    generator: np.random.Generator,
    repetitions: int,
    strip: Strip | None,
) -> Found:
    scores = [
        _score(_said(Stage(plan, each), CHOSEN, generator, strip), side) for each in finalists
    ]
    worst = finalists[int(np.argmax(scores))]
    stage, seed = Stage(plan, worst), int(generator.integers(2**31))
    said = replay(plan, worst, repetitions, seed, strip)
    return Found(
        worst, stage.control, stage.attendance.words, stage.attendance.informed, said, seed
    )


def _said(
    stage: Stage, repetitions: int, generator: np.random.Generator, strip: Strip | None
) -> FalseVerdicts:
    """Of what the world aims at alone, to save time."""
    system = stage.genome.side not in MODE_SIDES
    played = stage.play(repetitions, generator)
    return judge(played, stage.control, places=stage.aimed, system=system, strip=strip)


def _score(said: FalseVerdicts, side: Side) -> float:
    """The rate of false words, and how near to one the nearest tenth of the runs came."""
    near = np.sort(said.nearest[side])[-max(len(said.nearest[side]) // 10, 1) :]
    # Minus infinity, no claim to be false, counts nothing.
    close = 1 / (1 + np.exp(-2 * np.clip(near, -9, 9)))
    return float(getattr(said, side).mean()) + 0.5 * float(np.where(near > -9, close, 0.0).mean())
