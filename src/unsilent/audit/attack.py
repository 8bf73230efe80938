"""What an attacker's scores prove: lower bounds on the privacy loss.

They are exact in finite samples, so that an audit of correct code fails as rarely as it
says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

_GRID = 200


def mu_lower_bound(
    inside: NDArray[np.float64], outside: NDArray[np.float64], error: float
) -> float:
    """A lower bound on the Gaussian-DP parameter of a mechanism, from an attacker's scores.

    A mechanism that is mu-GDP gives no test a power above ``Phi(Phi^-1(false positives) + mu)``
    (Dong, Roth and Su 2022, eq. 6), so every threshold proves
    ``mu >= Phi^-1(true positive rate) - Phi^-1(false positive rate)``. The threshold is chosen on
    the first half of the scores; on the second half both rates are bounded by Clopper and Pearson
    1934, as in audits by Nasr et al. 2023 (section 4).

    Args:
        inside: (n,) independent scores with the canary in; large speaks for it.
        outside: (m,) the same without it.
        error: Probability that the bound lies above the true mu, in (0, 1).

    Returns:
        The bound, at least 0. With n scores it is at most about 2 Phi^-1(1 - log(2 / error) / n).
    """
    chosen = [scores[: len(scores) // 2] for scores in (inside, outside)]
    tested = [scores[len(scores) // 2 :] for scores in (inside, outside)]
    pooled = np.concatenate(chosen)
    thresholds = np.unique(np.quantile(pooled, np.linspace(0, 1, _GRID)))
    bounds = _proven(chosen[0], chosen[1], thresholds, error)
    best = thresholds[int(np.argmax(bounds))]
    proven = float(_proven(tested[0], tested[1], np.array([best]), error)[0])
    return max(0.0, proven)


def _proven(
    inside: NDArray[np.float64],
    outside: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    error: float,
) -> NDArray[np.float64]:
    """(n_thresholds,) what each threshold proves; -inf where it proves nothing."""
    hits = len(inside) - np.searchsorted(np.sort(inside), thresholds)
    alarms = len(outside) - np.searchsorted(np.sort(outside), thresholds)
    with np.errstate(invalid="ignore"):
        power = beta.ppf(error / 2, hits, len(inside) - hits + 1)
        false = beta.ppf(1 - error / 2, alarms + 1, len(outside) - alarms)
    power = np.where(hits == 0, 0.0, power)
    false = np.where(alarms == len(outside), 1.0, false)
    return np.where((power > 0) & (false < 1), norm.ppf(power) - norm.ppf(false), -np.inf)
