"""The part of the plan's error that each statistic has, over all windows and rounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unsilent.inference.bands import OPEN_SHARE, RESTART_ROUNDS, alpha_weights
from unsilent.inference.boundary import VERDICT_SHARES, horizon_values, suffixes
from unsilent.inference.eprocess import mixture_value, start_share, tuned_precision
from unsilent.inference.performance.pool import Pool, Reach, Sampled
from unsilent.inference.performance.statistic import support_of
from unsilent.performance.cells import Question
from unsilent.plan import MonitoringPlan
from unsilent.release.release import Release

ASSUMED_VARIANCE = 0.1
"""Of what one record adds, that the tuning of open-ended boundaries reckons with. It decides where
they are tightest, never whether they hold."""


def level_of(plan: MonitoringPlan, question: Question) -> float:
    """A question's part of ``alpha``: the groups of a statistic share its part."""
    weights = alpha_weights(plan)
    part = plan.monitor.alpha * question.asked.alpha_weight / sum(weights)
    return part * question.share * (OPEN_SHARE if plan.monitor.control == "open-ended" else 1.0)


def reaches_of(
    plan: MonitoringPlan,
    totals: Sequence[Release],
    pools: Sequence[Pool],
    question: Question,
    sampled: Sampled,
) -> list[Reach]:
    """Critical values of both ends of each window, all rounds first and then the suffixes."""
    level = level_of(plan, question)
    rounds = [total.round for total in totals]
    looks = len(rounds)
    lengths = [looks, *suffixes(looks)]
    if plan.monitor.control == "horizon":
        values = horizon_values(
            rounds,
            [total.noise_variance for total in totals],
            plan.monitoring_rounds,
            level,
            VERDICT_SHARES,
        )
        return [Reach(values[length], values[length]) for length in lengths]
    found: list[Reach] = []
    planned = len(plan.monitoring_rounds)
    for length, pool in zip(lengths, pools, strict=True):
        start = looks - length + 1
        error = level * start_share(start, planned)
        expected = planned if start == 1 else min(RESTART_ROUNDS, planned)
        rho = tuned_precision(_planned_information(plan, pool, expected, sampled), error)
        now = _information(support_of(question, pool), pool.sd / pool.rounds, pool.rounds, sampled)
        value = float(mixture_value(now, rho, error))
        found.append(Reach(value, value))
    return found


def _planned_information(plan: MonitoringPlan, pool: Pool, rounds: int, sampled: Sampled) -> float:
    """Information that is expected after some rounds of half of all records."""
    support = plan.taking_part * pool.largest / 2
    noise = pool.sd / np.sqrt(pool.rounds) / np.sqrt(rounds)
    return _information(support, float(noise), rounds, sampled)


def _information(support: float, noise: float, rounds: int, sampled: Sampled) -> float:
    """``1 / (V / n + s^2 / n^2)`` of n records a round with noise s in their mean count.

    Where the statistic has no error it is any number: a boundary is then not reached at all.
    """
    count = max(support, 1.0)
    records = count * (rounds if sampled == "anew" else 1)
    variance = 0.0 if sampled == "none" else ASSUMED_VARIANCE / records
    return 1 / max(variance + (noise / count) ** 2, 1e-12)
