"""Estimates: the mean effect of each mode over the clients, and where its error comes from.

Input is what the server has: one summed release, its layout and the plan. Three sources of error
are kept apart, since they ask for different remedies: privacy noise (known exactly), sampling of
clients and of private records (bounded from released numbers), and the choice of public probes
(shared by all clients, so no number of clients averages it out; every interval is conditional on
the probe bank and the probes' part is reported beside it).

A client's number is limited to the plan's clip before release, so an effect is the mean of the
limited numbers: a single client counts at most its clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from unsilent.errors import FindingsError, PlanError
from unsilent.modes import MODES
from unsilent.modes.base import FailureMode
from unsilent.plan import MonitoringPlan
from unsilent.release.layout import ACCURACY, CLIPPED, LOSS, SPREAD, SQUARE, Layout
from unsilent.release.release import Release
from unsilent.taxonomy import by_code

BOUND_LEVEL = 0.95
"""One-sided level of the upper bounds on variances that are read off noisy coordinates."""


@dataclass(frozen=True)
class Estimate:
    """The effect of one mode in one monitoring round.

    Attributes:
        code: The mode's code.
        effect: Mean over the clients of the statistic limited to its clip; positive is worse.
        sampling_sd: Upper bound on the sd that sampling of clients ("like-these") or of private
            records adds; 0 for public probes on the enrolled clients.
        privacy_sd: Sd of the privacy noise really present in the mean; exact.
        item_sd: Sd over the choice of public probes, as if all clients' errors were the same;
            not part of the interval.
        truncation: Largest absolute error of the mean from truncation to integers.
        clients: How many clients are in the sum.
        degrees_of_freedom: Of the t quantile; infinite where no variance was estimated.
    """

    code: str
    effect: float
    sampling_sd: float
    privacy_sd: float
    item_sd: float
    truncation: float
    clients: int
    degrees_of_freedom: float

    @property
    def sd(self) -> float:
        """Sd of the effect: sampling and privacy are independent."""
        return math.hypot(self.sampling_sd, self.privacy_sd)


@dataclass(frozen=True)
class SystemEstimate:
    """Mean change of the system metrics over the clients in the sum; positive is worse.

    These clients' metrics on their own records are what a run shows today, whatever population
    the plan is about, so privacy noise and truncation are the only errors.

    Attributes:
        loss, accuracy: Growth of the mean loss in nats; drop of the mean accuracy.
        loss_sd, accuracy_sd: Sd of the privacy noise in them.
        loss_truncation, accuracy_truncation: Largest absolute truncation error.
    """

    loss: float
    accuracy: float
    loss_sd: float
    accuracy_sd: float
    loss_truncation: float
    accuracy_truncation: float


def released_range(plan: MonitoringPlan, code: str) -> tuple[float, float]:
    """What one client's number can be in the release: the mode's range within ±clip.

    A mode that is not planned has its own range. Raises PlanError if the clip cuts a share short
    (a statistic whose range starts at 0): its mean would no longer be a share.
    """
    lower, upper = MODES[code].range
    mode = plan.mode(by_code(code).mode)
    if mode is None:
        return lower, upper
    if lower == 0 and mode.clip < upper:
        raise PlanError(
            f"clip {mode.clip:g} cuts a share that goes up to {upper:g}",
            where=f"modes.{by_code(code).mode}.clip",
            remedy=f"Set it to {upper:g}.",
        )
    return max(lower, -mode.clip), min(upper, mode.clip)


def estimate_mode(plan: MonitoringPlan, layout: Layout, total: Release, code: str) -> Estimate:
    """The estimate of one planned mode.

    Effect: the decoded mean S / N. Privacy: sigma / N with the variance that travels with the sum.

    Population ``enrolled``: the mean over these clients as they are, no client sampling. On public
    probes the sampling part is 0; on private records the items differ between clients and
    their errors average out, see ``_record_variance``.

    Population ``like-these``: the sampling part is sqrt(V / N) with V the variance over
    clients. Unbiased from noisy moments: ``(R^2 q - m^2 + s_m^2) N / (N - 1)`` with R the clip,
    q the mean of the squares (``.square``), m the effect and s_m its noise; the noise of q has
    mean 0. For a share it follows from the mean alone, p (1 - p), the bound of Bhatia and
    Davis 2000 ((upper - m)(m - lower)) reached. V is the smaller of two upper bounds, each at
    ``BOUND_LEVEL``, and the quantile is Student's t with N - 1 degrees of freedom.

    Raises FindingsError if the release does not belong to the layout, holds no client or no
    finite number; PlanError as ``released_range``.
    """
    decoded = _decode(layout, total)
    clients = total.clients
    lower, upper = released_range(plan, code)
    effect = decoded[code]
    privacy_sd = layout.noise_sd(code, total.noise_variance, clients)
    spread = decoded[code + SPREAD]
    variance, dof = 0.0, math.inf
    if plan.monitor.population == "like-these":
        ceiling = largest_variance(effect, privacy_sd, lower, upper, clients)
        variance, dof = ceiling, float(max(clients - 1, 1))
        if clients > 1:
            variance = min(ceiling, _moment_variance(layout, total, code, effect, privacy_sd))
    elif MODES[code].view == "client_private":
        ceiling = largest_variance(effect, privacy_sd, lower, upper, clients)
        variance = min(ceiling, _record_variance(MODES[code], layout, total, spread))
    return Estimate(
        code=code,
        effect=effect,
        sampling_sd=math.sqrt(variance / clients),
        privacy_sd=privacy_sd,
        item_sd=max(spread, 0.0),
        truncation=_truncation(layout, code),
        clients=clients,
        degrees_of_freedom=dof,
    )


def estimate_system(layout: Layout, total: Release) -> SystemEstimate:
    """Change of the system metrics, personalized minus reference. Raises as ``estimate_mode``."""
    decoded = _decode(layout, total)
    variance, clients = total.noise_variance, total.clients
    return SystemEstimate(
        loss=decoded[LOSS],
        accuracy=decoded[ACCURACY],
        loss_sd=layout.noise_sd(LOSS, variance, clients),
        accuracy_sd=layout.noise_sd(ACCURACY, variance, clients),
        loss_truncation=_truncation(layout, LOSS),
        accuracy_truncation=_truncation(layout, ACCURACY),
    )


def hidden_by_clipping(layout: Layout, total: Release, name: str) -> float:
    """The most that the joint clip can have taken off the mean of one coordinate; at least 0.

    A client whose vector was shrunk by the share c shows (1 - c) x of a number x within ±R, so
    it hides at most R c, and the mean at most ``R * mean(c)``. The mean is taken as released,
    noise included, within 0 and 1.
    """
    cut = min(max(_decode(layout, total)[CLIPPED], 0.0), 1.0)
    return layout.coordinates[layout.index(name)].clip * cut


def _decode(layout: Layout, total: Release) -> dict[str, float]:
    if total.layout != layout.digest:
        raise FindingsError(
            "the release is of another layout than the plan's",
            where=f"round {total.round}",
            remedy="Give server and clients the same plan.",
        )
    if total.clients < 1:
        raise FindingsError("a sum of no client has no mean", where=f"round {total.round}")
    decoded = layout.decode(total.vector, total.clients)
    for name, value in decoded.items():
        if not math.isfinite(value):
            raise FindingsError(f"{name} is not a finite number", where=f"round {total.round}")
    return decoded


def _truncation(layout: Layout, name: str) -> float:
    """One integer step of one client in natural units, which also bounds the mean's error."""
    return layout.noise_sd(name, 1.0, 1)


