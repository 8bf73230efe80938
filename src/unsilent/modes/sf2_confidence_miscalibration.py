"""SF-2, confidence miscalibration: growth of a client's own gap of confidence and accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unsilent.items import Outcomes
from unsilent.modes.base import Evidence, FailureMode, ItemRole, Layer, Need, Statistic, View
from unsilent.modes.scores import confidence, correct, kinds, stratified_error

_FURTHEST = 3.5
"""Standard errors. Probes are drawn once for all rounds, so that being further off than that has a
probability of 2e-4 in a run, of which an interval's error has room for many."""
_UNSEEN = 2.0
"""Root of the squares of two gaps at -1 and two at 1."""


class ConfidenceMiscalibration(FailureMode):
    """How much wider the gap between a client's confidence and its accuracy became.

    The gap of an item is ``confidence of the chosen answer - correctness``; its mean ``g`` is
    positive for an overconfident model and negative for an underconfident one. The mean of ``g``
    over clients cancels when one half is over- and the other underconfident, the mean of the
    absolute gap does not: so each client takes its own absolute gap, debiased for the noise of
    its n items, ``sqrt(max(0, g^2 - s^2 / n))``, before anything is released.

    The spread is a delta method: d|g|/dg is the sign of g, so the standard error of the mean of
    ``sign(g_p) g_p,i - sign(g_r) g_r,i`` over the same items, stratified by domain and answer. A
    jackknife would report 0 in the flat part, where the debiased gap is 0 and so are all its
    leave-one-out values. Near a gap of 0 the delta method errs: where confidence rises alike on
    all items, both gaps may lie on the other side of 0 than the true ones, and a growth looks like
    a fall without any scatter. What that can be (``turning``), and what debiasing took off, are
    added.
    """

    code: ClassVar[str] = "SF-2"
    name: ClassVar[str] = "confidence_miscalibration"
    title: ClassVar[str] = "Confidence miscalibration"
    what: ClassVar[str] = (
        "Confidence and accuracy part ways; aggregation hides locally overconfident clients."
    )
    layer: ClassVar[Layer] = "data"
    leads_to: ClassVar[tuple[str, ...]] = ("SF-4", "SF-5")
    tolerance: ClassVar[float] = 0.10
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
        kind = kinds(reference.items)
        turned = _sign(after) * after - _sign(before) * before
        error = min(stratified_error(before, kind), stratified_error(after, kind))
        means = float(np.mean(before)), float(np.mean(after))
        spread = growth_spread(value, *means, error, stratified_error(turned, kind), n)
        return self._statistic(value, float(spread), n)

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


def growth_spread(
    growth: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    error: ArrayLike,
    turned: ArrayLike,
    items: int,
) -> NDArray[np.float64]:
    """The spread of a growth of the debiased absolute gap. All arguments broadcast.

    Args:
        growth: The statistic.
        before: Mean gap under the reference.
        after: Under the personalized adapter.
        error: Standard error of the gap that is known better.
        turned: That of the mean of ``sign(after) after_i - sign(before) before_i``.
        items: n, at least 2.
    """
    # With few wrong answers, or none, the items say too little of how gaps scatter: four more
    # count, two at either end (as Agresti and Coull 1998 do for a proportion).
    turn = turning(before, after, np.hypot(error, _UNSEEN / items))
    debiased = np.abs(np.asarray(growth) - (np.abs(after) - np.abs(before)))
    return np.minimum(np.hypot(turned, turn) + debiased, 2 / math.sqrt(items - 1))


def turning(before: ArrayLike, after: ArrayLike, error: ArrayLike) -> NDArray[np.float64]:
    """What may be wrong with ``|after| - |before|`` if both lie on the wrong side of 0, as an sd.

    An error of z standard errors common to both gaps passes the nearer one at ``|near| / error``,
    and from there on changes the difference by twice as much, by at most ``2 |after - before|``.
    The result times z is at least that for any z up to ``_FURTHEST``. 0 for gaps of two signs, of
    which the delta method is exact.

    Args:
        before: Mean gap under the reference.
        after: Under the personalized adapter.
        error: Standard error of the gap that is known better: the rest of the other one's is in
            the standard error of their difference.
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    sd = np.asarray(error, np.float64)
    near = np.minimum(np.abs(first), np.abs(second))
    far = np.maximum(np.abs(first), np.abs(second))
    most = np.minimum(
        2 * sd * (far - near) / np.maximum(far, 1e-300), np.maximum(2 * (sd - near / _FURTHEST), 0)
    )
    return np.where(first * second < 0, 0.0, most)


def _sign(gaps: NDArray[np.float64]) -> float:
    # An exact sum, so that the sign of a gap of nearly 0 does not depend on the items' order.
    return 1.0 if math.fsum(gaps.tolist()) >= 0 else -1.0
