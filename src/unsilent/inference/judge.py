"""Judge: from the sums of all rounds so far to the findings of the last one.

A mode is FAILURE if the interval of any window of rounds lies above the tolerance, HEALTHY if both
guard windows, all rounds and the recent ones, lie below it, else UNDETERMINED. Nothing else turns
an absence of alarm into health, and nothing at all does where too many clients could not show that
the model they measured is the personalized one (``model_shown``). The intervals of all windows,
rounds and modes hold at once with probability ``1 - alpha`` (``bands``), so that neither the choice
of the window that is shown nor that of the round at which one looks costs anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from unsilent.errors import FindingsError
from unsilent.findings import Finding, Interval, Verdict, Visibility, Window
from unsilent.inference.ahead import Settling
from unsilent.inference.bands import (
    Band,
    Error,
    bands,
    bands_with,
    decide,
    interval_of,
)
from unsilent.inference.boundary import ErrorShares
from unsilent.inference.detail import clients_to_flip_in, onset_in, slope_in, worst_case_of
from unsilent.inference.estimate import Estimate
from unsilent.inference.model_shown import model_shown
from unsilent.inference.remedy import what_would_settle
from unsilent.inference.sampling import released_range
from unsilent.inference.series import Series, series_of, system_series
from unsilent.inference.subgroups import gate_of
from unsilent.inference.sums import Sums
from unsilent.inference.unlabelled import unlabelled
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan
from unsilent.release.coordinate import ACCURACY, LOSS
from unsilent.release.layout import Layout
from unsilent.release.release import Release
from unsilent.taxonomy import SilentFailure, by_code

POWER_QUANTILE = 0.84
"""Standard normal quantile of a power of 0.8."""

VISIBILITY_ERROR = Error(0.01, ErrorShares(0.8, 0.0, 0.2))
"""One-sided error, over all windows and rounds, of each bound that decides silent or loud. A
failure's window may be any, so the shorter ones have a fifth of it."""

VERDICTS: Mapping[int, Verdict] = {1: "failure", 0: "undetermined", -1: "healthy"}


