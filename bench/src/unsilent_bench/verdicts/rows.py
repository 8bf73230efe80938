"""Rows of the table: what was measured, with its Monte-Carlo error, against what was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from unsilent_bench.verdicts.baselines import Flags, Judged
from unsilent_bench.verdicts.people import Array

METHODS = (
    "boundary",
    "e-process",
    "per-round",
    "cusum-increments",
    "cusum-levels",
    "dp-cusum",
    "fixed-95",
)
OWN_METHOD = METHODS[:2]
FALSE_ALARMS = 0.05
"""Most false alarms over all rounds and modes, and most intervals that miss."""
SILENCES = 0.01
"""Most failures called silent although the system metrics fell beyond the margin."""
EDGE = 1e-9
"""Effects this near to a tolerance or an interval's end count as on it."""


@dataclass(frozen=True)
class VerdictRow:
    """One method in one cell; None where a number does not apply.

    Attributes:
        part: ``errors``, ``power``, ``delay`` or ``silent``.
        method: One of ``METHODS``.
        population, clients, epsilon, rounds, scenario: The cell; epsilon None is no noise.
        repetitions: Simulated runs.
        false_alarm_rate: Share of runs with a FAILURE of an effect at or below the tolerance, the
            effect of the round, or for ours of the window that the verdict is about.
        false_health_rate: Share of runs with HEALTHY of an effect at or above the tolerance.
        joint_coverage: Share of runs whose intervals hold the truth at all rounds and modes.
        mode: The mode in which an effect was injected.
        effect: The injected effect beyond the tolerance (in a drift: a round).
        power: Share of runs that found it.
        power_reference: The share to reach.
        delay: Mean rounds from the first changed one to the alarm, over the runs that alarmed.
        delay_reference: The delay to reach.
        silent_rate: Share of verdicts "silent" although the system metrics fell.
        …_error: Monte-Carlo standard error of each.
        met: Whether ours is as good as asked, within two standard errors; None where nothing is.
        note: What else to know.
    """

    part: str
    method: str
    population: str
    clients: int
    epsilon: float | None
    rounds: int
    scenario: str
    repetitions: int
    false_alarm_rate: float | None = None
    false_alarm_error: float | None = None
    false_health_rate: float | None = None
    false_health_error: float | None = None
    joint_coverage: float | None = None
    joint_coverage_error: float | None = None
    mode: str | None = None
    effect: float | None = None
    power: float | None = None
    power_error: float | None = None
    power_reference: float | None = None
    delay: float | None = None
    delay_error: float | None = None
    delay_reference: float | None = None
    silent_rate: float | None = None
    silent_error: float | None = None
    met: bool | None = None
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready data; epsilon always, other fields only where they apply."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in data.items()
            if value is not None or name == "epsilon"
        }


def met(row: VerdictRow) -> bool | None:
    """Whether all that is asked of this row holds, within two standard errors of each number.

    At most 5% false alarms and at least 95% joint coverage, the reference power and delay, at most
    1% silent. None for baselines, and where an error of the reference itself is simulated.
    """
    if row.method not in OWN_METHOD or row.scenario == "shared-baseline":
        return None
    margins = [
        None if found is None or goal is None else sign * (goal - found) + 2 * (error or 0.0)
        for found, error, goal, sign in (
            (row.false_alarm_rate, row.false_alarm_error, FALSE_ALARMS, 1),
            (row.joint_coverage, row.joint_coverage_error, 1 - FALSE_ALARMS, -1),
            (row.power, row.power_error, row.power_reference, -1),
            (row.delay, row.delay_error, row.delay_reference, 1),
            (row.silent_rate, row.silent_error, SILENCES, 1),
        )
    ]
    asked = [margin for margin in margins if margin is not None]
    return all(margin >= 0 for margin in asked) if asked else None


def share(flags: Flags) -> tuple[float, float]:
    """The share of true values and its standard error, which is above 0 for none and for all.

    ``sqrt(p (1 - p) / n)`` at p = (k + 1/2) / (n + 1) (Jeffreys' posterior mean).
    """
    count = len(flags)
    smooth = (float(flags.sum()) + 0.5) / (count + 1)
    return float(flags.mean()), math.sqrt(smooth * (1 - smooth) / count)


def mean(values: Array) -> tuple[float, float] | tuple[None, None]:
    """Mean and standard error; None for fewer than two values."""
    if len(values) < 2:
        return None, None
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def errors(judged: Judged, truth: Array, tolerance: Array) -> dict[str, float]:
    """False alarms, false health and joint coverage, each as a share of the repetitions.

    Args:
        judged: What a method said.
        truth: (repetitions, rounds, modes).
        tolerance: (modes,).
    """
    found: dict[str, float] = {}
    wrong = judged.false_failure
    if wrong is None:
        wrong = judged.failure & (truth <= tolerance + EDGE)
    found["false_alarm_rate"], found["false_alarm_error"] = share(_ever(wrong))
    wrong = judged.false_health
    if wrong is None and judged.healthy is not None:
        wrong = judged.healthy & (truth >= tolerance - EDGE)
    if wrong is not None:
        found["false_health_rate"], found["false_health_error"] = share(_ever(wrong))
    if judged.missed is not None:
        held = ~_ever(judged.missed)
        found["joint_coverage"], found["joint_coverage_error"] = share(held)
    return found


def delays(failure: Flags, onset: int) -> tuple[Flags, Array]:
    """Whether and after how many rounds a change was found.

    Args:
        failure: (repetitions, rounds) alarms.
        onset: The first changed round, counted from 0; an alarm in it has delay 0. Runs that
            alarmed before it are counted as not found.

    Returns:
        (repetitions,) found, and the delays of those that were.
    """
    after = failure[:, onset:]
    found = _ever(after) & ~_ever(failure[:, :onset])
    return found, np.argmax(after, axis=1)[found].astype(np.float64)


def _ever(flags: Flags) -> Flags:
    """(repetitions,) whether any flag of a repetition is set."""
    found: Flags = np.logical_or.reduce(flags.reshape(len(flags), -1), axis=1)
    return found
