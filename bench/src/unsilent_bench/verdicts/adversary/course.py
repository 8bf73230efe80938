"""Course: how the target moves over the rounds, and the shift that puts its truth at a goal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import TRENDS, Genome
from unsilent_bench.verdicts.people import Array

_STEPS = 48


def course_of(plan: MonitoringPlan, genome: Genome) -> Array:
    """(rounds,) what is added to the target's level, in clips.

    Courses that cross the tolerance more than once are often small, so that the truth stays near.
    """
    rounds = len(plan.monitoring_rounds)
    time = np.linspace(0, 1, rounds) if rounds > 1 else np.zeros(1)
    onset, waves = (float(genome.raw(name)[0]) for name in ("onset", "waves"))
    random = np.random.default_rng(int(waves * 1e6))
    turns = 1 + int(waves * max(rounds // 2 - 1, 1))
    shapes = {
        "constant": 0 * time,
        "late-step": (time >= onset).astype(np.float64),
        "drift": time,
        "up-then-down": 1 - np.abs(2 * time - 1),
        "early": (time < onset).astype(np.float64),
        "alternating": (-1.0) ** np.arange(rounds),
        "crossings": np.where(np.sin(2 * np.pi * (turns * time + onset)) >= 0, 1.0, -1.0),
        "random": random.choice((-1.0, 1.0), rounds),
    }
    swing = float(2 * genome.raw("swing")[0] - 1)
    fine = float(genome.raw("fine")[0])
    size = swing if fine < 0.5 else swing * 10 ** (-6 * (fine - 0.5))
    return np.round(size * shapes[TRENDS[genome.one("trend", len(TRENDS))]], 9)


def anchored(course: Array, genome: Genome) -> list[int]:
    """Rounds whose mean truth is put at the goal: all, one half, or one of the ends."""
    rounds = len(course)
    if not course.any():
        return [0]
    half = (rounds + 1) // 2
    parts = ((0, rounds), (rounds // 2, rounds), (rounds - 1, rounds), (0, half), (0, 1))
    return list(range(*parts[genome.one("anchor", len(parts))]))


def bisected(mean: Callable[[float], float], goal: float, span: float, sign: int) -> float:
    """The shift whose mean is nearest to the goal, on the goal's own side of it."""
    low, high = -span, span
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = mean(middle)
        if found < goal or (sign < 0 and found == goal):
            low = middle
        else:
            high = middle
    return high if sign > 0 else low
