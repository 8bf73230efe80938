"""Delay: how many rounds a failure goes on before the plan calls it one.

Simulated, with the judge's own windows and boundaries: for each stated course of the effect the
judge says how far each window's lower end reaches, and seeded noise says when one first lies above
the tolerance. Variances that the judge estimates are taken at their expectation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.bands import windows
from unsilent.inference.power import Outlook
from unsilent.inference.sampling import Numbers
from unsilent.plan import MonitoringPlan

DRIFTS = (0.005, 0.01, 0.02)
"""Growth of the effect in one training round."""
MONTHLY = 0.01
"""Growth of the effect in a month, for plans that have a calendar."""
STEPS = (1.0, 2.0)
"""Excess over the tolerance, in tolerances."""
REPETITIONS = 1000
_SEED = 20_000


@dataclass(frozen=True)
class Course:
    """How the true effect goes.

    Attributes:
        kind: ``drift``: at the tolerance before the onset, then ``size`` more in each training
            round, the first included. ``step``: 0 before the onset, then the tolerance and
            ``size`` times as much again.
        size: See ``kind``.
    """

    kind: Literal["drift", "step"]
    size: float

    def effects(self, rounds: NDArray[np.int64], onset: int, tolerance: float) -> Numbers:
        """(m,) true effect after each of the training rounds, for an onset in round ``onset``."""
        late = rounds >= onset
        if self.kind == "step":
            return np.where(late, tolerance * (1 + self.size), 0.0)
        return tolerance + np.where(late, self.size * (rounds - onset + 1), 0.0)


@dataclass(frozen=True)
class Delay:
    """How long one mode takes to be found on one course.

    Attributes:
        code: The mode.
        course: Its effect's.
        onset: First training round with the failure.
        rounds: Median delay in training rounds: 1 if it is found in the round of its onset. None
            where it is not found by the end of the plan in half of the cases.
        found: Share of the cases in which it is found by the end of the plan.
    """

    code: str
    course: Course
    onset: int
    rounds: float | None
    found: float


def delays(
    plan: MonitoringPlan,
    *,
    onset: int | None = None,
    courses: Sequence[Course] | None = None,
    repetitions: int = REPETITIONS,
) -> tuple[Delay, ...]:
    """The delays of all planned modes, all clients taking part.

    Args:
        plan: The plan.
        onset: First training round with the failure; by default the first monitoring round of the
            plan's second half.
        courses: By default ``courses_of``.
        repetitions: How many federations are simulated, rounded up to an even number.

    Returns:
        One for each mode and course, in that order.

    Raises:
        PlanError: As ``power_table``.
    """
    rounds = plan.monitoring_rounds
    start = rounds[len(rounds) // 2] if onset is None else onset
    asked = courses_of(plan) if courses is None else tuple(courses)
    return tuple(
        delay for code in plan.planned for delay in _mode(plan, code, start, asked, repetitions)
    )


def default_courses() -> tuple[Course, ...]:
    """The drifts and steps that every plan is checked for."""
    return (
        *(Course("drift", size) for size in DRIFTS),
        *(Course("step", size) for size in STEPS),
    )


def courses_of(plan: MonitoringPlan) -> tuple[Course, ...]:
    """``default_courses``, and a point a month where the plan says how many rounds are a year."""
    slow = monthly(plan)
    return default_courses() if slow is None else (slow, *default_courses())


def monthly(plan: MonitoringPlan) -> Course | None:
    """A drift of a point a month; None of a plan without the calendar of ``privacy.year``."""
    year = plan.privacy.year
    return None if year is None else Course("drift", 12 * MONTHLY / year.rounds)


def _mode(
    plan: MonitoringPlan, code: str, onset: int, courses: Sequence[Course], repetitions: int
) -> list[Delay]:
    outlook = Outlook(plan, code)
    tolerance = outlook.planned.tolerance
    rounds = np.array(plan.monitoring_rounds, dtype=np.int64)
    true = np.stack([course.effects(rounds, onset, tolerance) for course in courses])
    true = np.minimum(true, outlook.largest)
    first = int(np.searchsorted(rounds, onset))
    # The error that stays and each round's noise, in sd; the same for all courses and modes, so
    # that they differ by what they are and not by luck, and each draw with both signs.
    drawn = np.random.default_rng(_SEED).standard_normal((-(-repetitions // 2), len(rounds) + 1))
    both = np.concatenate([drawn, -drawn])
    lasting, noise = both[:, 0], both[:, 1:]
    walk = np.concatenate([np.zeros((len(noise), 1)), np.cumsum(noise, axis=1)], axis=1)
    alarm = np.full((len(courses), len(noise)), math.inf)
    for look in _looks(first, len(rounds)):
        lower = _lower_ends(outlook, true[:, :look], walk[:, : look + 1], lasting)
        found = (lower > tolerance) & np.isinf(alarm)
        alarm[found] = rounds[look - 1] - onset + 1
    medians = np.median(alarm, axis=1)
    return [
        Delay(
            code=code,
            course=course,
            onset=onset,
            rounds=float(median) if math.isfinite(median) else None,
            found=float(np.isfinite(each).mean()),
        )
        for course, median, each in zip(courses, medians, alarm, strict=True)
    ]


def _looks(first: int, total: int) -> list[int]:
    """The looks after the first that are simulated: all of the next 20, later every tenth part.

    Rounds that are passed over make a long delay look longer by a tenth at most.
    """
    looks = [first + 1]
    while looks[-1] < total:
        looks.append(min(looks[-1] + max(1, (looks[-1] - first) // 10), total))
    return looks


def _lower_ends(outlook: Outlook, true: Numbers, walk: Numbers, lasting: Numbers) -> Numbers:
    """(courses, repetitions) highest lower end of all windows at the last look.

    Args:
        outlook: The mode's.
        true: (courses, m) true effects.
        walk: (repetitions, m + 1) running sums of standard normal noise, from 0.
        lasting: (repetitions,) standard normal errors that stay over rounds.
    """
    looks = true.shape[1]
    highest = np.full((len(true), len(walk)), -math.inf)
    series = outlook.series(true)
    for (first, _), band in zip(windows(series.rounds), outlook.bands_of(series), strict=True):
        length = looks - int(np.searchsorted(series.rounds, first))
        drawn = (walk[:, -1] - walk[:, -1 - length]) / math.sqrt(length)
        low = band.pooled.below
        error = np.multiply.outer(np.atleast_1d(low.privacy_sd), drawn)
        stays = np.multiply.outer(np.atleast_1d(low.sampling_sd), lasting)
        lower = np.broadcast_to(band.lower, (len(true),))
        highest = np.maximum(highest, lower[:, None] + error + stays)
    return highest
