"""Who is in which sum: everyone, drop-outs, late joiners, and federations that sample clients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.plan import MonitoringPlan
from unsilent.release.noise import needed_releases
from unsilent_bench.verdicts.adversary.genes import Genome
from unsilent_bench.verdicts.people import Array


@dataclass(frozen=True)
class Attendance:
    """How clients attend a world's rounds.

    Attributes:
        kind: ``everyone``, ``drop-outs`` or ``late``.
        absent: How many are missing from each sum while any are.
        lasting: Whether the same drop out of every round.
        strength: How far a client's type decides who is missing, from 0, at random, to 1.
        taking_part: How many are asked in a round.
    """

    kind: str
    absent: int
    lasting: bool
    strength: float
    taking_part: int

    @property
    def informed(self) -> bool:
        """Whether drop-outs depend on the effect: no released number can tell of those."""
        return self.kind == "drop-outs" and self.strength > 0

    @property
    def words(self) -> str:
        """For the rows."""
        return f"{self.kind}{', by effect' if self.strength > 0 else ''}"


def attendance(plan: MonitoringPlan, genome: Genome) -> Attendance:
    """That of a world, within what the plan reckons with."""
    part = plan.taking_part
    spare = part - max(needed_releases(plan), plan.monitor.min_cohort)
    kinds = ["everyone"]
    if spare > 0:
        kinds.append("drop-outs")
        if len(plan.monitoring_rounds) > 2 and part == plan.federation.clients:
            kinds.append("late")
    kind = kinds[genome.one("attendance", len(kinds))]
    strength = float(genome.raw("strength")[0])
    return Attendance(
        kind,
        spare if kind != "everyone" else 0,
        bool(genome.raw("lasting")[0] > 0.5),
        0.0 if strength < 0.5 or kind == "everyone" else 2 * strength - 1,
        part,
    )


def cohorts(plan: MonitoringPlan, attendance: Attendance) -> NDArray[np.int64]:
    """(rounds,) clients in each sum."""
    rounds = len(plan.monitoring_rounds)
    found = np.full(rounds, attendance.taking_part - attendance.absent)
    if attendance.kind == "late":
        found[(rounds + 1) // 2 :] = attendance.taking_part
    return found.astype(np.int64)


def draw(
    plan: MonitoringPlan,
    attendance: Attendance,
    keys: Array,
    repetitions: int,
    generator: np.random.Generator,
) -> tuple[Array, Array]:
    """Who has joined and who is in the sums, 1 or 0.

    Args:
        plan: The plan.
        attendance: Of the world.
        keys: (R or 1, N) in [0, 1]; those with the highest drop out first where it matters.
        repetitions: R.
        generator: Source of randomness.

    Returns:
        Two of shape (R or 1, rounds, N).
    """
    clients, rounds = plan.federation.clients, len(plan.monitoring_rounds)
    if attendance.kind == "everyone" and attendance.taking_part == clients:
        every = np.ones((1, rounds, clients))
        return every, every
    shape = (repetitions, rounds, clients)
    lasting = attendance.lasting or attendance.kind == "late"
    chance = generator.random((repetitions, 1, clients) if lasting else shape)
    order = attendance.strength * keys[:, None, :] + (1 - attendance.strength) * chance
    joined, here = np.ones(shape), np.ones(shape)
    if attendance.taking_part < clients:
        # A round's cohort is drawn anew, and drop-outs are among it.
        asked = np.argsort(np.argsort(generator.random(shape), axis=-1), axis=-1)
        inside = asked < attendance.taking_part
        here = inside.astype(np.float64)
        order = np.where(inside, order, -1.0)
    if attendance.absent:
        rank = np.argsort(np.argsort(-order, axis=-1), axis=-1)
        gone = np.broadcast_to(rank < attendance.absent, shape)
        if attendance.kind == "late":
            gone = gone & (np.arange(rounds)[:, None] < (rounds + 1) // 2)
            joined = joined - gone
        here = here * ~gone
    return joined, here
