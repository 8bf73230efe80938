"""What is in use elsewhere, on the same sums: one-round tests, CUSUMs, DP-CUSUM, 95% intervals.

Each baseline gets what it assumes: the exact privacy noise, a plug-in variance over clients, and a
threshold that would keep its own false alarms at alpha over all rounds and modes if rounds were
independent, as all of them take for granted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import SQUARE
from unsilent.taxonomy import by_code
from unsilent_bench.verdicts.people import Array
from unsilent_bench.verdicts.world import Simulation

Flags = NDArray[np.bool_]

ALLOWANCE = 0.5
"""Page's reference value k: half of a shift of one standard deviation."""
LEVEL = 0.05

_RUNS = 20_000
_CALIBRATION = 2509


@dataclass(frozen=True)
class Judged:
    """What a method said, round by round, in each repetition.

    Attributes:
        failure: (repetitions, rounds, modes) FAILURE, or an alarm in this round.
        healthy: The same for HEALTHY; None if the method never says so.
        missed: Whether an interval of this round does not hold the truth; None without intervals.
        false_failure, false_health: Whether a verdict of this round is wrong of the window that it
            is about; None where every verdict is about its round alone.
    """

    failure: Flags
    healthy: Flags | None = None
    missed: Flags | None = None
    false_failure: Flags | None = None
    false_health: Flags | None = None
    score: Array | None = None


@dataclass(frozen=True)
class Readings:
    """One-round estimates, as any analyst of the sums would make them.

    Attributes:
        effect: (repetitions, rounds, modes) decoded means; NaN where the sum is not usable.
        sd: Of the same shape: plug-in standard deviation of one round's mean.
        tolerance: (modes,).
    """

    effect: Array
    sd: Array
    tolerance: Array


def readings(simulation: Simulation) -> Readings:
    """Decoded means with plug-in errors: privacy noise, and clients' spread for "like-these"."""
    plan, layout = simulation.plan, simulation.layout
    count = np.maximum(simulation.clients, 1).astype(np.float64)
    noise = np.sqrt(simulation.noise_variance)
    effects: list[Array] = []
    sds: list[Array] = []
    for code in plan.planned:
        step = layout.noise_sd(code, 1.0, 1)
        effect = simulation.totals[..., layout.index(code)] / count * step
        privacy = noise / count * step
        variance = np.zeros_like(effect)
        if plan.monitor.population == "like-these":
            clip = layout.coordinates[layout.index(code)].clip
            square = simulation.totals[..., layout.index(code + SQUARE)] / count
            square = square * layout.noise_sd(code + SQUARE, 1.0, 1) * clip**2
            variance = np.maximum(square - effect**2 + privacy**2, 0.0)
            variance *= count / np.maximum(count - 1, 1)
        effects.append(np.where(simulation.usable, effect, np.nan))
        sds.append(np.sqrt(privacy**2 + variance / count))
    return Readings(np.stack(effects, -1), np.stack(sds, -1), tolerances(plan))


def per_round(seen: Readings) -> Judged:
    """A one-sided test at 5% in every round and mode, as if it were the only one."""
    z = NormalDist().inv_cdf(1 - LEVEL)
    return Judged(seen.effect - z * seen.sd > seen.tolerance)


def fixed_intervals(seen: Readings, truth: Array) -> Judged:
    """The usual 95% interval in every round; FAILURE above the tolerance, HEALTHY below."""
    half = NormalDist().inv_cdf(1 - LEVEL / 2) * seen.sd
    lower, upper = seen.effect - half, seen.effect + half
    return Judged(lower > seen.tolerance, upper < seen.tolerance, (truth < lower) | (truth > upper))


def cusum_levels(seen: Readings, alpha: float) -> Judged:
    """Page's CUSUM of the standardized distance of each level from the tolerance."""
    scores = (seen.effect - seen.tolerance) / np.maximum(seen.sd, 1e-12)
    return Judged(page(scores - ALLOWANCE) > threshold(*seen.effect.shape[1:], alpha))


def cusum_increments(seen: Readings, alpha: float) -> Judged:
    """Page's CUSUM of the standardized change from round to round."""
    change = np.diff(seen.effect, axis=1)
    scores = np.full_like(seen.effect, np.nan)
    scores[:, 1:] = change / np.maximum(np.hypot(seen.sd[:, 1:], seen.sd[:, :-1]), 1e-12)
    return Judged(page(scores - ALLOWANCE) > threshold(*seen.effect.shape[1:], alpha))


