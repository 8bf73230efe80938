"""Validation of a plan: what it would have said of recorded federations with injected failures.

The plan's own layout, tolerances, boundary and budget judge federations of its model kind, with
its own number of clients. Nothing of the plan is checked on data that it was made for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan
from unsilent.plan.personalization import USUAL
from unsilent.taxonomy import SILENT_FAILURES
from unsilent_bench.replay.batch import batches, recorded_only, unrecorded
from unsilent_bench.replay.cells import cells
from unsilent_bench.replay.intervals import Interval, share
from unsilent_bench.replay.own_method import said
from unsilent_bench.replay.rows import ALL, ReplayCell
from unsilent_bench.replay.score import Score, scores
from unsilent_bench.traces import Federation, Traces


@dataclass(frozen=True)
class Validation:
    """What a plan says of one scenario at one dose.

    Attributes:
        mode, scenario, dose: Which federations; ``none`` are the healthy look-alikes.
        clients, epsilon, rounds: What was reckoned with: the plan's, but at most as many rounds
            as were recorded.
        recorded: How many clients the federations were recorded with: the nearest to the plan's.
        detection: Share of runs with a true FAILURE in the mode; ``interval`` over federations.
        false_alarms: Share of runs with any FAILURE that is not true; its interval likewise.
        undetermined: Share of the last round's verdicts on the mode.
        beyond: Share of the federations whose truth passes the plan's tolerance.
        seeds: Federations.
    """

    mode: str
    scenario: str
    dose: str
    clients: int
    recorded: int
    epsilon: float
    rounds: int
    detection: float
    interval: Interval
    false_alarms: float
    false_alarms_interval: Interval
    undetermined: float
    beyond: float
    seeds: int

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready data."""
        return {
            key: [round(end, 6) for end in value]
            if isinstance(value, tuple)
            else round(value, 6)
            if isinstance(value, float)
            else value
            for key, value in vars(self).items()
        }


def validation(plan: MonitoringPlan, traces: Traces, *, seed: int = 1) -> tuple[Validation, ...]:
    """One row for each planned mode's scenarios and doses, fresh federations only.

    A plan for more clients than were recorded is reckoned with the recorded ones, as many times
    (see ``power``). Its subgroups are left out: traces hold none; and so are modes of which they
    hold nothing.

    Args:
        plan: Any plan.
        traces: As ``read`` gives them.
        seed: Of the noise.

    Raises:
        InputError: No fresh federation of the plan's kind of model was recorded, or none of its
            modes.
        PlanError: The plan's noise cannot be drawn.
    """
    plan, tier = recorded_only(plan), _tier(plan)
    usual = [
        each
        for each in traces.federations
        if (each.tier, each.split, each.training, each.personalization)
        == (tier, "fresh", "plain", USUAL)
    ]
    if not usual:
        raise InputError(f"no fresh federation of tier {tier!r}", where=traces.where)
    sizes = {each.clients for each in usual}
    recorded = min(sizes, key=lambda size: abs(np.log(size / plan.federation.clients)))
    chosen = [_last(each, plan) for each in usual if each.clients == recorded]
    found: list[Validation] = []
    for cell in cells(batches(chosen, {tier: _without_subgroups(plan)})):
        if cell.mode != ALL and cell.position is not None:
            found.append(_row(cell, plan, seed))
    return tuple(found)


def of_plan(plan: MonitoringPlan) -> tuple[list[dict[str, Any]], str | None]:
    """The rows as JSON-ready data on the shipped traces, and why there are none."""
    from unsilent_bench.traces import read

    try:
        traces = read()
        tier = _tier(plan)
        own = tuple(each for each in traces.federations if each.tier == tier)
        if not own:
            return [], "no traces of this kind of model ship with this version"
        rows = [each.to_json() for each in validation(plan, Traces(own, traces.where))]
        left_out = ", ".join(unrecorded(plan))
        return rows, f"{left_out} is not in the traces, and left out" if left_out else None
    except InputError as error:
        return [], error.line()


def _tier(plan: MonitoringPlan) -> str:
    return {"causal_lm": "lm", "encoder": "fleet"}.get(plan.model.kind, plan.model.kind)


def _row(cell: ReplayCell, plan: MonitoringPlan, seed: int) -> Validation:
    own: dict[str, Score] = {}
    groups = batches(cell.dosed, {cell.tier: _without_subgroups(plan)})
    truth: list[float] = []
    for batch in groups:
        epsilon = plan.privacy.epsilon if plan.privacy.private else None
        simulation = batch.simulation(epsilon, batch.draws, seed, clients=plan.federation.clients)
        own |= scores(batch, said(batch, simulation, batch.draws))
        truth += batch.truth[..., cell.position or 0].max(axis=1).tolist()
    at = cell.position or 0
    detection = share(_rates([score.found[:, at] for score in own.values()]))
    false_alarms = share(_rates([score.false_alarm for score in own.values()]))
    verdicts = [score.last[:, at] == 0 for score in own.values() if score.last is not None]
    return Validation(
        mode=cell.mode,
        scenario=cell.scenario,
        dose=cell.dose,
        clients=plan.federation.clients,
        recorded=cell.clients,
        epsilon=plan.privacy.epsilon,
        rounds=cell.dosed[0].rounds,
        detection=detection[0],
        interval=detection[1],
        false_alarms=false_alarms[0],
        false_alarms_interval=false_alarms[1],
        undetermined=float(_rates(verdicts).mean()),
        beyond=float(np.mean(np.array(truth) > (cell.tolerance or 0.0))),
        seeds=len(own),
    )


def _last(federation: Federation, plan: MonitoringPlan) -> Federation:
    """The federation's last rounds, as many as the plan monitors."""
    rounds = min(len(plan.monitoring_rounds), federation.rounds)
    return Federation(
        **{
            **vars(federation),
            "rounds": rounds,
            "numbers": {name: values[-rounds:] for name, values in federation.numbers.items()},
            "truth": federation.truth[-rounds:],
            "truth_se": federation.truth_se[-rounds:],
        }
    )


def _without_subgroups(plan: MonitoringPlan) -> MonitoringPlan:
    modes = {
        failure.mode: mode.model_copy(update={"subgroups": ()})
        for failure in SILENT_FAILURES
        if (mode := plan.mode(failure.mode)) is not None
    }
    return plan.model_copy(update={"modes": plan.modes.model_copy(update=modes)})


def _rates(flags: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of each federation's draws."""
    return np.array([each.mean() for each in flags], dtype=np.float64)
