"""What the figures promise, in words: whom they protect, from what, and how much.

The chance of a right guess is exact: between two neighbouring inputs, equally likely beforehand, no
test of a mu-GDP mechanism is right more often than Phi(mu / 2) (Dong, Roth and Su 2022, section
2.1, the trade-off function at equal errors).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, total_mu
from unsilent.release.noise import planned_cohort, smallest_cohort
from unsilent.release.record_unit import RECORD_CONDITION

PLAIN_CAVEAT = (
    "Aggregation is plain: the server receives each client's noised vector by itself, with only "
    "that client's share of the noise, so this does not hold against the server."
)

SECURE_SUM_CAVEAT = (
    "Aggregation is a secure sum: the server received masked vectors and learnt what they add up "
    "to, unless more clients sided with it than the plan reckons with."
)


def statement(
    plan: MonitoringPlan, spent: float, releases: int, *, stopped_after: int | None = None
) -> str:
    """What a run's figures promise, in plain words.

    Args:
        plan: Its unit, adjacency and aggregation say what the figures are about.
        spent: Epsilon of the releases so far.
        releases: How many there were.
        stopped_after: The last round that was judged before the budget was spent and monitoring
            stopped, 0 if there was none; None if it was not stopped.
    """
    privacy = plan.privacy
    times = "once" if releases == 1 else f"{releases} times"
    sentences = [
        f"Each client released one noised vector {times}. Whoever sees the published sums, and "
        f"knows {_all_else(plan)}, can tell {_question(plan)} only as well as "
        f"epsilon {spent:.2f} at delta {privacy.delta:g} allows."
    ]
    if privacy.unit == "record":
        sentences.append(RECORD_CONDITION)
    plain = privacy.aggregation == "plain"
    sentences.append(PLAIN_CAVEAT if plain else SECURE_SUM_CAVEAT)
    sentences += _of_lies(plan)
    if stopped_after is not None:
        after = f"after round {stopped_after}" if stopped_after else "before any round was judged"
        sentences.append(
            f"The budget was spent {after}: monitoring stopped there, nothing was released "
            "later, and what happened since is not known."
        )
    return " ".join(sentences)


def _of_lies(plan: MonitoringPlan) -> list[str]:
    """What a server could learn of a plan that does without signatures which it needs."""
    try:
        smallest = smallest_cohort(plan)
    except PlanError:
        # No new run of such a plan begins; one of an earlier version can be told of.
        seen = "single vectors, which this does not count on"
    else:
        if smallest == planned_cohort(plan):
            return []
        seen = f"a sum of only {smallest} honest clients, which this counts on"
    return [
        "Clients did not sign who is in a sum: a server that told them different things may have "
        f"learnt {seen}."
    ]


def chance_of_a_right_guess(events: Sequence[PrivacyEvent]) -> float:
    """The largest probability of guessing right, from 0.5 (a coin) to 1."""
    return 0.5 * (1 + math.erf(total_mu(events) / (2 * math.sqrt(2))))


def for_a_lawyer(plan: MonitoringPlan, events: Sequence[PrivacyEvent]) -> str:
    """What was spent, as one sentence for someone who knows no epsilon."""
    if not events:
        return "Nothing has been released, so nothing can be learnt from it."
    chance = chance_of_a_right_guess(events)
    given = "the adapters and " if plan.privacy.unit == "record" else ""
    return (
        f"Someone who sees everything that was published so far, already knows {given}"
        f"{_all_else(plan)} and has unlimited computers, guesses {_question(plan)} right at most "
        f"{_of_hundred(chance)} times in 100, where tossing a coin is right 50 times."
    )


def _of_hundred(chance: float) -> str:
    # Never fewer than it is, and never 100 for what is less.
    hundredths = math.ceil(chance * 100 - 1e-9)
    return str(hundredths) if hundredths < 100 else f"{math.floor(chance * 1e4) / 100:.2f}"


def _question(plan: MonitoringPlan) -> str:
    if plan.privacy.unit == "record":
        return "what one given evaluation record says"
    if plan.privacy.adjacency == "replace-one":
        return "which of two clients took part in a given one's place"
    return "whether one given client took part"


def _all_else(plan: MonitoringPlan) -> str:
    return "all other records" if plan.privacy.unit == "record" else "all other clients"
