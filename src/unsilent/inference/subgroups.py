"""Subgroups: in which domains of its probes a mode fails.

Of the error of a mode with subgroups its own intervals keep half (``bands.errors_of``); the other
half is the subgroups', and of that one half each for

- the gate and the drill-down. Each subgroup has an e-process against an effect within the
  tolerance, a mixture over all starts of a window (``eprocess``). The gate is their arithmetic
  mean, an e-process under any dependence (Vovk and Wang 2021, section 3), and fires at 1 / level.
  Which subgroups fail, e-BH says (Wang and Ramdas 2022): with e-values in falling order, the first
  k for the largest k with ``e_k >= G / (k level)``. Its false discovery rate is at most the level
  under any dependence and at any round; where it finds one, the gate fires, since then
  ``mean e >= k e_k / G``;
- simultaneous intervals, each subgroup with an equal part.

A subgroup's verdict is FAILURE if e-BH finds it or an interval lies above the tolerance, HEALTHY
if its intervals lie below it. A mode's own verdict follows its own intervals only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp, ndtri, stdtr

from unsilent.findings import Subgroup
from unsilent.inference.bands import (
    Error,
    bands_with,
    decide,
    errors_of,
    tuning_of,
)
from unsilent.inference.eprocess import log_evalue, start_shares, tuned_precision
from unsilent.inference.sampling import Numbers, step
from unsilent.inference.series import Series, series_of
from unsilent.inference.sums import Sums
from unsilent.plan import MonitoringPlan
from unsilent.plan.modes import SMALLEST_SUBGROUP
from unsilent.release.coordinate import subgroup_name
from unsilent.release.layout import Layout
from unsilent.release.release import Release
from unsilent.taxonomy import by_code

GATE_SHARE = 0.5
"""Share of the subgroups' error for the gate and the drill-down; intervals have the rest."""


@dataclass(frozen=True)
class SubgroupGate:
    """Whether any subgroup of a mode fails, as far as this round shows.

    Attributes:
        log_evidence: Logarithm of the mean e-value, at this round.
        level: Probability that the gate ever fires while no subgroup is beyond the tolerance.
        subgroups: Each subgroup, in the plan's order.
    """

    log_evidence: float
    level: float
    subgroups: tuple[Subgroup, ...]

    @property
    def fires(self) -> bool:
        """Whether the mean e-value has reached 1 / level."""
        return self.log_evidence >= -np.log(self.level)

    @property
    def reason(self) -> str | None:
        """One sentence for people if a subgroup fails or the gate fires, else None."""
        failing = [group.group for group in self.subgroups if group.verdict == "failure"]
        if failing:
            return f"beyond the tolerance within {', '.join(failing)}"
        if self.fires:
            return "beyond the tolerance within some subgroup, it is not known which"
        return None


def gate_of(
    plan: MonitoringPlan, layout: Layout, totals: Sequence[Release] | Sums, code: str
) -> SubgroupGate | None:
    """The gate over a mode's subgroups, and each of these.

    Args:
        plan: The plan that the clients released under.
        layout: ``Layout.from_plan(plan)``.
        totals: The sums of the judged rounds, rounds rising.
        code: A planned mode.

    Returns:
        None if the plan lists no subgroup for the mode.

    Raises:
        FindingsError: As ``series_of``; PlanError if the mode is not planned.
    """
    mode, names = plan.mode(by_code(code).mode), plan.subgroups(code)
    if mode is None or not names:
        return None
    lower, upper = errors_of(plan, code)
    # Both ends have the same error: only one of them can be wrong.
    level = GATE_SHARE * lower.level
    part = (1 - GATE_SHARE) / len(names)
    below, above = (Error(part * error.level, error.shares) for error in (lower, upper))
    sums = Sums.of(layout, totals)
    whole = series_of(plan, layout, sums, code)
    every = [_series(whole, layout, sums, name) for name in names]
    evidence = np.array([_log_evidence(plan, each, mode.tolerance, level) for each in every])
    found = e_bh(evidence, level)
    subgroups: list[Subgroup] = []
    for name, series, discovered in zip(names, every, found, strict=True):
        shown = bands_with(plan, series, below, above)
        verdict, place = decide(shown, mode.tolerance)
        band = shown[int(place)]
        failed = bool(discovered) or int(verdict) == 1
        subgroups.append(
            Subgroup(
                group=name,
                effect=float(band.pooled.effect),
                interval=(float(band.lower), float(band.upper)),
                verdict="failure" if failed else "healthy" if int(verdict) < 0 else "undetermined",
            )
        )
    return SubgroupGate(
        float(logsumexp(evidence)) - float(np.log(len(names))), level, tuple(subgroups)
    )


