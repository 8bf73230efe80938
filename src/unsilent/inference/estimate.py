"""Estimates: the mean effect of each mode over the clients, and where its error comes from.

Input is what the server has: one summed release, its layout and the plan. Three sources of error
are kept apart, since they ask for different remedies: privacy noise (known exactly), sampling of
clients and of private records (bounded from released numbers), and the choice of public probes
(shared by all clients, so no number of clients averages it out; an interval holds it where the plan
speaks of items like these, else it is conditional on the probe bank and the probes' part is
reported beside it).

A client's number is limited to the plan's clip before release, so an effect is the mean of the
limited numbers: a single client counts at most its clip. What the joint clip and clients who did
not take part may have done to it is not in the estimate but in its interval (``series.Side``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.inference.sampling import released_range
from unsilent.inference.sums import Sums
from unsilent.release.layout import Layout
from unsilent.release.release import Release

__all__ = [
    "Estimate",
    "decode",
    "means",
    "released_range",
]


@dataclass(frozen=True)
class Estimate:
    """The effect of one mode over a window of monitoring rounds, or in one.

    Attributes:
        code: The mode's code.
        effect: Mean over the clients of the statistic limited to its clip; positive is worse.
        sampling_sd: Upper bound on the sd that sampling of clients ("like-these"), of private
            records, or of items ("like-these") adds; 0 for these public probes on the enrolled
            clients.
        privacy_sd: Sd of the privacy noise really present in the mean, and in what is taken off
            beside it for clients on the wrong side of a threshold; exact.
        item_sd: Sd over the choice of public probes, as if all clients' errors were the same;
            part of the interval, as ``shared_sd``, only for items like these.
        truncation: Largest absolute error of the mean from truncation to integers and, for items
            like these, from clients whom finite records put on the wrong side of a threshold.
        clients: How many clients are in the sum; over several sums their mean, rounded down.
        clipped: Mean share of a client's effect that clipping cut off, as released: noise
            included, so that it may lie below 0.
        shared_sd: The part of ``sampling_sd`` that the choice of probes adds, an upper bound.
    """

    code: str
    effect: float
    sampling_sd: float
    privacy_sd: float
    item_sd: float
    truncation: float
    clients: int
    clipped: float = 0.0
    shared_sd: float = 0.0

    @property
    def sd(self) -> float:
        """Sd of the effect: sampling and privacy are independent."""
        return math.hypot(self.sampling_sd, self.privacy_sd)


def means(
    layout: Layout, totals: Sequence[Release] | Sums, names: Iterable[str]
) -> dict[str, NDArray[np.float64]]:
    """(m,) means over the clients of each sum, in natural units, by coordinate.

    Raises:
        FindingsError: There is no sum, one is of another layout or of no client, or a mean is not
            finite.
        ReleaseError: The layout has no such coordinate.
    """
    sums = Sums.of(layout, totals)
    return {name: sums.mean(layout, name) for name in names}


def decode(layout: Layout, total: Release) -> dict[str, float]:
    """All coordinates' means over the clients, in natural units. Raises as ``means``."""
    names = layout.names
    return {name: float(mean[0]) for name, mean in means(layout, [total], names).items()}
