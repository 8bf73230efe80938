"""Rows: one method in one cell of the benchmark, every number with its interval and its seeds."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from unsilent_bench.replay.intervals import Interval, area, mean, share
from unsilent_bench.replay.score import Score, Threshold
from unsilent_bench.scenarios import MAIN
from unsilent_bench.traces import Federation

ALL = "all"
"""Mode of rows that pool all scenarios of a tier."""


@dataclass(frozen=True)
class ReplayRow:
    """One method in one cell; None where a number does not apply.

    Attributes:
        method, tier: Which.
        mode: Code of the mode that the scenario aims at, or ``all``.
        scenario, personalization: Which cause, and how clients personalize.
        main: Whether it is the mode's main cause, which all doses and sizes are recorded of.
        dose: ``none`` is the look-alike.
        clients: Enrolled.
        epsilon: For all rounds together; None without noise, and for methods that have none.
        unit: Whom the noise protects: ``client``, ``record``, or ``none``.
        detection: Share of runs with a FAILURE in the mode that is true over its own window.
        interval: Of detection: exact binomial over federations.
        false_alarms: Share of runs of the scenario's look-alikes with a FAILURE in any mode that
            is not true of its window; ``false_alarms_interval`` as ``interval``.
        wrong: Share of this row's own runs with any wrong verdict at any round: FAILURE where the
            truth is inside the tolerance, HEALTHY where it is beyond; ``clearly_wrong`` those
            where the truth is so by more than two of its own standard errors.
        delay: Mean rounds from the truth's passing of the tolerance to the first true FAILURE, of
            the runs that were found; its interval is a bootstrap over federations.
        auc: Area under the ROC of the method's own score, against the look-alikes.
        failure, healthy, undetermined: Shares of verdicts on the mode in the last round;
            ``healthy_interval`` as ``interval``.
        silent: Share of those FAILUREs that were called silent.
        truth: Mean over federations of the mode's effect in the last round, by full access.
        beyond: Share of the federations whose truth passes the tolerance in some round.
        tolerance: The plan's.
        needed: Clients that a detection of 95% would need: the same ones, as many times. None
            where it is reached, or where no number would do.
        threshold: Statistic and threshold that were chosen in hindsight.
        seeds: Distinct seeds of the federations, and
        federations: how many there are; ``draws`` of noise each.
    """

    method: str
    tier: str
    mode: str
    scenario: str
    personalization: str
    main: bool
    dose: str
    clients: int
    epsilon: float | None
    unit: str
    detection: float | None
    interval: Interval | None
    false_alarms: float | None
    false_alarms_interval: Interval | None
    wrong: float | None
    wrong_interval: Interval | None
    clearly_wrong: float | None
    delay: float | None
    delay_interval: Interval | None
    auc: float | None
    auc_interval: Interval | None
    failure: float | None
    healthy: float | None
    healthy_interval: Interval | None
    undetermined: float | None
    silent: float | None
    truth: float | None
    beyond: float | None
    tolerance: float | None
    needed: int | None
    threshold: str | None
    seeds: int
    federations: int
    lookalikes: int
    draws: int

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready data, every field always there, floats to six digits."""
        return {f.name: _rounded(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True, eq=False)
class ReplayCell:
    """Federations of one scenario at one dose, and their look-alikes.

    Attributes:
        tier, mode, scenario, personalization, dose, clients: As ``ReplayRow``.
        position: Of the mode in the plan's order, None if it is not planned, or for ``all``.
        dosed, healthy: The federations; the same ones where the dose is ``none``.
        tolerance: The plan's, None if the mode is not planned.
    """

    tier: str
    mode: str
    scenario: str
    personalization: str
    dose: str
    clients: int
    position: int | None
    dosed: tuple[Federation, ...]
    healthy: tuple[Federation, ...]
    tolerance: float | None

    def within(self, judged: Container[str]) -> bool:
        """Whether all of its federations and their look-alikes were judged."""
        return all(each.federation in judged for each in (*self.dosed, *self.healthy))


def row_of(
    cell: ReplayCell,
    method: str,
    epsilon: float | None,
    scores: Mapping[str, Score],
    *,
    threshold: Threshold | None = None,
    truth: Mapping[str, np.ndarray] | None = None,
    unit: str = "client",
) -> ReplayRow:
    """One method's row of a cell.

    Args:
        cell: Which federations.
        method: Its name.
        epsilon: The budget.
        scores: Of at least the cell's federations, by id.
        threshold: If it was chosen in hindsight.
        truth: Id to (rounds, modes) effects.
        unit: Of privacy.
    """
    own = [scores[each.federation] for each in cell.dosed]
    others = [scores[each.federation] for each in cell.healthy]
    at = cell.position
    detection = delay = auc = (None, None)
    last: dict[str, float | None] = {"failure": None, "healthy": None, "undetermined": None}
    silent = health = None
    if at is not None:
        detection = share(_each(score.found[:, at] for score in own))
        delays = [score.delay[:, at] for score in own if not np.isnan(score.delay[:, at]).all()]
        if delays:
            delay = mean(_each(_known(values) for values in delays))
        if others and cell.dose != "none":
            auc = area(
                np.stack([score.score[:, at] for score in own]),
                np.stack([score.score[:, at] for score in others]),
            )
        last, silent = _last(own, at)
        known = [score.last[:, at] == -1 for score in own if score.last is not None]
        health = share(_each(known))[1] if known else None
    false_alarms = share(_each(each.false_alarm for each in others)) if others else (None, None)
    wrong = share(_each(each.wrong for each in own))
    effects = None
    if truth is not None and at is not None:
        effects = np.stack([truth[each.federation][:, at] for each in cell.dosed])
    return ReplayRow(
        method=method,
        tier=cell.tier,
        mode=cell.mode,
        scenario=cell.scenario,
        personalization=cell.personalization,
        main=cell.scenario in MAIN,
        dose=cell.dose,
        clients=cell.clients,
        epsilon=epsilon,
        unit=unit,
        detection=detection[0],
        interval=detection[1],
        false_alarms=false_alarms[0],
        false_alarms_interval=false_alarms[1],
        wrong=wrong[0],
        wrong_interval=wrong[1],
        clearly_wrong=float(_each(each.clearly for each in own).mean()),
        delay=delay[0],
        delay_interval=delay[1],
        auc=auc[0],
        auc_interval=auc[1],
        **last,
        healthy_interval=health,
        silent=silent,
        truth=None if effects is None else float(effects[:, -1].mean()),
        beyond=None
        if effects is None or cell.tolerance is None
        else float((effects.max(axis=1) > cell.tolerance).mean()),
        tolerance=cell.tolerance,
        needed=None,
        threshold=None
        if threshold is None
        else f"{threshold.statistic} worse than {abs(threshold.value):.4g}",
        seeds=len({each.seed for each in cell.dosed}),
        federations=len(cell.dosed),
        lookalikes=len(cell.healthy),
        draws=len(own[0].found),
    )


def _last(own: Sequence[Score], at: int) -> tuple[dict[str, float | None], float | None]:
    """Shares of the last round's verdicts, and of silent ones among its failures."""
    verdicts = [score.last[:, at] for score in own if score.last is not None]
    if not verdicts:
        return {"failure": None, "healthy": None, "undetermined": None}, None
    shares: dict[str, float | None] = {
        name: float(_each(values == sign for values in verdicts).mean())
        for name, sign in (("failure", 1), ("healthy", -1), ("undetermined", 0))
    }
    failed = np.concatenate([values == 1 for values in verdicts])
    seen = [score.visibility[:, at] for score in own if score.visibility is not None]
    if not seen or not failed.any():
        return shares, None
    return shares, float((np.concatenate(seen)[failed] == 1).mean())


def _each(values: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of each federation's draws."""
    return np.array([each.mean() for each in values], dtype=np.float64)


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [round(each, 6) for each in value] if isinstance(value, tuple) else value
