"""Tests of the noise as a whole: covariances, directions, sizes, the lattice, and its shape.

Each takes draws whose rows are independent vectors, every number of them N_Z(0, v) with v in a
range, and gives a p-value that already counts how many places it looked at. All of them hold in
finite samples: a discrete Gaussian of the standard deviations in use is normal to within 1e-30,
and what is left of that (the lattice) is tested as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Of arrays; what their stubs say of scalars does not hold here.
_binomial: Any = stats.binom
_chi2: Any = stats.chi2
_normal: Any = stats.norm
_student: Any = stats.t

_SHAPE_DRAWS = 200_000
_LARGEST_STEP = 64
# Residues of N_Z(0, s^2) by m are even to within 2 exp(-2 pi^2 s^2 / m^2): here 1e-21.
_EVEN = 0.6
_EXACT_SCALE = 4096.0


@dataclass(frozen=True)
class VarianceRange:
    """The variances that are right for one number of the noise.

    Attributes:
        lowest, highest: In integer units squared, above 0.
    """

    lowest: float
    highest: float

    def times(self, factor: float) -> VarianceRange:
        """The range of a sum of so many."""
        return VarianceRange(self.lowest * factor, self.highest * factor)


def variance_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the variance of all numbers together: chi-squared with one degree of freedom each."""
    squares = float(np.sum(draws.astype(np.float64) ** 2))
    low = float(_chi2.cdf(squares / spread.lowest, draws.size))
    return _worst(2, low, float(_chi2.sf(squares / spread.highest, draws.size)))


def coordinates_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the variance and mean of each column: chi-squared and normal."""
    rows, columns = draws.shape
    values = draws.astype(np.float64)
    squares = np.sum(values**2, axis=0)
    low = _chi2.cdf(squares / spread.lowest, rows)
    high = _chi2.sf(squares / spread.highest, rows)
    means = 2 * _normal.sf(np.abs(values.sum(axis=0)) / math.sqrt(rows * spread.highest))
    return _worst(3 * columns, low, high, means)


def directions_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the variance along the directions of least and of greatest variance.

    They are the ends of the covariance's spectrum in the first half of the rows; in the second
    half, which knows nothing of the choice, a projection is chi-squared. A linear dependence of
    any number of columns, whatever its signs and weights, is a direction without variance.
    """
    half = len(draws) // 2
    first, second = draws[:half].astype(np.float64), draws[half:].astype(np.float64)
    _, vectors = np.linalg.eigh(first.T @ first)
    along = np.sum((second @ vectors[:, [0, -1]]) ** 2, axis=0)
    rows = len(second)
    low = _chi2.cdf(along[0] / spread.lowest, rows)
    high = _chi2.sf(along[1] / spread.highest, rows)
    return _worst(2, low, high)


def pairs_p(draws: NDArray[np.int64]) -> float:
    """Of the correlation of every two columns: Student's t, the means known to be 0."""
    values = draws.astype(np.float64)
    gram = values.T @ values
    sizes = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    above = np.triu_indices(len(gram), 1)
    found = np.clip(np.abs(gram / np.outer(sizes, sizes))[above], 0.0, 1 - 1e-15)
    free = len(draws) - 1
    return _worst(len(found), 2 * _student.sf(found * np.sqrt(free / (1 - found**2)), free))


def magnitudes_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of how often two columns are large together, whatever their signs: binomial.

    Noise that is copied with a sign of its own has no covariance; this sees it.
    """
    rows, columns = draws.shape
    limit = math.floor(0.6745 * math.sqrt(spread.lowest))
    large = np.where(np.abs(draws) > limit, 1.0, -1.0)
    agreed = np.rint((rows + large.T @ large) / 2)[np.triu_indices(columns, 1)]
    worst = 0.0
    for variance in (spread.lowest, spread.highest):
        share = 2 * float(_below(-limit - 1, variance))
        even = share**2 + (1 - share) ** 2
        low, high = _binomial.cdf(agreed, rows, even), _binomial.sf(agreed - 1, rows, even)
        worst = max(worst, _worst(2 * len(agreed), low, high))
    return worst


def lengths_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the rows' squared lengths: chi-squared (Massart's bound). Sees noise of mixed sizes."""
    squares = np.sum(draws.astype(np.float64) ** 2, axis=1)
    columns = draws.shape[1]
    return _distance_p(
        squares,
        lambda x: _chi2.cdf(x / spread.lowest, columns),
        lambda x: _chi2.cdf(x / spread.highest, columns),
        0.0,
    )


