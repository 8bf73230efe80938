"""Course: how the target moves over the rounds, and the shift that puts its truth at a goal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unsilent.plan import MonitoringPlan
from unsilent_bench.verdicts.adversary.genes import TRENDS, Genome
from unsilent_bench.verdicts.people import Array

_STEPS = 48


def course_of(plan: MonitoringPlan, genome: Genome) -> Array:
    """(rounds,) what is added to the target's level, in clips."""
    rounds = len(plan.monitoring_rounds)
    time = np.linspace(0, 1, rounds) if rounds > 1 else np.zeros(1)
    onset = float(genome.raw("onset")[0])
    shapes = {
        "constant": 0 * time,
        "late-step": (time >= onset).astype(np.float64),
        "drift": time,
        "up-then-down": 1 - np.abs(2 * time - 1),
        "early": (time < onset).astype(np.float64),
    }
    swing = float(2 * genome.raw("swing")[0] - 1)
    return np.round(swing * shapes[TRENDS[genome.one("trend", len(TRENDS))]], 6)


def anchored(course: Array, genome: Genome) -> list[int]:
    """Rounds whose mean truth is put at the goal: all, the last half, or the last one."""
    rounds = len(course)
    if not course.any():
        return [0]
    kind = genome.one("anchor", 3)
    return list(range((0, rounds // 2, rounds - 1)[kind], rounds))


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
