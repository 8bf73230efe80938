"""A budget a year, kept by the client's own book and its own clock (``privacy.year``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unsilent.client.budget import Spent
from unsilent.errors import YearSpentError
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import EXACT, PrivacyEvent, epsilon, gaussian_delta, total_mu

YEAR_S = 365 * 24 * 3600
"""Seconds of the year that is counted back from each release."""


def moment_of(spent: Sequence[Spent], now: float) -> int:
    """When a release is made, in whole seconds: never before the newest in the book.

    A clock that was set back would make a year of what is not one yet.
    """
    return max([int(now), *(made.time for made in spent if made.time is not None)])


def within_a_year(spent: Sequence[Spent], now: int) -> list[PrivacyEvent]:
    """What releases cost that are less than 365 days old, under any plan.

    Those of which the book does not say when they were made count among them.
    """
    return [made.event for made in spent if made.time is None or now - made.time < YEAR_S]


def refuse_over_a_year(
    plan: MonitoringPlan, spent: Sequence[Spent], event: PrivacyEvent, now: int, where: Path
) -> None:
    """Refuse a release with which 365 days would cost more than the plan lets them.

    Args:
        plan: The plan; one without ``privacy.year`` refuses nothing.
        spent: The client's book.
        event: What the release would cost.
        now: ``moment_of``.
        where: The book's file.

    Raises:
        YearSpentError: Nothing was written.
    """
    year, delta = plan.privacy.year, plan.privacy.delta
    if year is None:
        return
    events = [*within_a_year(spent, now), event]
    if any(each.kind == EXACT for each in events):
        # No epsilon covers these; the budget of all years refuses them with its own words.
        return
    if gaussian_delta(year.epsilon, total_mu(events)) > delta:
        raise YearSpentError(
            f"with round {event.round} the releases of 365 days would cost this client epsilon "
            f"{epsilon(events, delta):.3f}, over the {year.epsilon:g} of a year",
            where=str(where),
            remedy="Nothing was sent. It can release again once the oldest of them is 365 days "
            "old; privacy.year.rounds counts on as many rounds as fall into a year.",
        )
