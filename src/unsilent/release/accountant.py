"""Privacy events as frozen data, and the epsilon that is derived from them.

Epsilon is never stored as truth: it follows from what was released. Every event here is a
Gaussian mechanism on one client's vector, so composition is exact: releases with
``mu_i = sensitivity_i / sigma_i`` together are one Gaussian mechanism with
``mu^2 = sum of mu_i^2`` (Dong, Roth and Su 2022, Corollary 3.3), whose ``delta(epsilon)`` is known
in closed form (Balle and Wang 2018, Theorem 8) and taken from dp-accounting.

The noise is a sum of discrete Gaussians. At the standard deviations in use (each share at least
``calibration.SMALLEST_SHARE`` integer units) it differs from the continuous Gaussian of the same
variance by less than 1e-100 in every bound of Kairouz, Liu and Steinke 2021 (Theorem 1, their tau);
the tests compare both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from scipy.optimize import brentq
from scipy.special import log_ndtr

from unsilent.errors import PlanError, ReleaseError

# Calibrated noise is this much larger than the root found, so that float error never makes the
# last planned release pass the budget.
_SAFETY = 1e-9
_LARGEST_MU = 1e6

EXACT: Literal["exact"] = "exact"
"""The kind of a sum without noise."""


@dataclass(frozen=True)
class PrivacyEvent:
    """One release, as data.

    Attributes:
        kind: ``discrete_gaussian``; ``exact`` of a sum without noise, which no epsilon covers.
        round: The monitoring round, counted from 1.
        sensitivity: L2 sensitivity of the sum to one client, in integer units, adjacency counted.
        sigma: Standard deviation of the noise that is guaranteed in the sum, in integer units; 0
            of an exact one.
    """

    kind: Literal["discrete_gaussian", "exact"]
    round: int
    sensitivity: float
    sigma: float

    def __post_init__(self) -> None:
        if self.kind not in ("discrete_gaussian", EXACT):
            raise ReleaseError("a privacy event of an unknown kind", remedy="Update unsilent.")
        good = math.isfinite(self.sensitivity) and self.sensitivity > 0 and self.round >= 1
        noised = math.isfinite(self.sigma) and self.sigma > 0
        if not good or (self.sigma != 0 if self.kind == EXACT else not noised):
            raise ReleaseError(
                "a privacy event needs a round, a sensitivity and a sigma above 0, or none if exact"
            )

    @property
    def mu(self) -> float:
        """The Gaussian-DP parameter, sensitivity / sigma; infinite of an exact sum."""
        return math.inf if self.kind == EXACT else self.sensitivity / self.sigma

    def to_json(self) -> dict[str, Any]:
        """The event as JSON-ready data."""
        return {
            "kind": self.kind,
            "round": self.round,
            "sensitivity": self.sensitivity,
            "sigma": self.sigma,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PrivacyEvent:
        """Read an event; raises ReleaseError if a field is missing, unknown or of wrong type."""
        if set(data) != {"kind", "round", "sensitivity", "sigma"}:
            raise ReleaseError("a privacy event with missing or unknown fields")
        numbers = (data["round"], data["sensitivity"], data["sigma"])
        # A whole number may be larger than any float.
        if any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers) or any(
            not abs(n) < 1e300 for n in numbers
        ):
            raise ReleaseError("a privacy event whose fields are not numbers")
        if not isinstance(data["round"], int):
            raise ReleaseError("a privacy event whose round is not a whole number")
        return cls(data["kind"], data["round"], float(numbers[1]), float(numbers[2]))


def total_mu(events: Sequence[PrivacyEvent], most: int | None = None) -> float:
    """The Gaussian-DP parameter of all events together (Dong, Roth and Su 2022, Cor. 3.3).

    Args:
        events: In any order.
        most: How many of them any one client is in; None if that may be all. Which these are is
            not known, so that the costliest count.
    """
    squares = [event.mu**2 for event in events]
    if most is not None and most < len(squares):
        squares = sorted(squares, reverse=True)[:most]
    return math.sqrt(math.fsum(squares))


def epsilon(events: Sequence[PrivacyEvent], delta: float, most: int | None = None) -> float:
    """The smallest epsilon for which all events together are (epsilon, delta)-DP.

    Args:
        events: All releases that a client may be in, in any order.
        delta: In (0, 1).
        most: How many of them any one client is in at most, as ``total_mu``.

    Returns:
        Epsilon, at least 0; it never falls when an event is added. Infinite if one is exact.
    """
    _check_delta(delta)
    mu = total_mu(events, most)
    if mu == 0 or gaussian_delta(0.0, mu) <= delta:
        return 0.0
    if mu > _LARGEST_MU:
        return math.inf
    # Slow to import, and only this function needs it.
    from dp_accounting.pld.privacy_loss_mechanism import (  # pyright: ignore[reportMissingTypeStubs]
        GaussianPrivacyLoss,
    )

    loss = GaussianPrivacyLoss(standard_deviation=1.0 / mu)

    def excess(candidate: float) -> float:
        return cast(float, loss.get_delta_for_epsilon(candidate)) - delta

    high = max(1.0, mu)
    while excess(high) > 0:
        high *= 2
    return _root(excess, 0.0, high)


def gaussian_delta(epsilon: float, mu: float) -> float:
    """delta(epsilon) of a Gaussian mechanism with sensitivity / sigma = mu.

    ``Phi(mu/2 - eps/mu) - exp(eps) Phi(-mu/2 - eps/mu)`` (Balle and Wang 2018, Theorem 8).
    """
    first = float(log_ndtr(mu / 2 - epsilon / mu))
    second = epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))
    return math.exp(first) * -math.expm1(min(0.0, second - first))


def largest_mu(epsilon: float, delta: float) -> float:
    """The Gaussian-DP parameter whose (epsilon, delta) curve passes through this point.

    Args:
        epsilon: Above 0.
        delta: In (0, 1).
    """
    _check_delta(delta)
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise PlanError("epsilon must be above 0", where="privacy.epsilon")

    def excess(log_mu: float) -> float:
        return math.log(max(gaussian_delta(epsilon, math.exp(log_mu)), 1e-300)) - math.log(delta)

    high = math.log(_LARGEST_MU)
    if excess(high) < 0:
        raise PlanError(
            f"epsilon {epsilon:g} at delta {delta:g} asks for no noise",
            where="privacy.epsilon",
            remedy="Use an epsilon of at most 50.",
        )
    return math.exp(_root(excess, math.log(1e-12), high))


def noise_multiplier(epsilon: float, delta: float, releases: int) -> float:
    """sigma / sensitivity so that ``releases`` equal events cost at most (epsilon, delta).

    Args:
        epsilon: Budget for all releases together, above 0.
        delta: In (0, 1).
        releases: How many, at least 1.
    """
    if releases < 1:
        raise PlanError("a budget needs at least one release", where="monitor.rounds")
    return math.sqrt(releases) / largest_mu(epsilon, delta) * (1 + _SAFETY)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-13, rtol=1e-13, maxiter=500))


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise PlanError("delta must be above 0 and below 1", where="privacy.delta")
