"""SF-3, fairness collapse: what the aggregated adapter costs the clients that it fails."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, ndtr

from unsilent.modes.base import Evidence, FailureMode, ItemRole, Layer, Need, Statistic, View
from unsilent.modes.scores import correct

CHANGED = 0.1
"""Share of the answers that another adapter changes, assumed while nothing has been measured."""
REACH = 4.0
"""Over the number of records: the most that one of them can move the value."""
SPREAD_REACH = 1.2
"""The same of the spread; 1.175 with four records, and less the more there are."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)


class FairnessCollapse(FailureMode):
    """How much accuracy the aggregated adapter costs this client, if it costs any.

    The effect of a federation is the mean of that over its clients: what those lose whom
    aggregation fails, spread over all. A mean of accuracies cannot show it, since many small gains
    hide few large losses; here a gain counts nothing.

    Few records alone make some clients look worse off. So one half of a client's records decides
    whether it lost and the other half how much, averaged over all ways to halve them: a client
    whose true loss is L counts in expectation with L times the chance that half of its records
    show a loss. That is never more than ``max(L, 0)`` and no threshold is in it; where clients are
    as well off as before it is 0, however few records they have.
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
    tolerance: ClassVar[float] = 0.05
    clip: ClassVar[float] = 0.3
    view: ClassVar[View] = "client_private"
    needs: ClassVar[tuple[Need, ...]] = (Need("reference", "records"), Need("global", "records"))
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    statistic: ClassVar[str] = (
        "accuracy on their own records lost by the clients that lose, global minus reference, "
        "mean over all clients"
    )
    source: ClassVar[str] = (
        "Uniformity of the clients' accuracies after Li et al. 2020 (q-FFL), as the mean positive "
        "part of the loss, by sample splitting (Cox 1975); standard error: Agresti and Min 2005"
    )

    def measure(self, evidence: Evidence) -> Statistic:
        """The loss in [-1, 1], and its standard error over the choice of records.

        Raises ItemError for a record without an answer; OutcomeError if the two adapters were
        not scored on the same records.
        """
        reference, aggregated = evidence.pair("reference", "global", "records")
        before, after = correct(reference), correct(aggregated)
        lost, gained = int(np.sum(before > after)), int(np.sum(after > before))
        n = len(before)
        if n == 1:
            return self._statistic(0.0, 1.0, 1)
        value = confirmed_loss(lost, gained, n)
        return self._statistic(value, float(loss_spread(lost, gained, n)), n)

    def expected_spread(self, items: int) -> float:
        """That of a client without a loss, of whose answers ``CHANGED`` turn, as many each way."""
        return float(loss_spread(CHANGED * items / 2, CHANGED * items / 2, items))

    def largest_spread(self, items: Mapping[ItemRole, int]) -> float:
        """Where each answer changes, as many each way."""
        records = items["records"]
        return 1.2 * _few(records) / math.sqrt(records)

    def record_reach(self, records: int) -> tuple[float, float]:
        """One record replaced moves the value by at most 4 / n, the spread by 1.2 / n."""
        return REACH / records, SPREAD_REACH / records


def confirmed_loss(lost: int, gained: int, records: int) -> float:
    """Loss on one half of the records where the other half shows one, over all ways to halve them.

    With ``S = lost - gained`` and S2 that of the deciding half of ``h = records // 2``, the mean of
    ``(S - S2) 1[S2 > 0] / (records - h)`` under the multivariate hypergeometric law of what the
    deciding half holds. A function of the three counts alone, so no order of records decides.

    Args:
        lost: Answers that were right before and are wrong now.
        gained: The other way round.
        records: All of them, at least 2.

    Returns:
        In [-1, 1]; slightly below 0 where a few answers turned either way.
    """
    half = records // 2
    x, y = np.arange(lost + 1)[:, None], np.arange(gained + 1)[None]
    rest, same = half - x - y, records - lost - gained
    possible = (rest >= 0) & (rest <= same)
    rest = np.clip(rest, 0, same)
    chance = np.exp(
        _log_choose(lost, x)
        + _log_choose(gained, y)
        + _log_choose(same, rest)
        - _log_choose(records, np.asarray(half))
    )
    net = x - y
    counted = np.where(possible & (net > 0), chance * ((lost - gained) - net), 0.0)
    return float(counted.sum()) / (records - half)


def loss_spread(lost: ArrayLike, gained: ArrayLike, records: int) -> NDArray[np.float64]:
    """Standard error of ``confirmed_loss`` over the choice of records. Arguments broadcast.

    In large samples the value is ``l Phi(l / e) - e phi(l / e)`` of the mean loss l with standard
    error e. Its own is e times the sd of that function of a normal variable: e itself for a clear
    loss, nothing for a clear gain. e is Agresti and Min's, which stays positive when no answer
    changed.
    """
    b, c = np.asarray(lost, dtype=np.float64), np.asarray(gained, dtype=np.float64)
    error = matched_error(b, c, records)
    distance = ((b - c) / records / error)[..., None] + _NODES
    values = distance * ndtr(distance) - np.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi)
    weights = _WEIGHTS / _WEIGHTS.sum()
    mean = (values * weights).sum(axis=-1, keepdims=True)
    found = error * np.sqrt(((values - mean) ** 2 * weights).sum(axis=-1))
    return _few(records) * found


def _few(records: int) -> float:
    """What large samples leave out: simulated with 16 to 96 records the error is up to 13% more."""
    return 1 + 1 / math.sqrt(records)


def matched_error(lost: ArrayLike, gained: ArrayLike, records: int) -> NDArray[np.float64]:
    """Standard error of the difference of matched proportions, always positive.

    Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions": add 1/2 to each of the four cells, then Wald,
    ``sqrt((b + c) - (b - c)^2 / n) / n`` with b, c the discordant counts.
    """
    b, c = np.asarray(lost, dtype=np.float64) + 0.5, np.asarray(gained, dtype=np.float64) + 0.5
    n = records + 2.0
    return np.sqrt(b + c - (b - c) ** 2 / n) / n


def _log_choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
    found = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return np.asarray(found, dtype=np.float64)
