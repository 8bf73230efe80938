"""What would settle a verdict that is UNDETERMINED: more clients, or more budget."""

from __future__ import annotations

import math

from unsilent.findings import Interval
from unsilent.inference.estimate import Estimate
from unsilent.plan import MonitoringPlan
from unsilent.release.accountant import gaussian_delta, total_mu
from unsilent.release.noise import planned_event

MOST_CLIENTS = 100
"""Times as many clients as now: more than that is out of reach."""
LARGEST_EPSILON = 50.0


def what_would_settle(
    plan: MonitoringPlan,
    estimate: Estimate,
    interval: Interval,
    tolerance: float,
    critical: float,
) -> str:
    """Why the verdict is UNDETERMINED and what would decide it if the effect stayed.

    Args:
        plan: The plan.
        estimate: The mode's estimate in this round.
        interval: Its interval, which holds the tolerance.
        tolerance: The mode's tolerance.
        critical: The interval's critical value.

    Returns:
        One sentence for people.
    """
    lower, upper = interval
    why = f"the interval {lower:+.3f} to {upper:+.3f} holds the tolerance {tolerance:g}"
    fixed = estimate.truncation
    if estimate.effect < tolerance:
        # What the joint clip may hide raises the upper end and does not shrink with the noise.
        fixed = upper - estimate.effect - critical * estimate.sd
    room = abs(estimate.effect - tolerance) - fixed
    ways: list[str] = []
    clients = decisive_clients(estimate, room / critical)
    if clients is not None:
        ways.append(f"about {clients} clients")
    budget = decisive_epsilon(plan, estimate, room / critical)
    if budget is not None:
        ways.append(f"epsilon {budget:.3g}")
    if (
        not ways
        and fixed > estimate.truncation
        and abs(estimate.effect - tolerance) > (critical * estimate.sd + estimate.truncation)
    ):
        return f"{why} only for what clipping may hide; raise the modes' clips to settle it"
    if not ways:
        return f"{why}; nothing within reach would settle it: the estimate lies at the tolerance"
    return f"{why}; {' or '.join(ways)} would settle it if the effect stayed {estimate.effect:+.3f}"


def decisive_clients(estimate: Estimate, sd: float) -> int | None:
    """Smallest number of clients at which the effect's sd would be ``sd``, or None.

    Sampling variance falls with 1 / N and privacy variance with 1 / N^2, so with f = N / N':
    ``privacy^2 f^2 + sampling^2 f = sd^2``. None beyond ``MOST_CLIENTS`` times as many.
    """
    if not sd > 0:
        return None
    sampling, privacy = estimate.sampling_sd**2, estimate.privacy_sd**2
    # The root of the quadratic in the form that is stable for small privacy noise.
    scale = 2 * sd**2 / (sampling + math.sqrt(sampling**2 + 4 * privacy * sd**2))
    needed = math.ceil(estimate.clients / scale - 1e-9)
    return needed if needed <= MOST_CLIENTS * estimate.clients else None


def decisive_epsilon(plan: MonitoringPlan, estimate: Estimate, sd: float) -> float | None:
    """Smallest epsilon, rounded up, at which the effect's sd would be ``sd``, or None.

    Only the privacy part shrinks, in proportion to sigma; epsilon follows from that sigma.
    None if sampling alone is too wide, or beyond ``LARGEST_EPSILON``.
    """
    left = sd**2 - estimate.sampling_sd**2
    if not sd > 0 or not left > 0 or not estimate.privacy_sd > 0:
        return None
    ratio = math.sqrt(left) / estimate.privacy_sd
    planned = total_mu([planned_event(plan, number) for number in plan.monitoring_rounds])
    needed = _epsilon_of(planned / ratio, plan.privacy.delta)
    return None if needed is None else math.ceil(needed * 10) / 10


def _epsilon_of(mu: float, delta: float) -> float | None:
    """Epsilon of Gaussian releases of total parameter mu, to 1e-3 from above, or None.

    By bisection of the closed form: advice is given for every undetermined mode and round, and
    needs neither the accountant's last digits nor its time.
    """
    low, high = 0.0, LARGEST_EPSILON
    if gaussian_delta(high, mu) > delta:
        return None
    while high - low > 1e-3:
        middle = (low + high) / 2
        if gaussian_delta(middle, mu) > delta:
            low = middle
        else:
            high = middle
    return high
