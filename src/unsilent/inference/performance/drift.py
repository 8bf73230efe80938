"""Drift: whether the records themselves have changed since the first rounds.

A model that is as good as ever on each kind of patients is worse on average where other patients
come. What is counted of the records says so: the shares of classes, groups and domains, and of
words by a hash. Compared are the records of the last rounds with those of as many first ones, by
half the sum of the absolute differences of the shares. It is beside the verdicts and decides none
of them; its error is the plan's ``alpha`` once more, shared over what is watched and spent as the
modes' is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from unsilent.findings.performance import Drift
from unsilent.inference.bands import OPEN_SHARE
from unsilent.inference.eprocess import start_share
from unsilent.inference.performance.pool import Pool, pools_of
from unsilent.performance.cells import drift_families, drift_source
from unsilent.performance.family import LENGTH, Family
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.release.release import Release

_ROUNDS = 4
"""Rounds that are compared on either side, at most."""


def drift_of(plan: MonitoringPlan, layout: Layout, totals: Sequence[Release]) -> tuple[Drift, ...]:
    """What of the records has changed, up to the last round; nothing after the first one."""
    performance = plan.performance
    used = [total for total in totals if total.clients >= plan.monitor.min_cohort]
    if performance is None or not performance.drift or len(used) < 2:
        return ()
    length = min(_ROUNDS, len(used) // 2)
    rounds = [total.round for total in used]
    spans = (rounds[0], rounds[length - 1]), (rounds[-length], rounds[-1])
    before, now = pools_of(plan, layout, used, spans)
    families = drift_families(performance)
    # Each look has its own part, so that whichever is read it holds.
    looks, planned = len(used), len(plan.monitoring_rounds)
    part = 1 / planned
    if plan.monitor.control == "open-ended":
        part = OPEN_SHARE * start_share(looks, planned)
    level = plan.monitor.alpha * part / len(families)
    held_out = drift_source(performance) == "held-out"
    again = plan.monitor.items == "like-these" or not held_out
    return tuple(
        _drift(what, family, before, now, level, spans, sampled=again, returning=held_out)
        for what, family in families.items()
    )


def _drift(
    what: str,
    family: Family,
    before: Pool,
    now: Pool,
    level: float,
    spans: tuple[tuple[int, int], tuple[int, int]],
    *,
    sampled: bool,
    returning: bool,
) -> Drift:
    parts = [part for part in family.parts if part != LENGTH]
    shares: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    variance, hidden = 0.0, 0.0
    for pool in (before, now):
        counts = np.array([pool.of(family, part) for part in parts])
        whole = max(float(counts.sum()), 1.0)
        shares.append(counts / whole)
        # Of each share its whole's noise included; of n drawn records all shares vary by 1 / n.
        noise = pool.sd**2 * (1 + len(parts) * float((shares[-1] ** 2).sum())) / whole**2
        records = whole / (pool.rounds if returning else 1)
        variance += len(parts) * noise + (1 / records if sampled else 0.0)
        if family.fractions:
            hidden += len(parts) * pool.rounding / whole
    distance = float(np.abs(shares[1] - shares[0]).sum()) / 2
    # The concentration of ``calibration``: of a sum of absolute values of K noisy numbers.
    root = math.sqrt(variance)
    beyond = math.sqrt(-2 * math.log(level / 2)) * root
    bias = math.sqrt(2 * len(parts) / math.pi) * root
    lower = max(0.0, distance - (beyond + bias) / 2 - hidden)
    upper = min(1.0, distance + beyond / 2 + hidden)
    return Drift(
        what=what,
        records="held-out" if returning else "live",
        first=spans[0],
        last=spans[1],
        distance=min(distance, 1.0),
        interval=(min(lower, distance, 1.0), max(upper, min(distance, 1.0))),
        shifted=lower > 0,
        shares={part: float(share) for part, share in zip(parts, shares[1], strict=True)},
    )
