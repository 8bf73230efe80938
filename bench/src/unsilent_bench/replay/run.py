"""Run a replay: every method on every federation, scored cell by cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan
from unsilent.plan.personalization import USUAL
from unsilent.progress import Progress, SilentProgress
from unsilent_bench.lm.subsets import parted
from unsilent_bench.replay.batch import (
    Batch,
    batches,
    for_budget,
    recorded_only,
    refused,
    shipped_plans,
)
from unsilent_bench.replay.cells import cells
from unsilent_bench.replay.claim import TrainingVariant, claim
from unsilent_bench.replay.contract import Method, Shown
from unsilent_bench.replay.dashboards import ClientSummary, SystemMean
from unsilent_bench.replay.onsets import Onset, onset
from unsilent_bench.replay.oracle import Oracle
from unsilent_bench.replay.own_method import LocalDP, NoiseOnMeans, Unsilent
from unsilent_bench.replay.power import ENOUGH, SIZES, Enlarged, Point
from unsilent_bench.replay.rounds import DPCusum, PerRound
from unsilent_bench.replay.rows import ALL, ReplayCell, ReplayRow, row_of
from unsilent_bench.replay.score import Score, in_hindsight, scores, statistics, truths
from unsilent_bench.replay.units import Unit, with_unit
from unsilent_bench.traces import Federation, Traces

SCHEMA = "unsilent/replay/1"
METHODS: tuple[Method, ...] = (
    Unsilent(),
    SystemMean(),
    ClientSummary(),
    LocalDP(),
    NoiseOnMeans(),
    PerRound(),
    DPCusum(),
    Oracle(),
)
EPSILONS: tuple[float | None, ...] = (None, 8.0, 2.0, 1.0)
CURVE_EPSILONS: tuple[float, ...] = (8.0, 2.0, 1.0)


@dataclass(frozen=True)
class Replay:
    """All that a replay found.

    Attributes:
        rows: The table.
        power: Detection against clients and epsilon, at the strong dose.
        onsets: The course of the strong dose's runs over rounds.
        claim: Failures by way of training.
        seed: Of all noise.
        split: Which federations.
        plans: Tier to the digest of the plan.
        federations: How many were scored.
        methods: Who judged.
    """

    rows: tuple[ReplayRow, ...]
    power: tuple[Point, ...]
    onsets: tuple[Onset, ...]
    claim: tuple[TrainingVariant, ...]
    seed: int
    split: str
    plans: Mapping[str, str]
    federations: int
    methods: tuple[Method, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "split": self.split,
            "federations": self.federations,
            "plans": dict(self.plans),
            "methods": {each.name: {"sees": each.sees, "note": each.note} for each in self.methods},
            "rows": [row.to_json() for row in self.rows],
            "power": [point.to_json() for point in self.power],
            "onsets": [each.to_json() for each in self.onsets],
            "claim": [each.to_json() for each in self.claim],
        }


def replay(
    traces: Traces,
    *,
    epsilons: Sequence[float | None] = EPSILONS,
    clients: Sequence[int] | None = None,
    split: str = "fresh",
    seed: int = 1,
    plans: Mapping[str, MonitoringPlan] | None = None,
    methods: Sequence[Method] = METHODS,
    progress: Progress | None = None,
) -> Replay:
    """Score methods on traces; the same for the same seed.

    Args:
        traces: The federations.
        epsilons: Budgets for all rounds together; None for no noise.
        clients: Only federations of these sizes; None for all.
        split: ``fresh``, ``development`` or ``all``.
        seed: Of all noise.
        plans: Tier to its monitoring plan; those of the benchmark by default.
        methods: Who judges.
        progress: Told of each step.

    Raises:
        InputError: No federation is left, or a tier has no plan.
    """
    shown, plans = progress or SilentProgress(), plans or shipped_plans()
    # Of the language model's federations parts are judged as well, for what fewer sites would see.
    chosen = [
        each
        for each in parted(traces.federations)
        if split in ("all", each.split) and (clients is None or each.clients in clients)
    ]
    if not chosen:
        raise InputError(
            f"no federation of split {split!r}" + (" and these sizes" if clients else ""),
            where=traces.where,
            remedy="Try --split all, or leave --clients out.",
        )
    plans = {tier: recorded_only(plan) for tier, plan in plans.items()}
    groups = batches(_usually_trained(chosen), plans)
    table = cells(groups)
    truth = _truth(groups)
    rows: list[ReplayRow] = []
    steps: list[tuple[Method, float | None, Unit]] = [
        (m, e, "client") for m in methods for e in (epsilons if m.private else (None,))
    ]
    for method in (m for m in methods if m.name == Unsilent.name):
        # Beside the client: what records and nobody at all would be protected by.
        for epsilon in epsilons:
            if epsilon is not None:
                steps.append((method, epsilon, "record"))
        steps.append((method, None, "none"))
    judged: dict[float | None, dict[str, Score]] = {}
    for done, (method, epsilon, unit) in enumerate(steps):
        shown.update("Judging", done, len(steps))
        chosen_groups = [with_unit(batch, unit) for batch in groups]
        if method.name == Unsilent.name and epsilon is not None:
            # What the product does not run has no rate; without noise it is no plan of anyone's.
            chosen_groups = [b for b in chosen_groups if not refused(for_budget(b.plan, epsilon))]
        found, own = _rows(method, epsilon, seed, chosen_groups, table, truth, unit)
        rows += found
        if method.name == Unsilent.name and unit == "client":
            judged[epsilon] = own
    rows = list(_with_needed(rows, table, plans, seed, shown))
    return Replay(
        rows=tuple(rows),
        power=tuple(_curves(table if judged else (), plans, seed, epsilons, shown)),
        onsets=tuple(
            onset(cell, epsilon, own, truth)
            for cell in table
            if cell.dose == "strong" and cell.position is not None
            for epsilon, own in judged.items()
            if cell.within(own)
        ),
        claim=claim(chosen, plans),
        seed=seed,
        split=split,
        plans={tier: plan.digest for tier, plan in plans.items()},
        federations=len(chosen),
        methods=tuple(methods),
    )


def _usually_trained(federations: Sequence[Federation]) -> list[Federation]:
    """Those trained plainly; all of a cause that is itself a way of training."""
    plain = {each.scenario for each in federations if each.training == "plain"}
    return [each for each in federations if each.training == "plain" or each.scenario not in plain]


def _rows(
    method: Method,
    epsilon: float | None,
    seed: int,
    groups: Sequence[Batch],
    table: Sequence[ReplayCell],
    truth: Mapping[str, np.ndarray],
    unit: Unit,
) -> tuple[list[ReplayRow], dict[str, Score]]:
    """A method's rows, and its scores by federation where it needs no threshold."""
    own: dict[str, Score] = {}
    shown: dict[str, dict[str, np.ndarray]] = {}
    beyond: dict[str, np.ndarray] = {}
    for batch in groups:
        said = method.judge(batch, epsilon, seed)
        if isinstance(said, Shown):
            shown |= statistics(batch, said)
            beyond |= truths(batch)
        else:
            own |= scores(batch, said)
    rows: list[ReplayRow] = []
    for cell in table:
        if not shown and cell.within(own):
            rows.append(row_of(cell, method.name, epsilon, own, truth=truth, unit=unit))
        elif shown and cell.mode != ALL and cell.healthy:
            ids, others = _ids(cell.dosed), _ids(cell.healthy)
            hindsight, threshold = in_hindsight(ids, others, shown, beyond)
            rows.append(
                row_of(
                    cell,
                    method.name,
                    epsilon,
                    hindsight,
                    threshold=threshold,
                    truth=truth,
                    unit=unit,
                )
            )
    return rows, own


