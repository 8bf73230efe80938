"""What is true of a federation: the modes' effects by full access, in items that nobody releases.

Every effect is the mean over the clients of the quantity that the mode's statistic estimates. Its
standard error is over the choice of items, which all clients share (for SF-3 over each client's),
as many of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from unsilent.modes.sf3_fairness_collapse import LEFT_BEHIND
from unsilent_bench.fleet.statistics import Numbers, hits

Effect = tuple[float, float]
"""An effect and its standard error."""


@dataclass(frozen=True)
class OwnItems:
    """Items of each client's own distribution, padded to equally many.

    Attributes:
        rows: (clients, n) rows of the bank. right: (clients, n) right columns.
        share: (clients, n) weights adding to 1; 0 for padding.
    """

    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    share: Numbers


def growth(before: ArrayLike, after: ArrayLike, share: Numbers) -> Effect:
    """SF-1 of (clients, pairs, 2) probabilities of the stereotyped choice."""
    leads = (np.asarray(after, np.float64) - np.asarray(before, np.float64)).sum(axis=2)
    return weighted(leads.mean(axis=0), share)


def calibration(before: Numbers, after: Numbers, share: Numbers, kind: NDArray[np.int64]) -> Effect:
    """SF-2 of (clients, n) signed gaps: growth of each client's absolute gap."""
    values = [_absolute(gaps, share) for gaps in (before, after)]
    signs = [np.where(gaps @ share >= 0, 1.0, -1.0)[:, None] for gaps in (before, after)]
    turned = (signs[1] * after - signs[0] * before).mean(axis=0)
    return float((values[1] - values[0]).mean()), _error(share * turned, kind)


def left_behind(before: ArrayLike, after: ArrayLike, own: OwnItems) -> Effect:
    """SF-3: share of the clients whose accuracy on their own distribution falls by too much."""
    lost = hits(before, own.right) - hits(after, own.right)
    loss = (lost * own.share).sum(axis=1)
    error = np.sqrt(((own.share * (lost - loss[:, None])) ** 2).sum(axis=1))
    entered = ndtr((loss - LEFT_BEHIND) / np.maximum(error, 1e-9))
    value = float((loss > LEFT_BEHIND).mean())
    return value, float(np.sqrt((entered * (1 - entered)).sum()) / len(loss))


def drop(before: ArrayLike, after: ArrayLike, share: Numbers) -> Effect:
    """SF-6, and each half of SF-4, of (clients, n) probabilities."""
    change = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    return weighted(change.mean(axis=0), share)


def mean_of(first: Effect, second: Effect) -> Effect:
    """SF-4: the mean of two drops on different items."""
    return (first[0] + second[0]) / 2, float(np.hypot(first[1], second[1])) / 2


def away_drop(
    before: ArrayLike,
    after: ArrayLike,
    right: NDArray[np.int64],
    domain: NDArray[np.int64],
    homes: NDArray[np.int64],
    share: Numbers,
    kind: NDArray[np.int64],
) -> Effect:
    """SF-5 of (clients, n, classes) probabilities of task items."""
    change = hits(before, right) - hits(after, right)
    weight = np.where(domain[None] != homes[:, None], share[None], 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    values = (weight * change).sum(axis=1)
    return float(values.mean()), _error((weight * change).mean(axis=0), kind)


def weighted(values: Numbers, share: Numbers) -> Effect:
    """Weighted mean of (n,) values and its standard error; weights add to 1."""
    mean = float(values @ share)
    return mean, float(np.sqrt((share**2 * (values - mean) ** 2).sum()))


def _error(parts: Numbers, kind: NDArray[np.int64]) -> float:
    """Standard error of the sum of (n,) weighted values, weights even within each kind."""
    total = 0.0
    for each in np.unique(kind):
        own = parts[kind == each]
        total += len(own) * float(own.var(ddof=1))
    return float(np.sqrt(total))


def _absolute(gaps: Numbers, share: Numbers) -> Numbers:
    mean = gaps @ share
    noise = ((gaps - mean[:, None]) ** 2) @ (share**2)
    return np.sqrt(np.maximum(0.0, mean**2 - noise))
