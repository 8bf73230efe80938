"""Open text of which no answer was labelled: what the judge says, and how wrong it may be.

An interval of a judge's ratings holds what the judge would say of all texts, and nothing of how it
errs. An error that differs between the adapters is what would look like a failure, or hide one. So
there is no verdict, and in its place how large that difference may be before it would turn.
"""

from __future__ import annotations

from unsilent.findings import Interval, Verdict
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_OF
from unsilent.taxonomy import by_code


def is_unlabelled(plan: MonitoringPlan, code: str) -> bool:
    """Whether a mode is one of open text of which no answer is labelled."""
    asked = plan.roles(code)
    return any(role in LABELLED_OF and LABELLED_OF[role] not in asked for role in asked)


def unlabelled(plan: MonitoringPlan, code: str, verdict: Verdict, interval: Interval) -> str | None:
    """Why a mode of open text gets no verdict; None where it may get one, and for other modes.

    Args:
        plan: Says whether answers are labelled.
        code: A planned mode.
        verdict: What it would be if the judge were never wrong.
        interval: Of the judge's ratings.
    """
    if not is_unlabelled(plan, code):
        return None
    labels = [LABELLED_OF[role] for role in plan.roles(code) if role in LABELLED_OF]
    planned = plan.mode(by_code(code).mode)
    tolerance = 0.0 if planned is None else planned.tolerance
    said = "no answer is labelled, so nothing is known of the judge's own error"
    remedy = f"name answers that people labelled in probes.{labels[0]}"
    apart = {"failure": interval[0] - tolerance, "healthy": tolerance - interval[1]}.get(verdict)
    if apart is None:
        return f"{said}; by the judge alone it would be open as well ({remedy})"
    return (
        f"{said}; by the judge alone it would be {verdict.upper()}, unless its error differs "
        f"between the two adapters by more than {100 * apart:.1f} points ({remedy})"
    )