def judge_rounds(
    plan: MonitoringPlan,
    layout: Layout,
    totals: Sequence[Release],
    *,
    first_alarms: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """The findings of the last round: the modes of ``plan.reported``, in the taxonomy's order.

    Args:
        plan: The plan that the clients released under.
        layout: ``Layout.from_plan(plan)``.
        totals: The sums of all rounds so far, rounds rising; the last one's round is the findings'.
            A missed round is simply not among them. An earlier sum of fewer clients than
            ``monitor.min_cohort`` is left out.
        first_alarms: Code to the first earlier round whose verdict was failure, for those that
            had one.

    Returns:
        Findings without oracle. With fewer clients than ``monitor.min_cohort`` in the last
        round there is no estimate and every planned mode is UNDETERMINED.

    Raises:
        FindingsError: There is no sum, rounds do not rise, or a sum is of another layout or of a
            round that the plan does not monitor: the error control counts the planned ones only.
    """
    if not totals:
        raise FindingsError("no round to judge", where="monitoring")
    planned = frozenset(plan.monitoring_rounds)
    for total in totals:
        if total.layout != layout.digest:
            raise FindingsError(
                "the release is of another layout than the plan's",
                where=f"round {total.round}",
                remedy="Give server and clients the same plan.",
            )
        if total.round not in planned:
            raise FindingsError(
                f"round {total.round} is not a monitoring round of the plan",
                where="monitor.rounds",
            )
    cohort, last = plan.monitor.min_cohort, totals[-1]
    used = [total for total in totals[:-1] if total.clients >= cohort]
    if last.clients >= cohort:
        used.append(last)
    alarms = first_alarms or {}
    judged = _Judged(plan, layout, Sums.of(layout, used) if used else None, last)
    return tuple(_judge_mode(judged, by_code(code), alarms.get(code)) for code in plan.reported)


@dataclass(frozen=True, eq=False)
class _Judged:
    """What all modes of a round are judged from.

    Attributes:
        plan, layout: As ``judge_rounds``.
        counting: The sums that count; None if there is none.
        last: The sum of the round, which may not be among them.
    """

    plan: MonitoringPlan
    layout: Layout
    counting: Sums | None
    last: Release

    @cached_property
    def system(self) -> dict[tuple[int, int], tuple[Interval, ...]]:
        """``system_intervals``; only failures ask for it, and they all get the same."""
        if self.counting is None:
            return {}
        return system_intervals(self.plan, self.layout, self.counting)


def visibility_error(plan: MonitoringPlan) -> Error:
    """``VISIBILITY_ERROR``; of a plan of several versions its part of it."""
    return replace(VISIBILITY_ERROR, level=VISIBILITY_ERROR.level * plan.share_of_error)


def visibility_of(intervals: Sequence[Interval], margin: float) -> Visibility:
    """Whether the system metrics show a failure.

    ``silent`` only if all are certified equivalent to no loss: each upper end lies below the
    margin, so with bounds of ``VISIBILITY_ERROR`` a metric that fell by more than the margin is
    called silent, at any round, with at most that probability. ``loud`` if a lower end lies above
    the margin. Else ``undetermined``: no alarm is not the same as nothing to hear.

    Args:
        intervals: Of the growth of loss and of the drop of accuracy, over the failure's window.
        margin: The plan's.
    """
    if not intervals or not all(math.isfinite(end) for each in intervals for end in each):
        raise FindingsError("a system metric is not a finite number")
    if max(upper for _, upper in intervals) < margin:
        return "silent"
    return "loud" if max(lower for lower, _ in intervals) > margin else "undetermined"


def system_intervals(
    plan: MonitoringPlan, layout: Layout, totals: Sequence[Release] | Sums
) -> dict[tuple[int, int], tuple[Interval, ...]]:
    """Intervals of the change of loss and accuracy, by the first and last round of each window.

    These clients' metrics on their own records are what a run shows today, whatever population
    the plan is about, so privacy noise, truncation and clipping are the only errors.
    """
    found: dict[tuple[int, int], tuple[Interval, ...]] = {}
    error = visibility_error(plan)
    for name in (LOSS, ACCURACY):
        series = system_series(layout, totals, name)
        for band in bands_with(plan, series, error, error):
            window = (band.first, band.last)
            found[window] = (*found.get(window, ()), interval_of(band))
    return found


def detectable(band: Band) -> float:
    """Distance beyond the tolerance that ends in FAILURE with a probability of 0.8.

    ``(critical value + 0.84) * sd``, and what else the lower end pays for: truncation and its like,
    what clipping may have added, clients who were missing.
    """
    low, effect = band.pooled.below, float(band.pooled.effect)
    moved = max(effect - float(low.centre), 0.0)
    return (float(band.reach[0]) + POWER_QUANTILE) * float(low.sd) + float(low.slack) + moved


def _judge_mode(judged: _Judged, failure: SilentFailure, first_alarm: int | None) -> Finding:
    """One finding of a round."""
    plan, layout, totals, last = judged.plan, judged.layout, judged.counting, judged.last
    code, planned, mode = failure.code, plan.mode(failure.mode), MODES[failure.code]
    blank = Finding(
        code=code,
        mode=failure.mode,
        layer=failure.layer,
        view=mode.view,
        statistic=mode.statistic,
        range=released_range(plan, code),
    )
    if planned is None:
        reason = f"not planned: the plan gives {failure.mode} no tolerance"
        return replace(blank, reason=reason)
    blank = replace(
        blank,
        clients=last.clients,
        tolerance=planned.tolerance,
        verdict="undetermined",
        first_alarm_round=first_alarm,
        fixed_items=plan.fixed_items({need.items: None for need in mode.needs}),
    )
    if totals is None or last.clients < plan.monitor.min_cohort:
        return replace(
            blank,
            reason=f"{last.clients} clients are fewer than the plan's min_cohort "
            f"{plan.monitor.min_cohort}, so no estimate is made",
        )
    series = series_of(plan, layout, totals, code)
    found = bands(plan, series)
    sign, position = decide(found, planned.tolerance)
    verdict, shown = VERDICTS[int(sign)], found[int(position)]
    estimate = series.window(shown.first, shown.last)
    model = model_shown(layout, totals, shown.first, shown.last)
    untold = unlabelled(plan, code, verdict, interval_of(shown))
    if untold is not None:
        verdict = "undetermined"
    to_flip = clients_to_flip_in(series, found, planned.tolerance, verdict)
    if verdict == "healthy" and model is not None and not model.trusted:
        # One client alone may have been what was too much.
        verdict, to_flip = "undetermined", 1
    failed = verdict == "failure"
    gate = gate_of(plan, layout, totals, code)
    reasons: list[str | None] = [None if gate is None or failed else gate.reason]
    if untold is not None:
        reasons.insert(0, untold)
    # A failure says nothing of it in words: its share stands in ``unshown``.
    unsure = None if model is None or failed else model.reason
    if verdict == "undetermined" and untold is None and (model is None or model.trusted):
        why = _reason(plan, series, found, int(position), estimate, planned.tolerance)
        reasons.insert(0, why)
    reasons.insert(0, unsure)
    visibility = None
    if failed:
        system = judged.system[shown.first, shown.last]
        visibility = visibility_of(system, plan.monitor.margin)
    return replace(
        blank,
        window=(shown.first, shown.last),
        windows=tuple(
            Window(band.first, band.last, float(band.pooled.effect), interval_of(band))
            for band in found
        ),
        effect=estimate.effect,
        interval=interval_of(shown),
        sampling_sd=estimate.sampling_sd,
        privacy_sd=estimate.privacy_sd,
        item_sd=estimate.item_sd,
        clients=estimate.clients,
        minimal_detectable_effect=min(detectable(band) for band in found),
        worst_case=worst_case_of(plan, series, shown),
        liars=to_flip,
        verdict=verdict,
        visibility=visibility,
        first_alarm_round=last.round if failed and first_alarm is None else first_alarm,
        clipped=estimate.clipped,
        unshown=None if model is None else model.unshown,
        differing=None if model is None else model.differing,
        onset=onset_in(plan, series, planned.tolerance) if failed else None,
        slope=slope_in(plan, series),
        subgroups=() if gate is None else gate.subgroups,
        reason="; ".join(filter(None, reasons)) or None,
    )


def _reason(
    plan: MonitoringPlan,
    series: Series,
    found: tuple[Band, ...],
    position: int,
    estimate: Estimate,
    tolerance: float,
) -> str:
    """Why the verdict is open, and what would settle it."""
    shown = found[position]
    side = 0 if estimate.effect > tolerance else 1
    end = shown.pooled.above if side else shown.pooled.below
    seen = replace(
        estimate,
        sampling_sd=float(end.sampling_sd),
        privacy_sd=float(end.privacy_sd),
        shared_sd=estimate.shared_sd * shown.pooled.share,
        truncation=float(end.slack),
    )
    return what_would_settle(
        plan,
        seen,
        interval_of(shown),
        tolerance,
        float(shown.reach[side]),
        centre=float(end.centre),
        missing=float(shown.pooled.share) < 1,
        rounds=int((series.rounds >= shown.first).sum()),
        later=Settling(plan, series, position, side),
    )
