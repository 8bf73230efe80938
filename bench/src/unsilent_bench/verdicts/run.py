"""Run the cells: simulate, let every method judge, score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from unsilent.progress import Progress, SilentProgress
from unsilent_bench.verdicts.baselines import (
    Judged,
    cusum_increments,
    cusum_levels,
    dp_cusum,
    fixed_intervals,
    per_round,
    readings,
    tolerances,
)
from unsilent_bench.verdicts.cells import ALPHA, Cell, cells
from unsilent_bench.verdicts.own_method import own_method, silences
from unsilent_bench.verdicts.people import CLIENT_SD
from unsilent_bench.verdicts.rows import OWN_METHOD, VerdictRow, delays, errors, mean, met, share
from unsilent_bench.verdicts.scenarios import World
from unsilent_bench.verdicts.world import Simulation, simulate


def run(
    seed: int, *, short: bool = False, progress: Progress | None = None
) -> tuple[VerdictRow, ...]:
    """All rows of the benchmark, the same for the same seed.

    Args:
        seed: Of all randomness.
        short: A few cells with few repetitions, for tests.
        progress: Told after each cell.
    """
    shown = progress or SilentProgress()
    chosen = cells(short=short)
    rows: list[VerdictRow] = []
    for number, cell in enumerate(chosen):
        shown.update("Verdicts", number, len(chosen))
        rows += rows_of(cell, (seed, number))
    return tuple(rows)


def rows_of(cell: Cell, seed: Sequence[int]) -> Iterator[VerdictRow]:
    """Simulate a cell; one row for each of its methods."""
    world = cell.world
    blocks = list(simulate(world, cell.repetitions, np.random.default_rng(seed)))
    for number, method in enumerate(cell.methods):
        row = VerdictRow(
            part=cell.part,
            method=method,
            population=world.population,
            clients=world.clients,
            epsilon=world.epsilon,
            rounds=world.rounds,
            scenario=cell.label or world.scenario.name,
            repetitions=cell.repetitions,
            mode=cell.mode,
            effect=cell.effect,
            note=cell.note,
        )
        if cell.part == "silent":
            rate, error = share(np.concatenate([silences(block, method) for block in blocks]))
            row = replace(row, silent_rate=rate, silent_error=error)
            yield replace(row, met=met(row))
            continue
        generator = np.random.default_rng((*seed, number))
        judged = _joined([judge(block, world, method, generator, cell.mode) for block in blocks])
        row = _scored(cell, row, blocks, judged)
        yield replace(row, met=met(row))


def judge(
    simulation: Simulation,
    world: World,
    method: str,
    generator: np.random.Generator,
    only: str | None = None,
) -> Judged:
    """What one method says of all modes; ours, to save time, of ``only`` one if it is given."""
    if method in OWN_METHOD:
        return own_method(simulation, method, only)
    seen = readings(simulation)
    if method == "per-round":
        return per_round(seen)
    if method == "fixed-95":
        return fixed_intervals(seen, simulation.truth)
    if method == "cusum-levels":
        return cusum_levels(seen, ALPHA)
    if method == "cusum-increments":
        return cusum_increments(seen, ALPHA)
    spread = np.array([CLIENT_SD[code] for code in simulation.plan.planned])
    return dp_cusum(
        simulation,
        world.epsilon,
        shift=spread / 2,
        spread=spread / math.sqrt(world.clients),
        alpha=ALPHA,
        generator=generator,
    )


def _scored(
    cell: Cell, row: VerdictRow, blocks: Sequence[Simulation], judged: Judged
) -> VerdictRow:
    plan = blocks[0].plan
    if cell.mode is None:
        truth = np.concatenate([block.truth for block in blocks])
        return replace(row, **errors(judged, truth, tolerances(plan)))
    failure = judged.failure[..., plan.planned.index(cell.mode)]
    found, after = delays(failure, cell.onset - 1)
    power, error = share(found)
    row = replace(row, power=power, power_error=error)
    asked = cell.reference if row.method == cell.asked else None
    if cell.part == "power":
        return replace(row, power_reference=asked)
    delay, delay_error = mean(after)
    return replace(row, delay=delay, delay_error=delay_error, delay_reference=asked)


def _joined(parts: Sequence[Judged]) -> Judged:
    """One judgement of all blocks' repetitions."""
    healthy = [part.healthy for part in parts if part.healthy is not None]
    missed = [part.missed for part in parts if part.missed is not None]
    return Judged(
        np.concatenate([part.failure for part in parts]),
        np.concatenate(healthy) if healthy else None,
        np.concatenate(missed) if missed else None,
    )
