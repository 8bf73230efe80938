"""Details: what a finding says beside its verdict, all of it from the same series and bands.

None of it decides anything. Onset and slope have an error of their own, the mode's part of the
plan's ``alpha`` again, so that over all modes and rounds they hold with probability
``1 - alpha`` too, each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from unsilent.findings import ActiveInfluence, Finding, Interval, Onset, Slope, Verdict
from unsilent.inference.bands import Band, interval_of, mode_level
from unsilent.inference.boundary import as_rounds
from unsilent.inference.byzantine import clients_to_flip
from unsilent.inference.estimate import Estimate
from unsilent.inference.influence import read_influences
from unsilent.inference.missing import worst_case
from unsilent.inference.onset import onset_of
from unsilent.inference.series import Series
from unsilent.inference.slope import slope_of
from unsilent.plan import MonitoringPlan


def worst_case_of(plan: MonitoringPlan, series: Series, shown: Band) -> Interval:
    """Bounds on the mean over all enrolled clients in the rounds of a window, missed ones too.

    The interval speaks of all who were asked in the judged rounds already.
    """
    judged = (series.rounds >= shown.first) & (series.rounds <= shown.last)
    planned = as_rounds(plan.monitoring_rounds)
    rounds = int(((planned >= shown.first) & (planned <= shown.last)).sum())
    clients = series.asked[judged].tolist()
    # A simulation or a damaged plan may count more than are enrolled.
    enrolled = [max(plan.federation.clients, count) for count in clients]
    missed = rounds - len(clients)
    clients, enrolled = [*clients, 0], [*enrolled, missed * plan.federation.clients]
    return worst_case(interval_of(shown), clients, enrolled, (series.lower, series.upper))


def clients_to_flip_in(
    series: Series, found: Sequence[Band], tolerance: float, verdict: Verdict
) -> int | None:
    """The fewest clients who, by lying within their range, could have made another verdict.

    A failure is no longer one only if no window shows it, so the window that withstands most
    counts; any window can make one; health needs both guards.
    """
    # A liar moves its number over the range, and what it reports of its clipping as well.
    span = series.upper - series.lower + series.sampling.clip
    counts = [
        clients_to_flip(
            _wider(series, band), interval_of(band), tolerance, span, float(max(band.reach))
        )
        for band in found
    ]
    if verdict == "failure":
        failing = [
            count.any
            for count, band in zip(counts, found, strict=True)
            if float(band.lower) > tolerance
        ]
        known = [count for count in failing if count is not None]
        return max(known) if len(known) == len(failing) else None
    ways = [count.failure for count in counts if count.failure is not None]
    guards = [
        (count, float(band.upper) < tolerance)
        for count, band in zip(counts[:2], found[:2], strict=True)
    ]
    if verdict == "healthy":
        ways += [count.undetermined for count, _ in guards if count.undetermined is not None]
    else:
        health = [0 if below else count.healthy for count, below in guards]
        reached = [count for count in health if count is not None]
        if len(reached) == len(health):
            ways.append(max(reached))
    return min(ways, default=None)


def _wider(series: Series, band: Band) -> Estimate:
    """A window's estimate with the sds of its less certain end."""
    side = max(band.pooled.below, band.pooled.above, key=lambda each: float(each.sd))
    return replace(
        series.window(band.first, band.last),
        sampling_sd=float(side.sampling_sd),
        privacy_sd=float(side.privacy_sd),
    )


def onset_in(plan: MonitoringPlan, series: Series, tolerance: float) -> Onset | None:
    """In which rounds a failing mode may have begun to fail; None if the rounds contradict it.

    What is first seen in a judged round may have begun in any training round since the judged one
    before it.
    """
    found = onset_of(series, tolerance, mode_level(plan, series.code))
    if found is None:
        return None
    sudden = found.sudden
    if sudden is not None:
        sudden = (_since(series, sudden[0]), sudden[1])
    return Onset(_since(series, found.first), found.last, sudden)


def _since(series: Series, judged: int) -> int:
    """The training round after the judged round before this one; 1 if there was none."""
    earlier = series.rounds[series.rounds < judged]
    return int(earlier[-1]) + 1 if len(earlier) else 1


def slope_in(plan: MonitoringPlan, series: Series) -> Slope | None:
    """Growth of the effect a training round; None while the rounds say nothing of it."""
    ends = plan.monitoring_rounds if plan.monitor.control == "horizon" else None
    found = slope_of(series, mode_level(plan, series.code), ends)
    if found is None or not all(math.isfinite(end) for end in found.interval):
        return None
    return found


def influences_of(findings: Sequence[Finding]) -> tuple[ActiveInfluence, ...]:
    """The arrows between failing modes, read by when these began."""
    onsets = {
        finding.code: None if finding.onset is None else (finding.onset.first, finding.onset.last)
        for finding in findings
        if finding.verdict == "failure"
    }
    return read_influences(onsets)
