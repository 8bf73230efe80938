"""Succession: what of the verdicts goes on when one plan follows another, and what begins anew.

Error first. All versions share ``versions.alpha``; each has its own ``monitor.alpha`` of it, fixed
before its first round, and whatever a version had is gone once it began, however early it ended:
which rounds it did not use may depend on what it saw, and error that is given back by such a choice
is not controlled. Given all that was seen before, the later version's own noise is drawn anew, so
that it errs with at most its own part; by the union bound all versions together err with at most
``versions.alpha``. What is drawn only once, sampled clients and probes, is the same in all of them:
there the later plan has to be one that its authors would have chosen whatever they had seen.

Evidence second. Of plans without a last round (``open-ended``) that ask the same question the very
same e-processes go on: their error was declared for all rounds there will ever be, so that it is no
second part. Each is tuned as before the first round, whatever later plans say, for a tuning that
follows the data is none; and a client's noise stays what it was, for it is the process's clock. Any
other plan asks another question, and all begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import PrivateAttr

from unsilent.ledger.run_view import Version
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import Layout
from unsilent.release.noise import share_variance

_FREE: dict[str, tuple[str, ...]] = {
    "monitor": ("timeout", "rounds"),
    "privacy": ("epsilon", "year", "dropout", "collusion", "aggregation", "secure_sum"),
    "federation": ("rounds", "workers"),
}
"""Keys by section in which two plans may differ and still ask the same question."""
_FREE_SECTIONS = ("name", "versions", "governance", "gate")


class ContinuedPlan(MonitoringPlan):
    """A plan whose verdicts go on from those of plans before it: for judging, and never to run."""

    _rounds: tuple[int, ...] = PrivateAttr(default=())
    _origin: MonitoringPlan | None = PrivateAttr(default=None)

    @property
    def monitoring_rounds(self) -> tuple[int, ...]:
        """The rounds of all versions whose verdicts are one."""
        return self._rounds

    @property
    def tuned_by(self) -> MonitoringPlan:
        """The first of these versions."""
        return self._origin or self


def goes_on(before: MonitoringPlan, after: MonitoringPlan) -> bool:
    """Whether a plan asks the same question as the one before it, open-ended both.

    Modes, tolerances, clips, population, items, reference, model, probes, clients and error are the
    same, and so are the sums' layout and each client's share of the noise. How many rounds there
    are, masking, and who is told may differ. A plan that asks for performance begins anew.
    """
    if before.absent or after.absent or after.performance is not None:
        return False
    if {before.monitor.control, after.monitor.control} != {"open-ended"}:
        return False
    if _question(before) != _question(after):
        return False
    if share_variance(before) != share_variance(after):
        return False
    return Layout.from_plan(before).digest == Layout.from_plan(after).digest


def _question(plan: MonitoringPlan) -> dict[str, Any]:
    data = {key: part for key, part in plan.to_json().items() if key not in _FREE_SECTIONS}
    for section, keys in _FREE.items():
        data[section] = {key: part for key, part in data[section].items() if key not in keys}
    return data


def since(versions: Sequence[Version]) -> int:
    """The first training round whose sums the verdicts of the plan in force rest on."""
    return _segment(versions)[0].first


def judged_as(versions: Sequence[Version]) -> MonitoringPlan:
    """The plan that sums are judged by: the one in force, and what goes on through it."""
    segment = _segment(versions)
    last = segment[-1].plan
    if len(segment) == 1:
        return last
    plan = ContinuedPlan.model_validate(last.to_json())
    plan._origin = segment[0].plan  # pyright: ignore[reportPrivateUsage]
    plan._rounds = tuple(  # pyright: ignore[reportPrivateUsage]
        number
        for version in segment
        for number in version.plan.monitoring_rounds
        if version.last is None or number <= version.last
    )
    return plan


def error_spent(versions: Sequence[Version]) -> float:
    """What versions have of ``versions.alpha`` together; one that goes on has no own part."""
    return sum(each.plan.monitor.alpha for each in versions if not each.goes_on)


def _segment(versions: Sequence[Version]) -> Sequence[Version]:
    start = max(place for place, each in enumerate(versions) if place == 0 or not each.goes_on)
    return versions[start:]
