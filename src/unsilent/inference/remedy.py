"""What would settle a verdict that is UNDETERMINED: clients, rounds, records or budget.

Each way is computed alone, from the judge's own estimate and critical value, for an effect that
stays where it is: how small its sd has to be follows from its distance to the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from unsilent.findings import Interval
from unsilent.inference.ahead import Settling
from unsilent.inference.estimate import Estimate
from unsilent.modes import MODES
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.plan.open_text import LABELLED_ROLES
from unsilent.plan.probes import LARGEST_BANK, LARGEST_SET
from unsilent.release.accountant import gaussian_delta, total_mu
from unsilent.release.noise import planned_event

MOST = 100
"""Times as many clients or records as now: more than that is out of reach."""
LARGEST_EPSILON = 20.0
"""More is no protection to speak of, and no advice."""


def what_would_settle(
    plan: MonitoringPlan,
    estimate: Estimate,
    interval: Interval,
    tolerance: float,
    critical: float,
    *,
    centre: float | None = None,
    missing: bool = False,
    rounds: int = 1,
    later: Sequence[float] = (),
) -> str:
    """Why the verdict is UNDETERMINED and what would decide it if the effect stayed.

    Args:
        plan: The plan.
        estimate: The mode's estimate over the window of monitoring rounds that came nearest to a
            verdict, with the sds of the interval's end on the side where the tolerance lies.
        interval: The interval, which holds the tolerance.
        tolerance: The mode's tolerance.
        critical: The interval's critical value on the side where the tolerance lies: of its
            lower end for an effect above the tolerance, else of its upper end.
        centre: What that end is reckoned from, see ``series.Side``; the effect by default.
        missing: Whether clients who were asked are not in the sums.
        rounds: How many monitoring rounds are in the window.
        later: The critical values of the same window, on that side, once 1, 2, … more planned
            monitoring rounds have joined it; empty after the last.

    Returns:
        One sentence for people.
    """
    (lower, upper), full = interval, estimate.sd
    centre = estimate.effect if centre is None else centre
    why = f"the interval {lower:+.3f} to {upper:+.3f} holds the tolerance {tolerance:g}"
    distance, whole = abs(centre - tolerance), estimate
    if (centre > tolerance) != (estimate.effect > tolerance):
        # What clipping or missing clients may have done lies between the effect and the tolerance.
        distance = 0.0
    fixed = estimate.truncation
    # Without any error there is nothing to reach over.
    needed = (distance - fixed) / (critical or 1.0)
    # What the choice of probes adds stays whatever is done about the rest.
    sd = math.sqrt(max(needed**2 - estimate.shared_sd**2, 0.0)) if needed > 0 else needed
    ways: list[str] = []
    more = decisive_rounds(estimate, distance - fixed, rounds, later)
    if more is not None:
        ways.append(f"{more} more of the {len(later)} planned monitoring rounds still to come")
    probes = decisive_probes(estimate, needed)
    if probes is not None and probes <= _most_probes(plan, estimate.code):
        larger = f"a bank of probes {probes:.2g} times as large"
        ways.append(larger if _drawn(plan, estimate.code) else f"{probes:.2g} times as many probes")
    sampling, estimate = estimate.sampling_sd, _without_probes(estimate)
    clients = decisive_clients(estimate, sd)
    if clients is not None:
        ways.append(f"about {clients} clients")
    records = decisive_records(plan, estimate, sd)
    if records is not None:
        ways.append(f"about {records} held-out records a client")
    budget = decisive_epsilon(plan, estimate, sd)
    if budget is not None:
        ways.append(f"epsilon {budget:.3g}")
    if not ways:
        apart = abs(whole.effect - tolerance)
        if apart > critical * full + fixed:
            cause, remedy = "clipping may hide", "raise the modes' clips"
            if missing:
                cause, remedy = f"missing clients or {cause}", f"reach all clients, or {remedy}"
            return f"{why} only for what {cause}; {remedy} to settle it"
        if apart <= full:
            return (
                f"{why}; nothing within reach would settle it: the estimate lies at the tolerance"
            )
        return f"{why}; nothing within reach would settle it: {_most_of(plan, whole)}"
    text = f"{why}; {_either(ways)} would settle it if the effect stayed {estimate.effect:+.3f}"
    if more is not None or estimate.privacy_sd <= sampling:
        return text
    if later:
        return f"{text}; the {len(later)} planned monitoring rounds still to come would not"
    return f"{text}; more rounds at the same epsilon would not, each would carry more noise"


def decisive_rounds(
    estimate: Estimate, room: float, rounds: int, later: Sequence[float]
) -> int | None:
    """How many of the planned rounds still to come bring the half-width down to ``room``, or None.

    Privacy noise is drawn anew each round, so its variance in the window's mean falls with the
    number of rounds; the same clients and records come back, so the sampling part stays.

    Args:
        estimate: Over a window of ``rounds`` monitoring rounds.
        room: The half-width that is needed, truncation apart.
        rounds: At least 1.
        later: Critical values with 1, 2, … more rounds.
    """
    more = np.arange(1, len(later) + 1)
    sd = np.hypot(estimate.sampling_sd, estimate.privacy_sd * np.sqrt(rounds / (rounds + more)))
    limits = room / np.maximum(sd, 1e-300)
    if isinstance(later, Settling):
        place = later.first_below(limits)
        return None if place is None else place + 1
    below = np.flatnonzero(np.asarray(later) < limits)
    return int(below[0]) + 1 if len(below) else None


def decisive_probes(estimate: Estimate, sd: float) -> float | None:
    """How many times as many probes bring the effect's sd down to ``sd``, or None.

    Only for items like these; their part of the variance falls with one over their number. Rounded
    up to a tenth; None beyond ``MOST``.
    """
    shared = estimate.shared_sd**2
    left = sd**2 - (estimate.sd**2 - shared)
    if not shared > 0 or not sd > 0 or not left > 0:
        return None
    times = math.ceil(10 * shared / left - 1e-9) / 10
    return times if times <= MOST else None


def _most_probes(plan: MonitoringPlan, code: str) -> float:
    """How many times as many probes a plan could ask of each of a mode's sets."""
    largest = max(plan.bank(role) for role in plan.roles(code))
    return (LARGEST_BANK if _drawn(plan, code) else LARGEST_SET) / largest