def _with_needed(
    rows: Iterable[ReplayRow],
    table: Sequence[ReplayCell],
    plans: Mapping[str, MonitoringPlan],
    seed: int,
    progress: Progress,
) -> Iterable[ReplayRow]:
    """The rows, those of ours that miss with the number of clients that would do."""
    kept = list(rows)
    where = {_key(cell): cell for cell in table}
    for done, row in enumerate(kept):
        progress.update("Clients that would be needed", done, len(kept))
        misses = row.detection is not None and row.detection < ENOUGH <= (row.beyond or 0.0)
        ours = row.method == Unsilent.name and row.unit == "client"
        if ours and misses and row.dose != "none":
            cell = where[_key(row)]
            row = replace(row, needed=Enlarged(cell, plans, seed).needed(row.epsilon))
        yield row


def _curves(
    table: Sequence[ReplayCell],
    plans: Mapping[str, MonitoringPlan],
    seed: int,
    epsilons: Sequence[float | None],
    progress: Progress,
) -> Iterable[Point]:
    """Detection at the strong dose, from the largest federations that were recorded."""
    strong = [
        cell
        for cell in table
        if cell.dose == "strong" and cell.position is not None and cell.personalization == USUAL
    ]
    largest = {(cell.tier, cell.scenario): cell for cell in sorted(strong, key=lambda c: c.clients)}
    for done, cell in enumerate(largest.values()):
        progress.update("Power", done, len(largest))
        enlarged = Enlarged(cell, plans, seed)
        for epsilon in CURVE_EPSILONS:
            if epsilon in epsilons:
                for size in SIZES:
                    yield enlarged.point(size, epsilon)


def _truth(groups: Sequence[Batch]) -> dict[str, np.ndarray]:
    """Federation id to (rounds, modes) effects, modes in the plan's order."""
    return {
        each.federation: batch.truth[at]
        for batch in groups
        for at, each in enumerate(batch.federations)
    }


def _key(where: ReplayCell | ReplayRow) -> tuple[object, ...]:
    return (
        where.tier,
        where.mode,
        where.scenario,
        where.personalization,
        where.dose,
        where.clients,
    )


def _ids(federations: Iterable[Federation]) -> list[str]:
    return [each.federation for each in federations]
