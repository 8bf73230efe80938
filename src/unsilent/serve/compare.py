"""Two runs side by side: what differs in the plans, and for each mode by how much the effects do.

The interval of a difference is the difference of the intervals, widest case: it holds whenever
both do, so with an error of at most the two plans' errors together.
"""

from __future__ import annotations

from dataclasses import dataclass

from unsilent.findings import Finding, Interval
from unsilent.plan import MonitoringPlan
from unsilent.report import charts, view
from unsilent.report.view import points
from unsilent.serve.reading import RunState


@dataclass(frozen=True)
class Difference:
    """One mode in two runs.

    Attributes:
        left, right: Its findings.
        effect: Right minus left; None if one of them has no estimate, or they measure otherwise.
        interval: Of that difference.
        words: What it shows, or why there is none.
        scale: From effects to the common axis of both bars; None without any estimate.
    """

    left: Finding
    right: Finding
    effect: float | None
    interval: Interval | None
    words: str
    scale: charts.Scale | None


def differences(left: RunState, right: RunState) -> tuple[Difference, ...]:
    """The modes of two runs that have findings; empty if one of them has none yet."""
    if left.findings is None or right.findings is None:
        return ()
    first = {each.code: each for each in left.findings.findings}
    second = {each.code: each for each in right.findings.findings}
    # A mode that only one of the plans names is not planned in the other.
    return tuple(
        _difference(first.get(code) or _left_out(other), second.get(code) or _left_out(other))
        for code, other in {**first, **second}.items()
    )


def _left_out(finding: Finding) -> Finding:
    return Finding(
        finding.code, finding.mode, finding.layer, finding.view, finding.statistic, finding.range
    )


def _difference(left: Finding, right: Finding) -> Difference:
    values = [0.0]
    for each in (left, right):
        if each.interval is not None:
            values += [*each.interval, each.tolerance or 0.0]
    scale = charts.scale(values, 6.0, charts.BAR_WIDTH - 6.0) if len(values) > 1 else None
    why = _why_not(left, right)
    if why is not None:
        return Difference(left, right, None, None, why, scale)
    effect = (right.effect or 0.0) - (left.effect or 0.0)
    first, second = left.interval or (0.0, 0.0), right.interval or (0.0, 0.0)
    interval = (second[0] - first[1], second[1] - first[0])
    return Difference(left, right, effect, interval, _words(interval), scale)


def _why_not(left: Finding, right: Finding) -> str | None:
    if left.interval is None or right.interval is None:
        return "No difference is known: one of the runs has no estimate."
    told = [(each.code, each.statistic, each.view, each.range) for each in (left, right)]
    if told[0] != told[1]:
        return "Not comparable: the two plans measure or clip this mode otherwise."
    return None


def _words(interval: Interval) -> str:
    low, high = interval
    if low > 0:
        return "Evidence that B is worse than A."
    if high < 0:
        return "Evidence that A is worse than B."
    most = max(-low, high)
    return f"No difference is shown; one of up to {points(most)} points is not ruled out."


def plan_differences(left: MonitoringPlan, right: MonitoringPlan) -> list[tuple[str, str, str]]:
    """Keys whose values differ, with both values in words."""
    first, second = (dict(view.flat(plan.to_json(), empty="none")) for plan in (left, right))
    keys = dict.fromkeys([*first, *second])
    found = [(key, first.get(key, "not set"), second.get(key, "not set")) for key in keys]
    return [each for each in found if each[1] != each[2]]
