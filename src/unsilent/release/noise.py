"""Privacy noise: how much of it each client adds, and where it is drawn.

Each client adds the share N_Z(0, sigma^2 / N_min) to each coordinate, where sigma is the noise
that the sum needs and N_min the fewest honest clients in any sum that the server can get.
``ExactNoise`` draws it exactly; ``SeededNoise`` is for simulation only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import PlanError, ReleaseError
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import EXACT, PrivacyEvent
from unsilent.release.calibration import (
    LARGEST_SCALE,
    cost_of_release,
    counted,
    honest_cohort,
    sensitivity_of,
    variance_of_share,
)
from unsilent.release.layout import Layout
from unsilent.release.record_unit import record_sensitivity
from unsilent.release.scale import has_room, scale_of, sigma_within


class NoiseSource(Protocol):
    """Draws discrete Gaussian noise."""

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        """(size,) independent draws from N_Z(0, scale^2), scale in integer units."""
        ...


class ExactNoise:
    """OpenDP's exact sampler, for real clients: no float enters a draw, the system's randomness.

    Raises ReleaseError if the ``opendp`` package is missing.
    """

    def __init__(self) -> None:
        try:
            import opendp.prelude as opendp
        except ImportError:
            raise ReleaseError(
                "exact noise needs the package opendp",
                remedy="Install it with `pip install opendp`.",
            ) from None
        self._opendp: Any = opendp
        self._opendp.enable_features("contrib")
        self._mechanisms: dict[float, Callable[[list[int]], list[int]]] = {}

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        """(size,) independent draws from N_Z(0, scale^2); about 60 microseconds each."""
        _check(scale, size)
        if size == 0:
            return np.zeros(0, dtype=np.int64)
        if scale not in self._mechanisms:
            domain = self._opendp.vector_domain(self._opendp.atom_domain(T="i64"))
            metric = self._opendp.l2_distance(T=float)
            self._mechanisms[scale] = self._opendp.m.make_gaussian(domain, metric, scale)
        return np.array(self._mechanisms[scale]([0] * size), dtype=np.int64)


class SeededNoise:
    """Repeatable noise, for simulation only.

    Not private: whoever knows or guesses the seed subtracts the noise, and the arithmetic is in
    floats. Rejection sampling of Canonne, Kamath and Steinke 2020 (Algorithms 1 to 3),
    vectorized: a discrete Laplace draw Y of scale t = floor(scale) + 1 is kept with probability
    exp(-(|Y| - scale^2 / t)^2 / (2 scale^2)).

    Args:
        seed: A seed, or several numbers that name a stream: ``(run seed, client, round)``.
    """

    def __init__(self, seed: int | Sequence[int]) -> None:
        self._generator = np.random.default_rng(seed)

    def sample(self, scale: float, size: int) -> NDArray[np.int64]:
        """(size,) independent draws from N_Z(0, scale^2)."""
        _check(scale, size)
        kept = np.zeros(0, dtype=np.int64)
        while len(kept) < size:
            candidates = self._laplace(math.floor(scale) + 1, 2 * (size - len(kept)) + 16)
            center = scale**2 / (math.floor(scale) + 1)
            chance = np.exp(-((np.abs(candidates) - center) ** 2) / (2 * scale**2))
            accepted = candidates[self._generator.random(len(candidates)) < chance]
            kept = np.concatenate([kept, accepted])
        return kept[:size]

    def _laplace(self, scale: int, size: int) -> NDArray[np.int64]:
        """Draws with probability proportional to exp(-|y| / scale) (Algorithm 2)."""
        magnitude = self._generator.geometric(-math.expm1(-1 / scale), size) - 1
        negative = self._generator.random(size) < 0.5
        # Zero would be drawn with both signs and so counted twice.
        once = ~(negative & (magnitude == 0))
        return np.where(negative, -magnitude, magnitude)[once].astype(np.int64)


def _check(scale: float, size: int) -> None:
    if not (math.isfinite(scale) and 0 < scale <= LARGEST_SCALE) or size < 0:
        raise ReleaseError(f"noise of scale {scale:g} and size {size} cannot be drawn")


def smallest_cohort(plan: MonitoringPlan) -> int:
    """N_min: the fewest honest clients in any sum that the server can get, at least 1.

    What the guarantee counts on: the noise of so many shares. Within the plan's own assumptions
    these are the honest clients that are left when as many are lost as planned. Where clients do
    not sign who is in a sum, although the plan does not withstand lies by itself
    (``privacy.secure_sum.consistency = "off"``), a server that lies gets a smaller one: then these.

    Raises:
        PlanError: No honest client is left, or the plan has no secure sum that is safe.
    """
    planned, privacy = planned_cohort(plan), plan.privacy
    if privacy.aggregation == "plain" or privacy.secure_sum.consistency != "off":
        return planned
    # Waits for a plan that asks for it: nothing else here needs the secure sum's cryptography.
    from unsilent.release.secure_sum.parameters import parameters_of

    return min(planned, parameters_of(plan).smallest_sum)


def planned_cohort(plan: MonitoringPlan) -> int:
    """The fewest honest clients that are left when as many are lost as planned, at least 1."""
    return honest_cohort(plan.taking_part, plan.privacy.collusion, plan.privacy.dropout)


def needed_releases(plan: MonitoringPlan) -> int:
    """The fewest releases that a sum must hold: the planned cohort and as many as may collude.

    With fewer, the noise of the honest ones falls short of the plan, and the sum is not used.
    """
    return planned_cohort(plan) + counted(plan.privacy.collusion, plan.taking_part)


def sensitivity(plan: MonitoringPlan) -> float:
    """L2 sensitivity of the sum to one unit, in integer units.

    A client: C * scale, twice if it is replaced and not left out. A record: see ``record_unit``.
    Without noise nothing rests on it; it is the longest vector that a client can have.
    """
    if not plan.privacy.private:
        return Layout.from_plan(plan).bound
    if plan.privacy.unit == "record":
        return record_sensitivity(plan)
    replaced = plan.privacy.adjacency == "replace-one"
    return sensitivity_of(plan.privacy.clip * scale_of(plan), replaced=replaced)


def sum_sigma(plan: MonitoringPlan) -> float:
    """Standard deviation that the noise of the sum needs in each round, in integer units.

    0 for unit ``none``.
    """
    if not plan.privacy.private:
        return 0.0
    return sigma_within(plan, sensitivity(plan))


def share_variance(plan: MonitoringPlan) -> int:
    """Variance of one client's share, in integer units squared; 0 for unit ``none``.

    Raises:
        PlanError: It is out of the range that is sampled well at every scale that there is room
            for, or a secure sum of so many vectors with their noise could wrap.
    """
    if not plan.privacy.private:
        return 0
    variance = variance_of_share(sum_sigma(plan), smallest_cohort(plan))
    clients, clip = plan.taking_part, plan.privacy.clip
    summed = plan.privacy.aggregation == "secure-sum"
    if summed and not has_room(clip, scale_of(plan), math.sqrt(variance), clients):
        raise PlanError(
            f"a secure sum of {clients} clients' numbers with their noise could wrap",
            where="federation.clients",
            remedy="Let fewer take part in a round, or raise privacy.epsilon.",
        )
    return variance


def share_scale(plan: MonitoringPlan) -> float:
    """Standard deviation of one client's share, in integer units."""
    return math.sqrt(share_variance(plan))


def planned_event(plan: MonitoringPlan, round_number: int) -> PrivacyEvent:
    """What one release of this plan costs: the noise of N_min shares, and not more, counts."""
    if not plan.privacy.private:
        return PrivacyEvent(EXACT, round_number, sensitivity(plan), 0.0)
    return cost_of_release(
        round_number, sensitivity(plan), share_variance(plan), smallest_cohort(plan)
    )