def _drawn(plan: MonitoringPlan, code: str) -> bool:
    """Whether clients draw a mode's items from a larger bank."""
    roles: list[ItemRole] = [role for role in plan.roles(code) if role != "records"]
    return any(plan.bank(role) > plan.probes.size(role) for role in roles)


def _without_probes(estimate: Estimate) -> Estimate:
    """The estimate as if the probes were taken as they are."""
    sampling = math.sqrt(max(estimate.sampling_sd**2 - estimate.shared_sd**2, 0.0))
    return replace(estimate, sampling_sd=sampling, shared_sd=0.0)


def decisive_clients(estimate: Estimate, sd: float) -> int | None:
    """Smallest number of clients at which the effect's sd would be ``sd``, or None.

    Sampling variance falls with 1 / N and privacy variance with 1 / N^2, so with f = N / N':
    ``privacy^2 f^2 + sampling^2 f = sd^2``. None beyond ``MOST`` times as many, and where there is
    no error that clients could make smaller.
    """
    if not sd > 0 or not estimate.sd > 0:
        return None
    sampling, privacy = estimate.sampling_sd**2, estimate.privacy_sd**2
    # The root of the quadratic in the form that is stable for small privacy noise.
    scale = 2 * sd**2 / (sampling + math.sqrt(sampling**2 + 4 * privacy * sd**2))
    needed = math.ceil(estimate.clients / scale - 1e-9)
    return needed if needed <= MOST * estimate.clients else None


def decisive_records(plan: MonitoringPlan, estimate: Estimate, sd: float) -> int | None:
    """Held-out records a client at which the effect's sd would be ``sd``, or None.

    Only where records are sampled: private records on enrolled clients, and only where their
    part is the larger one. The variance of a mean falls with 1 / n. None beyond ``MOST`` times
    as many.
    """
    mode = MODES[estimate.code]
    sampled = mode.view == "client_private" and plan.monitor.population == "enrolled"
    left = sd**2 - estimate.privacy_sd**2
    if not sampled or not sd > 0 or not left > 0 or estimate.sampling_sd <= estimate.privacy_sd:
        return None
    times = estimate.sampling_sd**2 / left
    if times > MOST:
        return None
    return math.ceil(plan.federation.held_out * max(times, 1.0) - 1e-9)


def decisive_epsilon(plan: MonitoringPlan, estimate: Estimate, sd: float) -> float | None:
    """Smallest epsilon, rounded up, at which the effect's sd would be ``sd``, or None.

    Only the privacy part shrinks, in proportion to sigma; epsilon follows from that sigma.
    None if sampling alone is too wide, or beyond ``LARGEST_EPSILON``.
    """
    left = sd**2 - estimate.sampling_sd**2
    if not sd > 0 or not left > 0 or not estimate.privacy_sd > 0:
        return None
    ratio = math.sqrt(left) / estimate.privacy_sd
    # A frozen model has a hash, which its type does not say.
    planned = _planned_mu(plan)  # pyright: ignore[reportArgumentType]
    needed = _epsilon_of(planned / ratio, plan.privacy.delta)
    return None if needed is None else math.ceil(needed * 10) / 10


@lru_cache(maxsize=16)
def _planned_mu(plan: MonitoringPlan) -> float:
    """The Gaussian-DP parameter of the planned rounds, of which each costs the same."""
    events = [planned_event(plan, 1)] * len(plan.monitoring_rounds)
    return total_mu(events, plan.privacy.rounds_per_client)


def _epsilon_of(mu: float, delta: float) -> float | None:
    """Epsilon of Gaussian releases of total parameter mu, to 1e-3 from above, or None.

    By bisection of the closed form: advice is given for every undetermined mode and round, and
    needs neither the accountant's last digits nor its time.
    """
    if gaussian_delta(LARGEST_EPSILON, mu) > delta:
        return None
    low, high = 0.0, LARGEST_EPSILON
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(middle, mu) > delta else (low, middle)
    return high


def _most_of(plan: MonitoringPlan, estimate: Estimate) -> str:
    """What most of an estimate's error is; of open text the labels are a part of what is chosen."""
    labelled = [role for role in plan.roles(estimate.code) if role in LABELLED_ROLES]
    chosen = "the choice of probes"
    if labelled:
        chosen = f"the choice of prompts and of {labelled[0]} (unsilent plan check says how many)"
    own = math.sqrt(max(estimate.sampling_sd**2 - estimate.shared_sd**2, 0.0))
    parts = {
        "privacy noise": estimate.privacy_sd,
        chosen: estimate.shared_sd,
        "the sampling of clients or records": own,
        "truncation": estimate.truncation,
    }
    return f"most of its width is {max(parts, key=parts.__getitem__)}"


def _either(ways: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join([", ".join(ways[:-1]), ways[-1]] if len(ways) > 1 else ways)
