"""What a validation is summed up in: agreement over adapters, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

DRAWS = 2000
SEED = 5


@dataclass(frozen=True)
class Check:
    """One number with its 95% interval, and whether it meets what was asked.

    Attributes:
        part: ``a`` to ``d``.
        says: What the number is.
        value, low, high: The number and its interval; the interval is NaN where there is none.
        limit: What it has to reach, or may at most be; None where it is told but not asked.
        at_least: Whether ``limit`` is a least or a most value.
    """

    part: str
    says: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    limit: float | None = None
    at_least: bool = True

    @property
    def passed(self) -> bool | None:
        """Whether the number, not its interval, meets the limit; None without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """Ready for JSON; what is undefined is null."""
        return {
            "part": self.part,
            "says": self.says,
            **{
                name: round(number, 4) if np.isfinite(number) else None
                for name, number in (
                    ("value", self.value), ("low", self.low), ("high", self.high)
                )
            },
            "limit": self.limit,
            "at_least": self.at_least,
            "passed": self.passed,
        }  # fmt: skip


Table = NDArray[np.float64]
"""(n_adapters, n_requests) one number for each adapter's answer."""


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's coefficient, ties by mean ranks; NaN if a side does not vary."""
    ranks = [rankdata(np.asarray(side, np.float64)) for side in (first, second)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def over_adapters(
    measured: Table, real: Table, statistic: Callable[[Table, Table], float]
) -> tuple[float, float, float]:
    """A statistic of adapters' means, and its 95% interval.

    Args:
        measured: What the measure says of each request.
        real: What the adapter did, 0 or 1; the same shape.
        statistic: Of the (n_adapters,) means of both.

    Returns:
        The value and the percentile interval of a bootstrap over adapters and requests at once
        (Efron and Tibshirani 1993, chapter 13); samples that leave it undefined are left out.
    """
    random = np.random.default_rng(SEED)
    adapters, requests = measured.shape
    values = []
    for _ in range(DRAWS):
        rows = random.integers(adapters, size=adapters)
        columns = random.integers(requests, size=requests)
        picked = np.ix_(rows, columns)
        values.append(statistic(measured[picked].mean(axis=1), real[picked].mean(axis=1)))
    sane = [value for value in values if np.isfinite(value)]
    low, high = np.quantile(sane, [0.025, 0.975]) if sane else (float("nan"), float("nan"))
    value = statistic(measured.mean(axis=1), real.mean(axis=1))
    return value, float(low), float(high)


def median_error(measured: Table, real: Table) -> float:
    """Median over adapters of the absolute difference."""
    return float(np.median(np.abs(measured - real)))


def largest_error(measured: Table, real: Table) -> float:
    """Largest over adapters of the absolute difference."""
    return float(np.max(np.abs(measured - real)))