def dp_cusum(
    simulation: Simulation,
    epsilon: float | None,
    shift: Array,
    spread: Array,
    alpha: float,
    generator: np.random.Generator,
) -> Judged:
    """DP-CUSUM (Xie and Zhang 2025, arXiv:2509.02768): noise on the statistic and the threshold.

    A trusted curator sees the clean means x and runs Page's recursion on the log-likelihood ratio
    of a known shift, ``S_t = max(0, S_(t-1) + (d / s^2) (x_t - tolerance - d / 2))``; an alarm is
    ``S_t + Lap(4 D / e) > b + Lap(2 D / e)``, with the scales of AboveThreshold (Dwork and Roth
    2014, Algorithm 1), threshold noise drawn once. The paper protects one sample; here, as in the
    releases that it is compared with, it protects one client in all rounds and modes:
    D = rounds * (d / s^2) * clip / N and e = epsilon / modes. The threshold b, found by
    simulation with that noise, keeps alpha over rounds and modes for independent samples.

    Args:
        simulation: What happened; its ``clean`` means are used.
        epsilon: Budget for all rounds and modes; None for no noise.
        shift: (modes,) the shift d that it is tuned to.
        spread: (modes,) the sd s of one round's mean that it assumes.
        alpha: False alarms over all rounds and modes.
        generator: Source of the Laplace noise.
    """
    plan, layout = simulation.plan, simulation.layout
    _, rounds, modes = simulation.clean.shape
    clip = np.array([layout.coordinates[layout.index(code)].clip for code in plan.planned])
    # In units of s, so that the recursion is Page's with a reference value of half the shift.
    size = shift / spread
    scale = np.zeros(modes)
    if epsilon is not None:
        scale = rounds * size * (clip / spread) / plan.federation.clients / (epsilon / modes)
    limit = _dp_limit(rounds, tuple(size.tolist()), tuple(scale.tolist()), alpha)
    scores = size * ((simulation.clean - tolerances(plan)) / spread - size / 2)
    scores = np.where(simulation.usable[:, None], scores, np.nan)
    found = _noisy_page(scores, scale, generator)
    return Judged(found > limit, score=found - limit)


@lru_cache(maxsize=256)
def _dp_limit(
    rounds: int, size: tuple[float, ...], scale: tuple[float, ...], alpha: float
) -> Array:
    """(modes,) threshold that independent normal samples pass in alpha of runs, all modes."""
    generator = np.random.default_rng(_CALIBRATION)
    shift, modes = np.array(size), len(size)
    scores = shift * (generator.standard_normal((_RUNS // 4, rounds, modes)) - shift / 2)
    worst = _noisy_page(scores, np.array(scale), generator).max(axis=1)
    return np.quantile(worst, 1 - alpha / modes, axis=0)


def _noisy_page(scores: Array, scale: Array, generator: np.random.Generator) -> Array:
    """CUSUM with Laplace noise on the statistic, minus that on the threshold (once a run)."""
    repetitions, _, modes = scores.shape
    threshold_noise = generator.laplace(size=(repetitions, 1, modes)) * 2 * scale
    return page(scores) + generator.laplace(size=scores.shape) * 4 * scale - threshold_noise


def page(scores: Array) -> Array:
    """Page 1954: ``S_t = max(0, S_(t-1) + score_t)`` along axis 1; NaN leaves S as it was."""
    steps = np.where(np.isnan(scores), 0.0, scores)
    found = np.empty_like(steps)
    state = np.zeros_like(steps[:, 0])
    for moment in range(steps.shape[1]):
        state = np.maximum(0.0, state + steps[:, moment])
        found[:, moment] = state
    return found


@cache
def threshold(rounds: int, modes: int, alpha: float) -> float:
    """Where Page's CUSUM of independent normal scores alarms in alpha of runs, all modes counted.

    By simulation of the largest value in each run; alpha is split evenly over the modes.
    """
    generator = np.random.default_rng(_CALIBRATION)
    largest = page(generator.standard_normal((_RUNS, rounds)) - ALLOWANCE).max(axis=1)
    return float(np.quantile(largest, 1 - alpha / modes))


def tolerances(plan: MonitoringPlan) -> Array:
    """(modes,) the planned modes' tolerances."""
    planned = [plan.mode(by_code(code).mode) for code in plan.planned]
    return np.array([mode.tolerance for mode in planned if mode is not None])
