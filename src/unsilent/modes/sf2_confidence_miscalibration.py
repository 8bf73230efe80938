"""SF-2, confidence miscalibration: growth of a client's own squared gap of confidence, accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Outcomes
from unsilent.modes.base import Evidence, FailureMode, ItemRole, Layer, Need, Statistic, View
from unsilent.modes.scores import confidence, correct, kinds, stratified_error


class ConfidenceMiscalibration(FailureMode):
    """How much larger the squared gap between a client's confidence and its accuracy became.

    The gap of an item is ``confidence of the chosen answer - correctness``; its mean ``g`` is
    positive for an overconfident model and negative for an underconfident one. The mean of ``g``
    over clients cancels when one half is over- and the other underconfident, the mean of ``g^2``
    does not. It is the calibration part of the Brier score in one bin.

    Of a client's n items ``g^2 - e^2``, with e the standard error of the mean gap, is unbiased for
    its squared gap on all items like these, however few they are: it is the mean product of the
    gaps of two different items. No estimate of the absolute gap is. So the mean over clients who
    each answer a few items of their own is what it would be with many.
    """

    code: ClassVar[str] = "SF-2"
    name: ClassVar[str] = "confidence_miscalibration"
    title: ClassVar[str] = "Confidence miscalibration"
    what: ClassVar[str] = (
        "Confidence and accuracy part ways; aggregation hides locally overconfident clients."
    )
    layer: ClassVar[Layer] = "data"
    leads_to: ClassVar[tuple[str, ...]] = ("SF-4", "SF-5")
    tolerance: ClassVar[float] = 0.04
    clip: ClassVar[float] = 0.1
    view: ClassVar[View] = "client_public"
    needs: ClassVar[tuple[Need, ...]] = (Need("reference", "task"), Need("personalized", "task"))
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    item_range: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    item_sd: ClassVar[float] = 0.2
    statistic: ClassVar[str] = (
        "squared gap of confidence and accuracy on task probes, personalized minus reference"
    )
    source: ClassVar[str] = (
        "Calibration part of the Brier score (Murphy 1973) in one bin of the chosen answer (Guo et "
        "al. 2017), debiased after Broecker 2012 and Kumar, Liang and Ma 2019"
    )

    def measure(self, evidence: Evidence) -> Statistic:
        """Growth of the squared gap, in [-1, 1].

        Raises ItemError for an item without an answer; OutcomeError if the two adapters were
        not scored on the same items.
        """
        reference, personalized = evidence.pair("reference", "personalized", "task")
        before, after = signed_gaps(reference), signed_gaps(personalized)
        if len(before) == 1:
            return self._statistic(0.0, 1.0, 1)
        kind = kinds(reference.items)
        # Of few items the smaller one may be below 0: then their difference can pass the range.
        growth = squared_gap(after, kind) - squared_gap(before, kind)
        value = float(np.clip(growth, *self.range))
        return self._statistic(value, growth_spread(before, after, kind), len(before))

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """That of a product of two means within +-2."""
        return 2 * super().largest_spread(items)


def signed_gaps(outcomes: Outcomes) -> NDArray[np.float64]:
    """(n_items,) confidence of the chosen answer minus its correctness, in [-1, 1]."""
    return confidence(outcomes) - correct(outcomes)


def squared_gap(gaps: NDArray[np.float64], kind: NDArray[np.int64]) -> float:
    """``g^2 - e^2`` of (n,) gaps of items of (n,) kinds, unbiased for the squared mean gap.

    Within [-1, 1]; below 0 by chance where the true gap is small. With one item e is unknown and
    taken as the whole of the gap: 0.
    """
    if len(gaps) == 1:
        return 0.0
    return float(np.mean(gaps)) ** 2 - stratified_error(gaps, kind) ** 2


def growth_spread(
    before: NDArray[np.float64], after: NDArray[np.float64], kind: NDArray[np.int64]
) -> float:
    """Standard error of the growth of the squared gap over the choice of items.

    The growth is the product of a difference and a sum, ``(a - b)(a + b)``. Its error is that of
    ``2 (a x_a - b x_b)``, the delta method's, and beside it the product of the two means' own
    errors, which is all there is where both gaps are 0.

    Args:
        before: (n,) signed gaps under the reference, n at least 2.
        after: Under the personalized adapter.
        kind: (n,) kinds of the items.
    """
    first, second = float(np.mean(before)), float(np.mean(after))
    straight = 2 * stratified_error(second * after - first * before, kind)
    errors = stratified_error(after - before, kind), stratified_error(after + before, kind)
    return math.hypot(straight, math.sqrt(2) * errors[0] * errors[1])
