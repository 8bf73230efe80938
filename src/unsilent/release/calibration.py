"""How much noise a release needs, from numbers alone; ``noise`` takes them from a plan.

Each client adds its share of the noise that the sum needs, so that the fewest honest clients in any
sum make all of it. The noise of a client with 100 clients in each of 10 rounds, at most 10 of them
lost and 10 on the server's side, 1024 units the most that one moves the sum:

>>> cohort = honest_cohort(100, collusion=0.1, dropout=0.1)
>>> sigma = sigma_of_sum(sensitivity_of(1024.0), epsilon=2.0, delta=1e-5, releases=10)
>>> cohort, round(sigma), round(variance_of_share(sigma, cohort) ** 0.5)
(80, 6456, 722)
"""

from __future__ import annotations

import math

from unsilent.errors import PlanError
from unsilent.release.accountant import PrivacyEvent, noise_multiplier

SMALLEST_SHARE = 4.0
"""Smallest standard deviation of one client's share, in integer units. From here on a discrete
Gaussian has the variance scale^2, and a sum of shares is as private as one discrete Gaussian of
the summed variance, both to within 1e-100 (Kairouz, Liu and Steinke 2021, Theorem 1: tau below
10 N exp(-pi^2 share^2))."""

LARGEST_SCALE = 2.0**40
"""Largest standard deviation that is drawn, in integer units."""


def honest_left(clients: int, collusion: float, dropout: float) -> int:
    """How many of the clients neither collude nor are lost, rounded down."""
    # (1 - 0.1 - 0.1) * 100 is 79.99... in floats.
    return math.floor((1 - dropout - collusion) * clients + 1e-9)


def counted(share: float, clients: int) -> int:
    """How many clients a share of them is, rounded up: 10% of 16 is 2."""
    # 0.1 * 30 is 3.0000000000000004 in floats.
    return math.ceil(share * clients - 1e-9)


def honest_cohort(clients: int, collusion: float, dropout: float) -> int:
    """The fewest honest clients that are left when as many are lost as planned, at least 1.

    Args:
        clients: Those that take part in a round.
        collusion: Share of them that may side with the server, in [0, 1).
        dropout: Share of them that may be lost, in [0, 1).

    Raises:
        PlanError: No honest client is left.
    """
    count = honest_left(clients, collusion, dropout)
    if count < 1:
        raise PlanError(
            "no honest client is left to add noise",
            where="privacy.dropout + privacy.collusion",
            remedy="Lower them, or enrol more clients.",
        )
    return count


def sensitivity_of(bound: float, *, replaced: bool = False) -> float:
    """L2 sensitivity of a sum to one client, in integer units.

    Args:
        bound: The longest vector that a client releases, C * scale.
        replaced: Whether a client is replaced by any other, and not left out: twice as much.
    """
    return 2.0 * bound if replaced else bound


def sigma_of_sum(sensitivity: float, epsilon: float, delta: float, releases: int) -> float:
    """Standard deviation that the noise of a sum needs in each round, in integer units.

    Args:
        sensitivity: Of the sum, in integer units.
        epsilon: Budget of all releases together, above 0.
        delta: In (0, 1).
        releases: How many, at least 1.
    """
    return noise_multiplier(epsilon, delta, releases) * sensitivity


def variance_of_share(sigma: float, cohort: int) -> int:
    """Variance of one client's share, in integer units squared, rounded up to a whole number.

    Args:
        sigma: What the sum needs, in integer units.
        cohort: N_min, the fewest honest clients in any sum.

    Raises:
        PlanError: Out of the range that is sampled well.
    """
    variance = math.ceil(sigma**2 / cohort)
    if variance < SMALLEST_SHARE**2 or variance > LARGEST_SCALE**2:
        raise PlanError(
            f"one client's share of the noise, sd {math.sqrt(variance):g} integer units, is out "
            "of the range that is sampled well",
            where="privacy.epsilon",
            remedy="Lower epsilon, monitor more rounds, let fewer clients take part in a round, or "
            "set privacy.clip to 1.0.",
        )
    return variance


def cost_of_release(
    round_number: int, sensitivity: float, share_variance: float, cohort: int
) -> PrivacyEvent:
    """What one release costs: the noise of N_min shares, and not more, counts."""
    sigma = math.sqrt(share_variance * cohort)
    return PrivacyEvent("discrete_gaussian", round_number, sensitivity, sigma)
