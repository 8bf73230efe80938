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
at all looks. The integration itself is in ``looks``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from unsilent.inference.looks import also_forgotten, spending_boundary
from unsilent.inference.sampling import Numbers

_SMALLEST_TAIL = 1e-300
_LARGEST_POWER = 1380.0
"""Of e, so that its root is a float: an interval's end then lies beyond any range by far."""


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
    if len(planned) == 1:
        return {1: quantile(level)}
    variance = np.asarray(noise_variance, dtype=np.float64)
    noisy = np.flatnonzero(variance)
    # Of the first noisy sum, so that equal noise of any size has one boundary, found once.
    unit = variance / variance[noisy[0]] if len(noisy) else np.ones(len(rounds))
    judged = np.asarray(rounds, dtype=np.int64)
    return _window_values(judged.tobytes(), unit.tobytes(), tuple(planned), level, shares)


@lru_cache(maxsize=256)
def _window_values(
    judged: bytes, noise: bytes, planned: tuple[int, ...], level: float, shares: ErrorShares
) -> dict[int, float]:
    """``horizon_values``; both ends of all modes most often ask for the same."""
    rounds, unit = np.frombuffer(judged, dtype=np.int64), np.frombuffer(noise, dtype=np.float64)
    look, total = len(rounds), len(planned)
    times = (np.searchsorted(as_rounds(planned), rounds) + 1) / total
    flat = quantile(level * shares.rest / windows_until(total))
    found = {look: flat, **dict.fromkeys(suffixes(look), flat)}
    boundary = spending_boundary(np.cumsum(unit), spending(times, shares.cumulative * level))
    found[look] = min(flat, boundary[-1])
    if shares.recent > 0 and look > 1:
        # Bonferroni over the looks: recent windows of different looks overlap in no simple way.
        recent = spending(times, shares.recent * level)
        found[suffixes(look)[0]] = min(flat, quantile(float(recent[-1])))
    return found


also_forgotten.append(_window_values.cache_clear)


def planned_values(
    planned: int, level: float, shares: ErrorShares, since: int, until: int
) -> tuple[Numbers, Numbers]:
    """``horizon_values`` of looks still to come, if all rounds are judged with equal noise.

    A round that was missed so far is as if it had been judged: what it leaves to the looks to come
    is little, and one boundary serves the whole run.

    Args:
        planned: How many rounds the plan monitors; more than one.
        level: As there.
        shares: As there.
        since: The first of the looks, counted from 1 as the plan counts.
        until: The last of them.

    Returns:
        Values of the windows of all rounds, and of the recent guards.
    """
    looks = np.arange(1, until + 1)
    flat = quantile(level * shares.rest / windows_until(planned))
    times, asked = looks / planned, slice(since - 1, until)
    whole = spending_boundary(
        looks.astype(np.float64), spending(times, shares.cumulative * level), ahead=True
    )
    recent = np.full(until, flat)
    if shares.recent > 0:
        recent = np.minimum(flat, -ndtri(spending(times, shares.recent * level)))
    return np.minimum(flat, np.array(whole[asked])), recent[asked]


def least_values(
    planned: int, level: float, shares: ErrorShares, since: int
) -> tuple[Numbers, Numbers]:
    """Lower bounds of ``planned_values`` until the last planned look, at next to no cost.

    What crosses at a look has crossed by then, so that the value is at least the quantile of all
    error that is spent until then.
    """
    times = np.arange(since, planned + 1) / planned
    before = (np.arange(since, planned + 1) - 1) / planned
    flat = quantile(level * shares.rest / windows_until(planned))
    whole = np.minimum(flat, -ndtri(spent_until(times, shares.cumulative * level)))
    recent = np.full(len(times), flat)
    if shares.recent > 0:
        share = shares.recent * level
        recent = np.minimum(flat, -ndtri(spent_until(times, share) - spent_until(before, share)))
    return whole, recent


def spending(times: Numbers, level: float) -> Numbers:
    """(m,) error spent at each of the looks at these times, by ``obrien_fleming``."""
    return np.diff(spent_until(times, level), prepend=0.0)


def spent_until(times: Numbers, level: float) -> Numbers:
    """``obrien_fleming`` of many times."""
    root = np.sqrt(np.minimum(times, 1.0))
    with np.errstate(divide="ignore"):
        return np.where(times > 0, 2 * ndtr(ndtri(level / 2) / root), 0.0)


@lru_cache(maxsize=16)
def as_rounds(planned: tuple[int, ...]) -> NDArray[np.int64]:
    """Planned rounds as an array, read-only."""
    found = np.array(planned, dtype=np.int64)
    found.setflags(write=False)
    return found


def quantile(tail: float) -> float:
    """The standard normal quantile of an upper tail probability; infinite for 0."""
    return -float(ndtri(tail))


def as_student(value: ArrayLike, degrees: ArrayLike) -> NDArray[np.float64]:
    """The quantile of Student's t at the tail probability of a normal critical value.

    Where a variance was estimated; the value itself for infinite degrees of freedom. Where the
    tail is smaller than any float, the most that the quantile can be by Wallace (1959), so that
    it is finite: of an error of 0 it reaches over nothing.
    """
    normal, freedom = np.broadcast_arrays(
        np.asarray(value, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    )
    finite = np.isfinite(freedom)
    if not finite.any():
        return normal
    counted, tail = np.where(finite, freedom, 1.0), ndtr(-normal)
    student: Numbers = np.negative(stdtrit(counted, tail))
    # Of some tails far out the library finds none, and says minus infinity.
    lost = (tail < _SMALLEST_TAIL) | ~np.isfinite(student)
    if lost.any():
        # z^2 >= (nu - 1/2) ln(1 + t^2 / nu) for any t above 0.
        power = np.minimum(normal**2 / np.maximum(counted - 0.5, 0.5), _LARGEST_POWER)
        root = np.exp(power / 2) * np.sqrt(-np.expm1(-power))
        student = np.where(lost, np.sqrt(counted) * root, student)
    return np.where(finite, student, normal)
