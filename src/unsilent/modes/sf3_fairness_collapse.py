"""SF-3, fairness collapse: is this client left behind by the aggregated adapter?"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unsilent.modes.base import Evidence, FailureMode, Layer, Need, Statistic, View
from unsilent.modes.scores import correct

LEFT_BEHIND = 0.12
"""Loss of accuracy beyond which the aggregated adapter has left a client behind."""
CHANGED = 0.1
"""Share of the answers that another adapter changes, assumed while nothing has been measured."""


class FairnessCollapse(FailureMode):
    """Whether the aggregated adapter costs this client more than 12 points of accuracy.

    The value is the tail indicator ``1[a_global - a_reference < -0.12]`` on the client's own
    held-out records, so the effect of a federation is the share of its clients that aggregation
    leaves behind. A mean of accuracies cannot show it: many small gains hide few large losses.

    The indicator's spread is ``sqrt(q (1 - q))``, the sd of a Bernoulli variable, where q is the
    probability that the tail is entered when the records are drawn anew: normal approximation
    around the observed paired difference, with the standard error of Agresti and Min (half an
    observation added to each cell of the 2 x 2 table), which stays positive when no answer
    changed.
    """

    code: ClassVar[str] = "SF-3"
    name: ClassVar[str] = "fairness_collapse"
    title: ClassVar[str] = "Fairness collapse"
    what: ClassVar[str] = (
        "Aggregating adapters of divergent clients widens the performance gap between clients."
    )
    layer: ClassVar[Layer] = "model"
    leads_to: ClassVar[tuple[str, ...]] = ("SF-6",)
    feeds_back_into: ClassVar[tuple[str, ...]] = ("SF-4",)
    tolerance: ClassVar[float] = 0.25
    clip: ClassVar[float] = 1.0
    view: ClassVar[View] = "client_private"
    needs: ClassVar[tuple[Need, ...]] = (Need("reference", "records"), Need("global", "records"))
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    statistic: ClassVar[str] = (
        "share of clients whose own records lose more than 12 points of accuracy, "
        "global minus reference"
    )
    source: ClassVar[str] = (
        "Tail of the client accuracy distribution, after Li et al. 2020 (q-FFL, fairness as "
        "performance uniformity); standard error: Agresti and Min 2005, matched proportions"
    )

    def measure(self, evidence: Evidence) -> Statistic:
        """0.0 or 1.0, with the sd of that indicator over the choice of records.

        Raises ItemError for a record without an answer; OutcomeError if the two adapters were
        not scored on the same records.
        """
        reference, aggregated = evidence.pair("reference", "global", "records")
        before, after = correct(reference), correct(aggregated)
        n = len(before)
        # Counting keeps 3 lost of 25 exactly at the edge; a difference of means may not.
        net_loss = float(np.sum(before) - np.sum(after))
        value = 1.0 if net_loss > LEFT_BEHIND * n * (1.0 + 1e-12) else 0.0
        distance = (net_loss / n - LEFT_BEHIND) / matched_error(before, after)
        entered = NormalDist().cdf(distance)
        return self._statistic(value, math.sqrt(entered * (1.0 - entered)), n)

    def expected_spread(self, items: int) -> float:
        """That of a client without a loss, of whose answers ``CHANGED`` turn, as many each way."""
        turned = CHANGED * items / 2 + 0.5
        entered = NormalDist().cdf(-LEFT_BEHIND / (math.sqrt(2 * turned) / (items + 2)))
        return math.sqrt(entered * (1.0 - entered))


def matched_error(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Standard error of the difference of matched proportions, always positive.

    Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions": add 1/2 to each of the four cells, then Wald,
    ``sqrt((b + c) - (b - c)^2 / n) / n`` with b, c the discordant counts.
    """
    gained = float(np.sum((after > before).astype(np.float64))) + 0.5
    lost = float(np.sum((after < before).astype(np.float64))) + 0.5
    n = len(before) + 2.0
    return float(np.sqrt(gained + lost - (gained - lost) ** 2 / n) / n)
