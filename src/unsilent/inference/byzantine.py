"""Byzantine clients: how many that lie within their range could have made a verdict another one.

A client that keeps to the clip replaces one number in [lower, upper] by another, so k of N move a
mean by at most ``k (upper - lower) / N``. That holds for false answers, false records and false
labels under the true code. A client that runs changed code under a masked sum can exceed the clip,
and then nothing here bounds it: the server cannot look at one vector. Proofs of range (VDAF, Prio3)
are a later step.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from unsilent.errors import FindingsError
from unsilent.findings import Interval
from unsilent.inference.estimate import Estimate


@dataclass(frozen=True)
class ClientsToFlip:
    """The fewest Byzantine clients with which the verdict would be another one.

    Each is None where not even all clients would do, and for the verdict as it stands.

    Attributes:
        failure, healthy, undetermined: The verdict that the honest numbers could have given.
    """

    failure: int | None = None
    healthy: int | None = None
    undetermined: int | None = None

    @property
    def any(self) -> int | None:
        """The fewest with which the verdict would be any other one."""
        counts = [n for n in (self.failure, self.healthy, self.undetermined) if n is not None]
        return min(counts, default=None)


def clients_to_flip(
    estimate: Estimate,
    interval: Interval,
    tolerance: float,
    span: float,
    critical: float,
) -> ClientsToFlip:
    """The fewest Byzantine clients that could lie between this verdict and each other one.

    The mean moves by at most ``k span / N``. Where the interval's width follows from released
    numbers (clients or records are sampled), these move too: a mean of squares of numbers within
    the span by at most ``k span^2 / N``, so the effect's variance by ``k span^2 / N^2``. Of a
    window N is its mean cohort, since one who is in all of its L sums shifts L of the window's
    L N client-rounds.

    Args:
        estimate: What the verdict rests on.
        interval: Its interval.
        tolerance: The mode's.
        span: Largest minus smallest number that one client can release, above 0.
        critical: How many sd the interval reaches to either side.

    Raises:
        FindingsError: The span or the interval is not a finite number, or there is no client.
    """
    lower, upper = interval
    if not (math.isfinite(span) and span > 0) or estimate.clients < 1:
        raise FindingsError(
            "Byzantine clients need a client and a span above 0", where=estimate.code
        )
    if not (math.isfinite(lower) and math.isfinite(upper)):
        raise FindingsError("an interval is not a finite number", where=estimate.code)
    clients = estimate.clients

    def reach(count: int, direction: float) -> float:
        """How far an end moves if the interval widens (+1) or narrows (-1) as well."""
        variance = estimate.sampling_sd**2
        if variance > 0:
            variance = max(variance + direction * count * (span / clients) ** 2, 0.0)
        sd = math.hypot(math.sqrt(variance), estimate.privacy_sd)
        return count * span / clients + direction * critical * (sd - estimate.sd)

    def fewest(flips: Callable[[int], bool]) -> int | None:
        counts = range(1, clients + 1)
        place = bisect_left(counts, True, key=flips)
        return counts[place] if place < clients else None

    failure = fewest(lambda k: lower + reach(k, -1.0) > tolerance)
    healthy = fewest(lambda k: upper - reach(k, -1.0) < tolerance)
    if lower > tolerance:
        return ClientsToFlip(
            healthy=healthy, undetermined=fewest(lambda k: lower - reach(k, 1.0) <= tolerance)
        )
    if upper < tolerance:
        return ClientsToFlip(
            failure=failure, undetermined=fewest(lambda k: upper + reach(k, 1.0) >= tolerance)
        )
    return ClientsToFlip(failure=failure, healthy=healthy)
