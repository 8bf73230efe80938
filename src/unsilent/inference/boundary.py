"""Boundaries for a declared number of rounds: how far an interval reaches at each look.

A look is a judged round. At look m the windows are all rounds so far and the last 1, 2, 4, ... of
them. The error of one side of one mode's intervals is shared out by ``ErrorShares``; the intervals
of all windows at all looks then hold together.

**All rounds so far.** Their error is spent over the looks by a spending function of
O'Brien-Fleming type (Lan and DeMets 1983), and the critical values follow from the joint
distribution of the looks by numerical integration (Armitage, McPherson and Rowe 1969; Jennison and
Turnbull 2000, section 19.2). Spending runs in calendar time, the share of planned rounds that is
over (Lan and DeMets 1989), so that it ends at exactly 1 and a missed round's error goes to the next
look; the correlations are those of the noise really added, so that missed rounds, changing cohorts
and clients who join late are exact.

**Error that stays.** Sampling of clients or records comes back in each round, and the server does
not know how much of it is the same. Boundaries are computed as if all error were noise. With the
same clients, a lasting error of variance a and noise b_m at look m give the correlation
``sqrt((a + b_k) / (a + b_m))`` of looks m < k, which is at least ``sqrt(b_k / b_m)`` for any
``a >= 0``; so by Slepian's inequality (1962) the probability of crossing anywhere is at most that
of the noise alone. The same holds where the noise of a sum grows with its clients and each round
brings new ones: then both parts add up alike. No noise at all is the limit, one and the same error
at all looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from unsilent.inference.sampling import Numbers

_LOWEST = -7.0
"""Paths that fell this many sd below zero add less than 1e-12 to any crossing."""
_HIGHEST = 8.2
_SMALLEST_SPENDING = 1e-15
"""Less is no error worth a boundary, and its critical value, above 8, would bound nothing."""
_PANEL = 2.0
_REACH = 9.0
"""Sd beyond which a step of the process adds less than 1e-17."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_STRIDE = 64
_SMALLEST_STEP = 1e-4
"""Looks that add a smaller share of the information are not told apart from the look before."""


@dataclass(frozen=True)
class ErrorShares:
    """How one side's error is shared out over the windows of a look.

    Attributes:
        cumulative: Share of the window of all rounds so far.
        recent: Share of the recent guard, the longest of the last 1, 2, 4, ... rounds.
        rest: Share of all windows alike, at each look.
    """

    cumulative: float
    recent: float
    rest: float


VERDICT_SHARES = ErrorShares(0.3, 0.35, 0.05)
"""Of a mode's error, for either end of its intervals.

A window that is beyond the tolerance can only be called healthy falsely, one within it only failed
falsely. Of the recent guard, and of the shorter windows, each look has an error of its own, so that
both ends may have it: at each look only one of them can err. The windows of all rounds so far share
one error over the looks, and their truth may be within the tolerance at one look and beyond it at
the next: there the ends have half each. So ``2 * 0.3 + 0.35 + 0.05 = 1``. With a single look both
have all of it. The recent guard's part finds what grows late, and lets health be shown in small
federations."""


def suffixes(look: int) -> tuple[int, ...]:
    """Lengths of the windows at a look besides all rounds: powers of two below it, falling."""
    return tuple(2**power for power in range((look - 1).bit_length() - 1, -1, -1))


@lru_cache(maxsize=1024)
def windows_until(looks: int) -> int:
    """How many windows all looks up to this one have together."""
    return sum(1 + len(suffixes(look)) for look in range(1, looks + 1))


def obrien_fleming(time: float, level: float) -> float:
    """Error spent until ``time``: ``2 - 2 Phi(z / sqrt(time))`` with ``z = z_(1 - level/2)``.

    Lan and DeMets 1983, alpha_1*. ``time`` from 0 to 1.
    """
    if time <= 0:
        return 0.0
    return float(2 * ndtr(ndtri(level / 2) / math.sqrt(min(time, 1.0))))


def spending_boundary(information: Sequence[float], spent: Sequence[float]) -> tuple[float, ...]:
    """One-sided critical values of a Gaussian process with independent increments.

    Armitage, McPherson and Rowe 1969: with W the process at information v, c_k solves
    ``P(W_1 < c_1 sqrt(v_1), ..., W_(k-1) < c_(k-1) sqrt(v_(k-1)), W_k >= c_k sqrt(v_k)) = a_k``.

    Args:
        information: (m,) v, in any unit, rising.
        spent: (m,) a, the error of each look.

    Returns:
        (m,) c. Infinite where less than 1e-15 is spent, or where a look adds less than 1e-4 of
        the information there is; its increment then counts at the next look.
    """
    known, error, looks = tuple(information), tuple(spent), len(information)
    # Prefixes are cached, so that the next look costs one step; asked for in strides, no recursion
    # gets deep.
    for look in range(_STRIDE, looks, _STRIDE):
        _looks(known[:look], error[:look])
    return _looks(known, error)[0]