def shape_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the distribution of single numbers: the discrete Gaussian's (Massart's bound)."""
    values = draws.reshape(-1)[:_SHAPE_DRAWS].astype(np.float64)
    return _distance_p(
        values,
        lambda x: _below(x, spread.lowest),
        lambda x: _below(x, spread.highest),
        1.0,
    )


def lattice_p(draws: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of the residues by every small number: each is as frequent as any other (binomial).

    Noise on a coarser lattice than the integers lets a value's low digits through.
    """
    values = draws.reshape(-1)
    largest = min(_LARGEST_STEP, math.floor(_EVEN * math.sqrt(spread.lowest)))
    worst, places = 1.0, 0
    for step in range(2, largest + 1):
        counts = np.bincount(np.mod(values, step), minlength=step)
        low = _binomial.cdf(int(counts.min()), values.size, 1 / step)
        high = _binomial.sf(int(counts.max()) - 1, values.size, 1 / step)
        places += 2 * step
        worst = min(worst, float(low), float(high))
    return min(1.0, places * worst)


def values_p(draws: NDArray[np.int64], clean: NDArray[np.int64], spread: VarianceRange) -> float:
    """Of whether noise goes with the value that it is added to, by sign or by size.

    Args:
        draws: (n, k) noise.
        clean: (n, k) what it was added to, chosen without looking at it.
        spread: As everywhere.
    """
    noise, values = draws.astype(np.float64), clean.astype(np.float64)
    weights = np.sqrt(np.maximum(np.sum(values**2, axis=0) * spread.highest, 1e-300))
    signed = 2 * _normal.sf(np.abs(np.sum(noise * values, axis=0)) / weights)
    sizes = np.abs(values)
    large = sizes > np.median(sizes, axis=0)
    parts: list[NDArray[np.float64]] = [signed]
    for group in (large, ~large):
        rows = np.sum(group, axis=0)
        squares = np.sum(noise**2 * group, axis=0)
        used = rows > 0
        parts.append(_chi2.cdf(squares[used] / spread.lowest, rows[used]))
        parts.append(_chi2.sf(squares[used] / spread.highest, rows[used]))
    return _worst(5 * draws.shape[1], *parts)


def _worst(places: int, *found: NDArray[np.float64] | float) -> float:
    """The smallest p-value, times how many were looked at; two of a two-sided test are two."""
    smallest = min((float(np.min(each)) for each in found if np.size(each)), default=1.0)
    return min(1.0, places * smallest)


def _distance_p(
    values: NDArray[np.float64],
    one: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    other: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    step: float,
) -> float:
    """p-value of the largest distance of the empirical distribution from the band of two others.

    ``2 exp(-2 n d^2)`` bounds it for any distribution (Massart 1990).
    """
    places, counts = np.unique(values, return_counts=True)
    upto = np.cumsum(counts) / values.size
    before = upto - counts / values.size
    at = np.stack([one(places), other(places)])
    under = np.stack([one(places - step), other(places - step)]) if step else at
    distance = max(
        float(np.max(upto - at.max(axis=0))),
        float(np.max(at.min(axis=0) - upto)),
        float(np.max(before - under.max(axis=0))),
        float(np.max(under.min(axis=0) - before)),
        0.0,
    )
    return min(1.0, 2 * math.exp(-2 * values.size * distance**2))


def _below(x: NDArray[np.float64] | float, variance: float) -> NDArray[np.float64]:
    """P(N_Z(0, variance) <= x) for whole x."""
    scale = math.sqrt(variance)
    if scale > _EXACT_SCALE:
        # The sum over whole numbers and the integral to the next half differ by 1 / (24 scale^2).
        return _normal.cdf((np.asarray(x) + 0.5) / scale)
    far = math.ceil(12 * scale)
    numbers = np.arange(-far, far + 1)
    chances = np.cumsum(np.exp(-(numbers.astype(np.float64) ** 2) / (2 * variance)))
    index = np.clip(np.asarray(x).astype(np.int64) + far, -1, 2 * far)
    return np.concatenate([chances, [0.0]])[index] / chances[-1]
