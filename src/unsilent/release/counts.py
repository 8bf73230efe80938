"""Counts of records in a release: how many whole steps a record has, and what it takes of the clip.

A count is exact: a client that is not a site of more records than the plan counts writes down whole
multiples of a step, and nothing is rounded but parts of a record. Under a joint clip the counts
have a part of it to themselves, so that what the other numbers do never shrinks a count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from unsilent.errors import PlanError
from unsilent.performance.cells import families_of
from unsilent.performance.family import Family, longest, steps_of_one_record
from unsilent.plan import MonitoringPlan

COUNT_SHARE = 0.6
"""Of a joint clip, what all counts of a client take at most."""
BESIDE_COUNTS = 0.55
"""Weight of a report on clipping where counts are: both and all counts fit then for any client."""

_SCALE = 1024
_STEPS = {"client": 64, "record": 256}
"""Integer steps of a record, at least: finer where a record is what noise is measured in."""
_LARGEST_BITS = 29
"""A secure sum counts modulo 2^32: counts of as many as take part stay within 2^29, and what is
left is the noise's."""


@dataclass(frozen=True)
class Counting:
    """How a plan's counts are written down.

    Attributes:
        families: All of them.
        count: Most records of a client.
        scale: Integer steps of the joint clip.
        step: Integer steps of one record.
    """

    families: tuple[Family, ...]
    count: int
    scale: int
    step: int

    @property
    def moved(self) -> float:
        """L2 norm by which one replaced record moves all counts, in integer steps."""
        return math.sqrt(steps_of_one_record(self.families, self.step))


def least_scale(plan: MonitoringPlan) -> int:
    """Integer steps per unit of the joint clip that a plan's counts need; 1024 without any."""
    performance = plan.performance
    if performance is None or not plan.privacy.private:
        return _SCALE
    needed = _STEPS[plan.privacy.unit] * performance.count
    room = 1 << max(0, _LARGEST_BITS - (plan.taking_part - 1).bit_length())
    if plan.privacy.unit == "client":
        needed *= longest(families_of(performance)) / COUNT_SHARE
    # Coarser steps where the sum of so many would not fit.
    most = room / plan.privacy.clip
    scale = _SCALE
    while scale * plan.privacy.clip < needed + 1 and 2 * scale <= most:
        scale *= 2
    return scale


def counting(plan: MonitoringPlan, clip: float, scale: int) -> Counting | None:
    """How the counts of a plan are written down at a scale; None of a plan without.

    Raises PlanError if a record is less than one step.
    """
    performance = plan.performance
    if performance is None:
        return None
    families = families_of(performance)
    room = clip * scale
    if plan.privacy.unit == "client":
        room *= COUNT_SHARE / longest(families)
    step = math.floor((room - 1) / performance.count)
    if step < 1:
        raise PlanError(
            f"of {performance.count} records a client one is less than a whole step",
            where="performance.count",
            remedy="Lower it, or let fewer clients take part in a round.",
        )
    return Counting(families, performance.count, scale, step)
