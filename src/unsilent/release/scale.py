"""In how many whole steps a plan's numbers are written down: 1024 to a unit, or more if it takes.

A client's share of the noise is drawn in whole steps, and needs some of them (``SMALLEST_SHARE``):
the more clients share the noise, the finer the steps have to be. A secure sum counts modulo 2^32,
so that they cannot be finer than what so many clients' numbers leave room for.
"""

from __future__ import annotations

import math

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import gaussian_delta
from unsilent.release.calibration import (
    SMALLEST_SHARE,
    honest_left,
    sensitivity_of,
    sigma_of_sum,
)
from unsilent.release.counts import least_scale

SCALE = 1024
"""Integer steps per unit of the joint clip C = 1, where these are enough."""

LARGEST_SUM = 2**31 - 1
"""Largest magnitude of a sum: vectors are summed modulo 2^32, and read as signed."""

TAIL = 8.0
"""Standard deviations of a client's share of the noise that its numbers leave room for: of 10^9
draws one is beyond it with probability 10^-6, and its client then sends nothing."""

_LEAST = SMALLEST_SHARE**2 - 1
"""A share's variance, in integer steps squared, is above this: it is rounded up afterwards."""
_CLOSE = 1e-4


def scale_of(plan: MonitoringPlan) -> int:
    """Integer steps per unit of the joint clip: the smallest power of two that will do, from 1024.

    Counts of records need finer ones, so that a record is some steps (``counts.least_scale``).

    Layouts, and so releases, of plans for which 1024 will do are what they always were. Where no
    scale will do it is the finest that there is room for, and ``noise.share_variance`` refuses.
    Nor is there another for plans that are only read: of the first schema, or with a record as unit
    and modes that are not installed here.
    """
    least = least_scale(plan)
    if not plan.privacy.private or plan.earlier or _is_fine(plan):
        return least
    if plan.absent and plan.privacy.unit == "record":
        return least
    return _finer(plan)


def has_room(clip: float, scale: int, share: float, clients: int) -> bool:
    """Whether a secure sum of so many vectors cannot wrap.

    Args:
        clip: Joint clip.
        scale: Integer steps per unit of it.
        share: Standard deviation of one client's share of the noise, in integer steps.
        clients: How many are summed.
    """
    return clip * scale + TAIL * share <= LARGEST_SUM // clients


def _is_fine(plan: MonitoringPlan) -> bool:
    """Whether 1024 will do beyond doubt, by one closed form and without searching a root."""
    privacy = plan.privacy
    if privacy.unit != "client":
        return False
    # The largest cohort has the smallest shares; whoever counts on fewer clients has larger ones.
    cohort = honest_left(plan.taking_part, privacy.collusion, privacy.dropout)
    if cohort < 1:
        return True
    moved = sensitivity_of(privacy.clip * SCALE, replaced=privacy.adjacency == "replace-one")
    # All of epsilon, if each share had just the smallest variance.
    smallest = math.sqrt(_LEAST * cohort / plan.releases_per_client)
    return gaussian_delta(privacy.epsilon, moved / smallest) > privacy.delta * (1 + _CLOSE)


def sigma_at(plan: MonitoringPlan, scale: int) -> float:
    """What ``noise.sum_sigma`` of a private plan would be at a scale, in its integer units."""
    privacy = plan.privacy
    if privacy.unit == "record":
        from unsilent.release.record_unit import record_sensitivity

        moved = record_sensitivity(plan, scale)
    else:
        moved = sensitivity_of(privacy.clip * scale, replaced=privacy.adjacency == "replace-one")
    return sigma_within(plan, moved)


def sigma_within(plan: MonitoringPlan, moved: float) -> float:
    """Standard deviation that keeps a sum within the plan's budget, and within that of a year.

    Args:
        plan: A private one.
        moved: What one unit moves the sum by, in integer units.
    """
    privacy, releases = plan.privacy, plan.releases_per_client
    sigma = sigma_of_sum(moved, privacy.epsilon, privacy.delta, releases)
    if privacy.year is None:
        return sigma
    # Of plans that follow one another a year may hold rounds of two.
    most = privacy.year.rounds if plan.versions else min(privacy.year.rounds, releases)
    return max(sigma, sigma_of_sum(moved, privacy.year.epsilon, privacy.delta, most))


def _finer(plan: MonitoringPlan) -> int:
    # Waits for a plan that needs it: noise is made of a layout, which asks for its scale.
    from unsilent.release.noise import smallest_cohort

    try:
        cohort = smallest_cohort(plan)
        scale = least_scale(plan)
        share = sigma_at(plan, scale) / math.sqrt(cohort)
    except PlanError:
        # Refused where its noise is asked for, with what is wrong.
        return least_scale(plan)
    clients = plan.taking_part if plan.privacy.aggregation == "secure-sum" else 1
    while share**2 <= _LEAST and has_room(plan.privacy.clip, 2 * scale, 2 * share, clients):
        scale *= 2
        share = sigma_at(plan, scale) / math.sqrt(cohort)
    return scale