@lru_cache(maxsize=2048)
def _looks(
    information: tuple[float, ...], spent: tuple[float, ...]
) -> tuple[tuple[float, ...], _Density]:
    """Critical values so far, and the density of paths that crossed nothing."""
    if not information:
        return (), _Density(0.0, 0.0, math.inf, np.zeros(1), np.ones(1))
    values, density = _looks(information[:-1], spent[:-1])
    total, error = information[-1], spent[-1]
    if error < _SMALLEST_SPENDING or total - density.total < _SMALLEST_STEP * total:
        return (*values, math.inf), density
    paths, masses = density.grid(total - density.total)
    sd = math.sqrt(total - density.total)

    def excess(end: float) -> float:
        return float(masses @ ndtr((paths - end) / sd)) - error

    top = 9.0 * math.sqrt(total)
    end = float(brentq(excess, -top, top, xtol=1e-13 * top, rtol=1e-15))
    value = end / math.sqrt(total)
    return (*values, value), _Density(total, total - density.total, end, paths, masses)


@dataclass(frozen=True, eq=False)
class _Density:
    """Density of the process at its last look, for paths that crossed nothing before.

    It is the mixture of normal densities of variance ``added`` at ``paths`` with ``masses``, cut
    off at ``end``.
    """

    total: float
    added: float
    end: float
    paths: Numbers
    masses: Numbers

    def grid(self, added: float) -> tuple[Numbers, Numbers]:
        """Nodes and masses of this density, fine enough for a next step of variance ``added``.

        Gauss-Legendre panels of two sd of the narrower of both steps: 1e-10 of the error.
        """
        if self.total == 0:
            return np.zeros(1), np.ones(1)
        sd, root = math.sqrt(self.added), math.sqrt(self.total)
        low, high = _LOWEST * root, min(self.end, _HIGHEST * root)
        count = math.ceil((high - low) / (_PANEL * min(sd, math.sqrt(added))))
        edges = np.linspace(low, high, count + 1)
        half = (high - low) / count / 2
        nodes = (edges[:-1, None] + half * (_NODES + 1)).ravel()
        weights = np.tile(half * _WEIGHTS, count)
        density = np.zeros_like(nodes)
        # In blocks: each needs only the paths within reach, a small part when there are many looks.
        for block in np.array_split(np.arange(len(nodes)), 1 + len(nodes) // 64):
            ends = nodes[block[0]] - _REACH * sd, nodes[block[-1]] + _REACH * sd
            near = slice(*np.searchsorted(self.paths, ends))
            distance = (nodes[block, None] - self.paths[near]) / sd
            density[block] = np.exp(-0.5 * distance**2) @ self.masses[near]
        return nodes, weights * density / (sd * math.sqrt(2 * math.pi))


def horizon_values(
    rounds: Sequence[int],
    noise_variance: Sequence[float],
    planned: Sequence[int],
    level: float,
    shares: ErrorShares,
) -> dict[int, float]:
    """Critical values of all windows at the last look, for a plan with a last round.

    Args:
        rounds: (m,) judged rounds, rising, all of them planned.
        noise_variance: (m,) variance of the noise in each sum. All zero: any information would do.
        planned: The plan's monitoring rounds.
        level: Error of one side of this mode's intervals, over all windows and rounds.
        shares: How it is shared out.

    Returns:
        Length of the window in looks to normal critical value; the window of all rounds first.
    """
    variance = np.asarray(noise_variance, dtype=np.float64)
    noisy = np.flatnonzero(variance)
    # Of the first noisy sum, so that equal noise of any size has one boundary, found once.
    unit = variance / variance[noisy[0]] if len(noisy) else np.ones(len(rounds))
    information = tuple(np.cumsum(unit).tolist())
    return dict(_window_values(tuple(rounds), information, tuple(planned), level, shares))


@lru_cache(maxsize=4096)
def _window_values(
    rounds: tuple[int, ...],
    information: tuple[float, ...],
    planned: tuple[int, ...],
    level: float,
    shares: ErrorShares,
) -> tuple[tuple[int, float], ...]:
    """``horizon_values`` as pairs, for any unit of information."""
    look, total = len(rounds), len(planned)
    if total == 1:
        return ((1, quantile(level)),)
    times = [(planned.index(number) + 1) / total for number in rounds]
    flat = quantile(level * shares.rest / windows_until(total))

    def spent(share: float) -> list[float]:
        until = [obrien_fleming(time, share * level) for time in times]
        return [now - before for before, now in pairwise((0.0, *until))]

    found = {look: flat, **dict.fromkeys(suffixes(look), flat)}
    boundary = spending_boundary(information, spent(shares.cumulative))
    found[look] = min(flat, boundary[-1])
    if shares.recent > 0 and look > 1:
        # Bonferroni over the looks: recent windows of different looks overlap in no simple way.
        found[suffixes(look)[0]] = min(flat, quantile(spent(shares.recent)[-1]))
    return tuple(found.items())


def quantile(tail: float) -> float:
    """The standard normal quantile of an upper tail probability; infinite for 0."""
    return -float(ndtri(tail))


def as_student(value: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """The quantile of Student's t at the tail probability of a normal critical value.

    Where a variance was estimated; the value itself for infinite degrees of freedom.
    """
    normal, freedom = np.broadcast_arrays(
        np.asarray(value, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    )
    finite = np.isfinite(freedom)
    if not finite.any():
        return normal
    student: Numbers = np.negative(stdtrit(np.where(finite, freedom, 1.0), ndtr(-normal)))
    return np.where(finite, student, normal)
