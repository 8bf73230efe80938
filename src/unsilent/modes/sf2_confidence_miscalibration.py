"""SF-2, confidence miscalibration: growth of a client's own gap of confidence and accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Outcomes
from unsilent.modes._scores import confidence, correct, kinds, stratified_error
from unsilent.modes.base import Evidence, FailureMode, ItemRole, Need, Statistic, View


class ConfidenceMiscalibration(FailureMode):
    """How much wider the gap between a client's confidence and its accuracy became.

    The gap of an item is ``confidence of the chosen answer - correctness``; its mean ``g`` is
    positive for an overconfident model and negative for an underconfident one. The mean of ``g``
    over clients cancels when one half is over- and the other underconfident, the mean of the
    absolute gap does not: so each client takes its own absolute gap, debiased for the noise of
    its n items, ``sqrt(max(0, g^2 - s^2 / n))``, before anything is released.

    The spread is a delta method: d|g|/dg is the sign of g, so the standard error of the mean of
    ``sign(g_p) g_p,i - sign(g_r) g_r,i`` over the same items, stratified by domain and answer. A
    jackknife would report 0 in the
    flat part, where the debiased gap is 0 and so are all its leave-one-out values.
    """

    code: ClassVar[str] = "SF-2"
    view: ClassVar[View] = "client_public"
    needs: ClassVar[tuple[Need, ...]] = (Need("reference", "task"), Need("personalized", "task"))
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    item_range: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    statistic: ClassVar[str] = (
        "absolute gap of confidence and accuracy on task probes, personalized minus reference"
    )
    source: ClassVar[str] = (
        "Calibration-in-the-large of the chosen answer (Guo et al. 2017, one bin), debiased by "
        "its sampling variance after Kumar, Liang and Ma 2019 (debiased calibration error)"
    )

    def measure(self, evidence: Evidence) -> Statistic:
        """Growth of the debiased absolute gap, in [-1, 1].

        Raises ItemError for an item without an answer; OutcomeError if the two adapters were
        not scored on the same items.
        """
        reference, personalized = evidence.pair("reference", "personalized", "task")
        before, after = signed_gaps(reference), signed_gaps(personalized)
        n = len(before)
        value = absolute_gap(after) - absolute_gap(before)
        if n == 1:
            return self._statistic(value, 1.0, 1)
        turned = _sign(after) * after - _sign(before) * before
        return self._statistic(value, stratified_error(turned, kinds(reference.items)), n)

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """Of changes within +-2: a gap that turns its sign moves by two gaps."""
        return 2 * super().largest_spread(items)


def signed_gaps(outcomes: Outcomes) -> NDArray[np.float64]:
    """(n_items,) confidence of the chosen answer minus its correctness, in [-1, 1]."""
    return confidence(outcomes) - correct(outcomes)


def absolute_gap(gaps: NDArray[np.float64]) -> float:
    """``sqrt(max(0, g^2 - s^2 / n))``: the absolute mean gap less its sampling noise, in [0, 1].

    ``g^2 - s^2 / n`` is unbiased for the squared true gap (s with ddof 1). With one item the
    noise is unknown and taken as the whole of it: the gap is 0.
    """
    n = len(gaps)
    if n == 1:
        return 0.0
    square = float(np.mean(gaps)) ** 2 - float(np.var(gaps, ddof=1)) / n
    return float(np.sqrt(max(0.0, square)))


def _sign(gaps: NDArray[np.float64]) -> float:
    # An exact sum, so that the sign of a gap of nearly 0 does not depend on the items' order.
    return 1.0 if math.fsum(gaps.tolist()) >= 0 else -1.0