def e_bh(log_evidence: ArrayLike, level: float) -> tuple[bool, ...]:
    """Which of G hypotheses e-BH rejects (Wang and Ramdas 2022, definition of the base procedure).

    Args:
        log_evidence: (G,) logarithms of e-values, of any dependence.
        level: Bound on the false discovery rate.
    """
    logs = np.asarray(log_evidence, dtype=np.float64)
    falling = np.sort(logs)[::-1]
    needed = np.log(len(logs)) - np.log(np.arange(1, len(logs) + 1) * level)
    enough = np.flatnonzero(falling >= needed)
    if not len(enough):
        return (False,) * len(logs)
    return tuple((logs >= falling[enough[-1]]).tolist())


def _series(whole: Series, layout: Layout, sums: Sums, domain: str) -> Series:
    """The series of one subgroup, under the code of its mode, whose own is ``whole``.

    Squares of subgroups are not released. They are at most 1, and this bound leaves of the
    sampling variance what the mean alone says of it. Nor are their spreads: a mode's number is the
    mean over all its items, of which a domain has at least the share ``SMALLEST_SUBGROUP``, so that
    the spread within it is at most that much larger.
    """
    name = subgroup_name(whole.code, domain)
    larger = SMALLEST_SUBGROUP ** (-2 if whole.sampling.squared else -1)
    sampling = replace(
        whole.sampling,
        step=step(layout, name),
        square_step=0.0,
        spread_limit=whole.sampling.spread_limit * larger,
        spread_step=whole.sampling.spread_step * larger,
        probes=tuple(
            (weight, max(round(n * SMALLEST_SUBGROUP), 2), max(round(held * SMALLEST_SUBGROUP), 2))
            for weight, n, held in whole.sampling.probes
        ),
    )
    return replace(
        whole,
        effects=sums.mean(layout, name),
        spreads=whole.spreads * larger,
        squares=np.ones_like(whole.effects),
        sampling=sampling,
    )


def _log_evidence(plan: MonitoringPlan, series: Series, tolerance: float, level: float) -> float:
    """Log of the e-process against an effect within the tolerance, at the last round.

    Each start of a window bets its share; the share of those to come is still in hand. Where a
    variance was estimated, a deviation counts as the normal one of the same tail probability.
    """
    tuning, low = tuning_of(plan, series), series.since_each()
    sd = np.maximum(low.sd, 1e-150)
    deviation = (low.centre - low.slack - tolerance) / sd
    looks = np.arange(1, len(sd) + 1)
    expected = np.where(looks == 1, tuning.whole, tuning.restart)
    shares = start_shares(looks, tuning.planned)
    in_hand = 1.0 - float(shares.sum())
    z = _as_normal(deviation, low.degrees_of_freedom)
    bets = np.log(shares) + log_evalue(z, sd**-2.0, tuned_precision(expected, level))
    return float(np.logaddexp(logsumexp(bets), np.log(max(in_hand, 1e-300))))


def _as_normal(deviation: Numbers, degrees: Numbers) -> Numbers:
    """The normal quantile at the tail probability of a Student's t; itself for infinite degrees."""
    counted = np.isfinite(degrees) & (deviation > 0)
    if not counted.any():
        return deviation
    tail = stdtr(np.where(counted, degrees, 1.0), -np.where(counted, deviation, 0.0))
    return np.where(counted, -ndtri(np.maximum(tail, 1e-300)), deviation)
