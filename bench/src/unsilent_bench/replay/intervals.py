"""95% intervals of what is measured over federations, each with many draws of noise.

Draws of one federation share its clients, its training and its cause, so the federation counts as
one observation, whatever the number of draws.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta

from unsilent_bench.verdicts.people import Array

Interval = tuple[float, float]

LEVEL = 0.05
_RESAMPLES = 1000
_SEED = 1107


def share(rates: Array) -> tuple[float, Interval]:
    """The mean of federations' rates with an exact binomial interval over federations.

    Clopper and Pearson 1934 with k the sum of the rates, not rounded: for rates of 0 or 1 theirs
    exactly, and wider than need be where rates lie between, as they vary less than 0 and 1 do.

    Args:
        rates: (federations,) each the share of a federation's draws, in [0, 1].
    """
    count, total = len(rates), float(rates.sum())
    lower = float(beta.ppf(LEVEL / 2, total, count - total + 1)) if total > 0 else 0.0
    upper = float(beta.ppf(1 - LEVEL / 2, total + 1, count - total)) if total < count else 1.0
    return total / count, (lower, upper)


def mean(values: Array) -> tuple[float, Interval | None]:
    """The mean over federations with a percentile interval of the bootstrap over federations.

    None in place of an interval for fewer than two of them.
    """
    if len(values) < 2:
        return float(values.mean()), None
    weights = _weights(np.random.default_rng(_SEED), len(values))
    return float(values.mean()), _ends(weights @ values)


def area(dosed: Array, healthy: Array) -> tuple[float, Interval | None]:
    """Area under the ROC: the chance that a failing run scores higher than a healthy one.

    Mann and Whitney 1947, ties counting half; the interval is a percentile one of the bootstrap
    over federations, dosed and healthy ones drawn by themselves.

    Args:
        dosed: (federations, draws) scores, and
        healthy: those of the look-alikes.
    """
    pairs = wins(dosed, healthy)
    if min(pairs.shape) < 2:
        return float(pairs.mean()), None
    generator = np.random.default_rng(_SEED)
    rows, columns = (_weights(generator, size) for size in pairs.shape)
    return float(pairs.mean()), _ends(np.einsum("ri,ij,rj->r", rows, pairs, columns))


def wins(dosed: Array, healthy: Array) -> Array:
    """(dosed, healthy) share of pairs of draws in which the dosed one is larger, ties a half."""
    found = np.empty((len(dosed), len(healthy)))
    for column, scores in enumerate(healthy):
        ordered = np.sort(scores)
        below = np.searchsorted(ordered, dosed, side="left")
        not_above = np.searchsorted(ordered, dosed, side="right")
        found[:, column] = (below + not_above).mean(axis=1) / (2 * len(scores))
    return found


def _weights(generator: np.random.Generator, count: int) -> Array:
    """(resamples, count) how much each observation weighs in each resample."""
    return generator.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES) / count


def _ends(values: Array) -> Interval:
    lower, upper = np.quantile(values, (LEVEL / 2, 1 - LEVEL / 2))
    return float(lower), float(upper)
