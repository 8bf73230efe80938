"""What the figures promise, in words: what they protect, from whom, how much, and what they do not.

The one place for these words. What is protected is what a client's numbers were, not that it took
part: the adapters that it helped to make are given.

The chance of a right guess is exact: between two neighbouring inputs, equally likely beforehand, no
test of a mu-GDP mechanism is right more often than Phi(mu / 2) (Dong, Roth and Su 2022, section
2.1, the trade-off function at equal errors).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import PrivacyEvent, epsilon, total_mu
from unsilent.release.noise import planned_cohort, planned_event, smallest_cohort
from unsilent.release.record_unit import RECORD_CONDITION

STOPPED = "The budget was spent"

GIVEN = (
    "Protected is what one client's numbers were, given the adapters: all personalized ones and "
    "the aggregated ones, as they are."
)

TAKING_PART = (
    "Taking part is not protected, in training or in monitoring: who answers is seen, and how many "
    "clients are in each sum is published."
)

TRAINING = (
    "What training leaks is not protected: adapters depend on every record that they were trained "
    "on, and the epsilon counts the monitoring releases only."
)

OTHERS = (
    "Nor is what a client does to the others' numbers: its update changes the aggregated adapter, "
    "which all others personalize and are measured on. In simulated federations of 128 clients one "
    "ordinary client moved the sum of the others' vectors by 0.11 of the joint clip in one round "
    "(sd 0.06, at most 0.27) and by 0.45 over ten rounds (sd 0.21, at most 1.01); one with all "
    "labels turned and ten times the data by 2.8 (sd 1.4) and by 34 (sd 6.1). A client's own "
    "numbers add at most 1 to a sum."
)
"""The figures are from ``benchmarks/influence_through_aggregate.py``: mean, standard deviation and
largest of 20 clients in five federations."""

NO_PRIVACY = (
    'There is no differential privacy here (privacy.unit "none"): nothing is added to the numbers, '
    "and nothing is promised about what can be inferred from their sums."
)

EXACT_SUMS = (
    "What is in a sum is exact: whoever knows the numbers of all of its clients but one reads off "
    "the last one's, so that N - 1 sites of N together see the last one's numbers."
)

NO_EPSILON_FOR_TRAINING = (
    "What training leaks is not protected: adapters depend on every record that they were trained "
    "on."
)

EXACT_ON_PROBES = (
    "Numbers on public probes, which no evaluation record reaches, carry no noise: in a sum they "
    "are exact, and N - 1 sites of N together see the last one's."
)

LARGEST_USUAL = 20.0
"""From here on an epsilon is called what it is: a guess is right in all but one of 10^8 cases."""

PLAIN_CAVEAT = (
    "Aggregation is plain: the server receives each client's noised vector by itself, with only "
    "that client's share of the noise, so this does not hold against the server."
)

SECURE_SUM_CAVEAT = (
    "Aggregation is a secure sum: the server received masked vectors and learnt what they add up "
    "to, unless more clients sided with it than the plan reckons with."
)


def scope(plan: MonitoringPlan) -> tuple[str, ...]:
    """What the figures of a plan are about, and what they are not, a sentence each.

    Every place that speaks of them says these: contract, findings, report, evidence, README.
    """
    if not plan.privacy.private:
        return (NO_PRIVACY, EXACT_SUMS, TAKING_PART, NO_EPSILON_FOR_TRAINING)
    plain = (PLAIN_CAVEAT,) if plan.privacy.aggregation == "plain" else ()
    weak = weakness(plan)
    cap = capped(plan)
    if plan.privacy.unit == "record":
        # An evaluation record is in no update, so it does nothing to the others.
        exact = () if plan.earlier else (EXACT_ON_PROBES,)
        training = trained(plan) or (TRAINING,)
        return (RECORD_CONDITION, *exact, *plain, *weak, *cap, *years(plan), TAKING_PART, *training)
    return (GIVEN, *plain, *weak, *cap, *years(plan), TAKING_PART, TRAINING, OTHERS)


def capped(plan: MonitoringPlan) -> tuple[str, ...]:
    """That a client is in few of the sums (``privacy.rounds_per_client``); nothing if in all."""
    most, rounds = plan.releases_per_client, len(plan.monitoring_rounds)
    if not plan.privacy.private or most == rounds:
        return ()
    return (
        f"The figures count on each client being in at most {most} of {rounds} sums "
        "(privacy.rounds_per_client): its own folder counts its releases, and it refuses a further "
        "one, whatever a server asks. That clients are drawn is not counted on.",
    )


def years(plan: MonitoringPlan) -> tuple[str, ...]:
    """What a year costs, and all of them together; what plans that follow one another share.

    What is spent in one year is not given back in the next: both figures stand side by side.
    """
    privacy, found = plan.privacy, list[str]()
    if not privacy.private:
        return ()
    if privacy.year is not None:
        rounds = plan.monitoring_rounds
        price = planned_event(plan, rounds[0])
        whole = epsilon([price] * len(rounds), privacy.delta)
        found.append(
            f"The releases of any 365 days cost a client at most epsilon {privacy.year.epsilon:g} "
            f"(privacy.year): its own book counts them by its own clock, and it refuses a further "
            f"one. Years add up: all {len(rounds)} rounds of this plan together cost epsilon "
            f"{whole:.3g}."
        )
    if plan.versions is not None and plan.versions.epsilon is not None:
        found.append(
            "This plan is one of several that may follow one another: under all of them together a "
            f"client spends at most epsilon {plan.versions.epsilon:g} (versions.epsilon), and "
            f"under this one {privacy.epsilon:g}."
        )
    return tuple(found)


def weakness(plan: MonitoringPlan) -> tuple[str, ...]:
    """That an epsilon protects nobody, for one above ``LARGEST_USUAL``; nothing for others.

    Plans of the first schema were published without it.
    """
    privacy = plan.privacy
    if plan.earlier or not privacy.private or privacy.epsilon <= LARGEST_USUAL:
        return ()
    return (
        f"Epsilon {privacy.epsilon:g} is no protection in any usual sense; privacy.unit "
        '"none" says so honestly, and adds no noise.',
    )


def trained(plan: MonitoringPlan) -> tuple[str, ...]:
    """What is promised about training records, a sentence each; nothing where nothing is."""
    training, privacy = plan.privacy.training, plan.privacy
    if training is None:
        return ()
    weak = (
        ()
        if training.epsilon <= LARGEST_USUAL
        else (f"Epsilon {training.epsilon:g} of training is no protection in any usual sense.",)
    )
    return (
        "Training records are protected by how adapters were trained, record by record "
        f"({training.mechanism}): the plan declares at most epsilon {training.epsilon:g} at delta "
        f"{training.delta:g} for one that is added or left out, and a client releases nothing "
        "where the record of its own training says more, or where there is none. What is measured "
        "of such adapters is post-processing and costs these records nothing more.",
        *weak,
        "Of one training record and one evaluation record together it is epsilon "
        f"{training.epsilon + privacy.epsilon:g} at delta {training.delta + privacy.delta:g}, "
        "training and monitoring composed; so it is of a record that was both.",
        "It holds if the record of training tells all training on these records that adapters have "
        "seen, whichever adapter it was and personalization included; nobody can check that from "
        "outside. What an app itself reports of its training, loss and accuracy above all, is not "
        "in it.",
    )


def conditions(plan: MonitoringPlan) -> tuple[str, ...]:
    """The scope, and for a secure sum what the server learnt by it, once there were releases."""
    summed = plan.privacy.aggregation == "secure-sum"
    return (*scope(plan), SECURE_SUM_CAVEAT, *_of_lies(plan)) if summed else scope(plan)


def claim(plan: MonitoringPlan, spent: float) -> str:
    """The promise itself: what can be told, by whom, and how well.

    Args:
        plan: Its unit and adjacency say what about.
        spent: Epsilon of the releases that are meant, at the plan's delta.
    """
    if not plan.privacy.private:
        return "Of the published sums nothing is promised: they are exact."
    return (
        f"Whoever sees the published sums, and knows {_all_else(plan)}, can tell "
        f"{_question(plan)} only as well as epsilon {spent:.2f} at delta "
        f"{plan.privacy.delta:g} allows."
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
    most = min(releases, plan.privacy.rounds_per_client or releases)
    times = "once" if most == 1 else f"{most} times"
    times = times if most == releases else f"at most {times} in {releases} rounds"
    kind = "noised" if plan.privacy.private else "exact"
    sentences = [
        f"Each client released one {kind} vector {times}.",
        claim(plan, spent),
        *conditions(plan),
    ]
    if stopped_after is not None:
        after = f"after round {stopped_after}" if stopped_after else "before any round was judged"
        sentences.append(
            f"{STOPPED} {after}: monitoring stopped there, nothing was released "
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


def chance_of_a_right_guess(events: Sequence[PrivacyEvent], most: int | None = None) -> float:
    """The largest probability of guessing right, from 0.5 (a coin) to 1.

    Args:
        events: All releases.
        most: How many of them any one client is in; None if that may be all.
    """
    return 0.5 * (1 + math.erf(total_mu(events, most) / (2 * math.sqrt(2))))


def for_a_lawyer(plan: MonitoringPlan, events: Sequence[PrivacyEvent]) -> str:
    """What was spent, as one sentence for someone who knows no epsilon.

    It holds as ``conditions`` says.
    """
    if not events:
        return "Nothing has been released, so nothing can be learnt from it."
    if not plan.privacy.private:
        return (
            "Someone who sees everything that was published so far and knows all other clients' "
            "numbers reads off one given client's: they were added up as they are."
        )
    chance = chance_of_a_right_guess(events, plan.privacy.rounds_per_client)
    return (
        f"Someone who sees everything that was published so far, already knows {_all_else(plan)} "
        f"and has unlimited computers, guesses {_guess(plan)} right at most "
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
        return "one given client's numbers from any others in their place"
    return "one given client's numbers from zeros in their place"


def _guess(plan: MonitoringPlan) -> str:
    if plan.privacy.unit == "record":
        return "what one given evaluation record says"
    if plan.privacy.adjacency == "replace-one":
        return "which of two sets of numbers one given client had"
    return "whether one given client's numbers or zeros in their place were added"


def _all_else(plan: MonitoringPlan) -> str:
    own = "all other records" if plan.privacy.unit == "record" else "all other clients' numbers"
    return f"the adapters and {own}"
