"""Monitoring without a last round: e-processes, and the intervals that come from inverting them.

With information ``I = 1 / (V / N + s^2 / t)`` the score ``S = I (estimate - truth)`` is a Brownian
motion at time I: its covariance at two rounds is the smaller of the two informations, for the
lasting error V as for the noise s^2. Mixing ``exp(lambda S - lambda^2 I / 2)`` over a half-normal
lambda of precision rho gives a nonnegative martingale of mean 1, which by Ville's inequality ever
reaches 1 / alpha with probability at most alpha (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon
2021, Proposition 6, the one-sided normal mixture).

Each start of a window has its own such process, with a share of the error from ``start_share``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_ndtr

from unsilent.inference.sampling import Numbers

FIRST_START = 0.5
"""Share of the error for the window of all rounds."""
LATE_STARTS = 0.05
"""Share for all windows that start after the planned rounds, so that there is no last one."""
_STEPS = 60


def log_evalue(deviation: ArrayLike, information: ArrayLike, rho: ArrayLike) -> Numbers:
    """Logarithm of the one-sided mixture e-process.

    ``E = 2 sqrt(rho / (I + rho)) exp(S^2 / (2 (I + rho))) Phi(S / sqrt(I + rho))``
    with ``S = sqrt(I) * deviation`` (Howard et al. 2021, Proposition 6). All arguments broadcast.

    Args:
        deviation: Estimate minus hypothesis, in sd.
        information: I, at least 0.
        rho: Precision of the mixture, above 0.
    """
    z, total, precision = (
        np.asarray(value, dtype=np.float64) for value in (deviation, information, rho)
    )
    scaled = z * np.sqrt(total / (total + precision))
    return (
        math.log(2)
        + 0.5 * np.log(precision / (total + precision))
        + 0.5 * scaled**2
        + log_ndtr(scaled)
    )


def mixture_value(information: ArrayLike, rho: ArrayLike, level: ArrayLike) -> Numbers:
    """Critical value: the deviation, in sd, at which the e-process reaches 1 / level.

    Inverting the process over all hypotheses gives a one-sided confidence sequence: with
    probability 1 - level the truth is never more than this many sd below the estimate, at any
    round. Infinite without information. All arguments broadcast.
    """
    total, precision, error = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (information, rho, level))
    )
    # With y = z sqrt(I / (I + rho)) the equation is y^2 / 2 + log Phi(y) = target. The left side is
    # convex and rises, and the start lies past the root, so Newton's method only falls toward it.
    target = -np.log(error) - math.log(2) + 0.5 * np.log1p(total / precision)
    y = np.sqrt(2 * (np.maximum(target, 0.0) + math.log(2)))
    for _ in range(_STEPS):
        log_phi = log_ndtr(y)
        slope = y + np.exp(-0.5 * y**2 - log_phi) / math.sqrt(2 * math.pi)
        step = (0.5 * y**2 + log_phi - target) / slope
        y = y - step
        if float(np.max(np.abs(step), initial=0.0)) < 1e-14:
            break
    with np.errstate(divide="ignore"):
        return np.where(total > 0, y * np.sqrt(1 + precision / np.maximum(total, 1e-300)), np.inf)


def tuned_precision(information: ArrayLike, level: ArrayLike) -> Numbers:
    """The rho whose boundary is about tightest at the given information.

    ``rho = I / (2 ln(1 / level) + ln(1 + 2 ln(1 / level)))`` (Howard et al. 2021, section 3.5).
    It has to be chosen before the rounds are seen.
    """
    bits = -2 * np.log(np.asarray(level, dtype=np.float64))
    return np.asarray(information, dtype=np.float64) / (bits + np.log1p(bits))


def start_share(start: int, planned: int) -> float:
    """Share of the error for windows that start at a look, counted from 1; all add up to 1.

    ``FIRST_START`` for the first look, ``LATE_STARTS`` over the looks after the planned number
    T in proportion to 1 / (k (k - 1)), which sum to 1 / T there, and what is left in equal parts
    over the looks 2 to T; with T = 1 that goes to the first.
    """
    if start == 1:
        return FIRST_START if planned > 1 else 1 - LATE_STARTS
    if start > planned:
        return LATE_STARTS * planned / (start * (start - 1))
    return (1 - FIRST_START - LATE_STARTS) / (planned - 1)


def start_shares(starts: ArrayLike, planned: int) -> Numbers:
    """``start_share`` of many looks."""
    looks = np.asarray(starts, dtype=np.float64)
    late = LATE_STARTS * planned / np.maximum(looks * (looks - 1), 1.0)
    early = (1 - FIRST_START - LATE_STARTS) / max(planned - 1, 1)
    return np.where(looks == 1, start_share(1, planned), np.where(looks > planned, late, early))