def _moment_variance(
    layout: Layout, total: Release, code: str, effect: float, privacy_sd: float
) -> float:
    """Upper bound on the variance over clients from the noisy first two moments, at least 0.

    The noise of ``R^2 q - m^2`` has variance ``R^4 s_q^2 + 4 m^2 s_m^2 + 2 s_m^4``.
    """
    clients = total.clients
    clip = layout.coordinates[layout.index(code)].clip
    square = layout.decode(total.vector, clients)[code + SQUARE]
    square_sd = layout.noise_sd(code + SQUARE, total.noise_variance, clients)
    found = clip**2 * square - effect**2 + privacy_sd**2
    noise = math.sqrt(clip**4 * square_sd**2 + 4 * effect**2 * privacy_sd**2 + 2 * privacy_sd**4)
    truncation = clip**2 * _truncation(layout, code + SQUARE)
    bound = found + NormalDist().inv_cdf(BOUND_LEVEL) * noise + truncation
    return max(bound, 0.0) * clients / (clients - 1)


def _record_variance(mode: FailureMode, layout: Layout, total: Release, spread: float) -> float:
    """Upper bound on the mean over clients of a statistic's variance over its records.

    Released is only the mean of the clients' spreads, each limited to c. A spread s enters as
    min(s, c) and is at most M, half the mode's range (Popoviciu 1935), so
    ``s^2 <= max(c, M^2 / c) * min(s, c)``. The noisy mean is replaced by its upper bound, never
    set to 0 for being negative.
    """
    name = mode.code + SPREAD
    limit = layout.coordinates[layout.index(name)].clip
    half = (mode.range[1] - mode.range[0]) / 2
    noise = layout.noise_sd(name, total.noise_variance, total.clients)
    bound = spread + NormalDist().inv_cdf(BOUND_LEVEL) * noise + _truncation(layout, name)
    return max(limit, half**2 / limit) * min(max(bound, 0.0), limit)


def largest_variance(
    mean: float, noise_sd: float, lower: float, upper: float, clients: int
) -> float:
    """Largest variance of numbers in [lower, upper] whose mean is near ``mean``.

    ``(upper - m)(m - lower)`` (Bhatia and Davis 2000), at the m nearest to the middle among
    those that noise and N clients leave possible: the noisy mean widened by its noise, then by
    Wilson's score interval, both one-sided at ``BOUND_LEVEL``.
    """
    z = NormalDist().inv_cdf(BOUND_LEVEL)
    width = upper - lower
    share = (mean - lower) / width
    slack = z * noise_sd / width
    ends: list[float] = []
    for sign in (-1.0, 1.0):
        end = min(max(share + sign * slack, 0.0), 1.0)
        score = z * math.sqrt(end * (1 - end) / clients + z**2 / (4 * clients**2))
        ends.append((end + z**2 / (2 * clients) + sign * score) / (1 + z**2 / clients))
    low, high = max(ends[0], 0.0), min(ends[1], 1.0)
    nearest = min(max(0.5, low), high)
    return nearest * (1 - nearest) * width**2
