"""The simulated world: clients with known effects, and the sums that a server would see.

A client keeps its effects and its items from round to round, so nothing about it averages out
over rounds; only privacy noise is fresh. Every number passes the plan's own layout, and the noise
is sized by ``release.noise``, so what is judged is what the product would judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.release.noise import needed_releases, share_variance
from unsilent_bench.verdicts.people import Array, People, limited
from unsilent_bench.verdicts.scenarios import World

_CELLS = 1_000_000
"""Clients times repetitions that are held in memory at once."""
BLOCKS = 3
"""Attendances that a world is simulated with where clients come and go."""


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a server saw in many repetitions of a world, and what was true.

    All repetitions of one simulation share who was there, so that they can be judged at once.

    Attributes:
        plan, layout: The plan and its layout.
        totals: (repetitions, rounds, coordinates) int64 sums, noise included.
        clients: (rounds,) clients in each sum.
        usable: (rounds,) whether a sum holds as many releases as the plan needs.
        noise_variance: (rounds,) variance of the noise in each coordinate.
        truth: (repetitions, rounds, modes) mean over the population in that round, in the
            order of ``plan.planned``.
        present: As ``truth``, over the clients in the sum.
        clean: (repetitions, rounds, modes) means before truncation, joint clip and noise.
    """

    plan: MonitoringPlan
    layout: Layout
    totals: NDArray[np.int64]
    clients: NDArray[np.int64]
    usable: NDArray[np.bool_]
    noise_variance: Array
    truth: Array
    present: Array
    clean: Array


def simulate(
    world: World, repetitions: int, generator: np.random.Generator
) -> Iterator[Simulation]:
    """Sums of all rounds in many repetitions of a world, in blocks.

    Where clients come and go there are ``BLOCKS`` blocks, each with its own attendance.
    """
    plan = world.plan()
    layout = Layout.from_plan(plan)
    changing = bool(world.scenario.late or world.scenario.dropout)
    size = max(1, _CELLS // world.clients)
    size = min(size, math.ceil(repetitions / (BLOCKS if changing else 1)))
    for start in range(0, repetitions, size):
        count = min(size, repetitions - start)
        yield _simulate(world, plan, layout, count, generator)


def _simulate(
    world: World,
    plan: MonitoringPlan,
    layout: Layout,
    repetitions: int,
    generator: np.random.Generator,
) -> Simulation:
    people = People(world, plan, repetitions, generator)
    joined, here = _attendance(world, generator)
    shape = (repetitions, world.rounds)
    totals = np.empty((*shape, len(layout.names)))
    truth = np.empty((*shape, len(plan.planned)))
    present, clean = np.empty_like(truth), np.empty_like(truth)
    shares = here / np.maximum(here.sum(axis=1, keepdims=True), 1.0)
    among = joined / joined.sum(axis=1, keepdims=True)
    moments = [slice(t, t + 1) for t in range(world.rounds)] if world.drifts else [slice(None)]
    for moment in moments:
        values, expected = people.at(moment.start or 0)
        totals[:, moment] = here[moment] @ layout.encode_all(values).astype(np.float64)
        numbers = np.stack([limited(plan, code, values[code]) for code in plan.planned], axis=-1)
        clean[:, moment] = shares[moment] @ numbers
        present[:, moment] = shares[moment] @ expected
        if world.population == "like-these":
            truth[:, moment] = people.means(moment.start or 0)
        else:
            truth[:, moment] = among[moment] @ expected
    clients = here.sum(axis=1).astype(np.int64)
    variance = np.zeros(world.rounds)
    if world.epsilon is not None:
        variance = clients * float(share_variance(plan))
    noise = generator.standard_normal(totals.shape) * np.sqrt(variance)[:, None]
    return Simulation(
        plan=plan,
        layout=layout,
        totals=(totals + np.rint(noise)).astype(np.int64),
        clients=clients,
        usable=clients >= needed_releases(plan),
        noise_variance=variance,
        truth=truth,
        present=present,
        clean=clean,
    )


def _attendance(
    world: World, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(rounds, clients) who has joined, and who is in the sum: 1 or 0."""
    joined = np.ones((world.rounds, world.clients))
    late = round(world.scenario.late * world.clients)
    if late:
        first = generator.integers(1, max(world.rounds // 2, 2), late)
        joined[:, :late] = np.arange(world.rounds)[:, None] >= first
    return joined, joined * (generator.random(joined.shape) >= world.scenario.dropout)
