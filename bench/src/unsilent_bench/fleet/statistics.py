"""The modes' statistics for all clients at once; equal to ``modes.*`` on each client's evidence.

Each function takes (clients, n, …) arrays, in which each client has items of its own, and returns
(clients,) values and spreads.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unsilent.modes.scores import stratified_error
from unsilent.modes.sf3_fairness_collapse import confirmed_loss, loss_spread

Numbers = NDArray[np.float64]
Kinds = NDArray[np.int64]
Pair = tuple[Numbers, Numbers]


def mean_and_spread(values: Numbers) -> Pair:
    """(clients,) mean of (clients, n) values, and the standard error of that mean."""
    return values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])


def lead(before: ArrayLike, after: ArrayLike) -> Pair:
    """SF-1 of (clients, pairs, 2) probabilities of the stereotyped choice, before and after."""
    growth = 2.0 * (np.asarray(after, np.float64) - np.asarray(before, np.float64))
    return mean_and_spread(growth.mean(axis=2))


def signed_gaps(table: ArrayLike, right: Kinds) -> Numbers:
    """(clients, n) confidence minus correctness of (clients, n, classes) probabilities."""
    values = np.asarray(table, np.float64)
    return values.max(axis=2) - hits(table, right)


def hits(table: ArrayLike, right: Kinds) -> Numbers:
    """(clients, n) 1 where the most probable choice is the right one."""
    return (np.asarray(table).argmax(axis=2) == right).astype(np.float64)


def calibration(before: Numbers, after: Numbers, kind: Kinds) -> Pair:
    """SF-2 of (clients, n) signed gaps before and after, of items of (clients, n) kinds."""
    first, second = before.mean(axis=1), after.mean(axis=1)
    value = squared_gap(after, kind) - squared_gap(before, kind)
    straight = 2 * stratified(second[:, None] * after - first[:, None] * before, kind)
    errors = stratified(after - before, kind) * stratified(after + before, kind)
    return value, np.hypot(straight, np.sqrt(2) * errors)


def squared_gap(gaps: Numbers, kind: Kinds) -> Numbers:
    """(clients,) squared mean gap less its sampling noise."""
    return gaps.mean(axis=1) ** 2 - stratified(gaps, kind) ** 2


def confirmed(before: Numbers, after: Numbers) -> Pair:
    """SF-3 of (clients, n) hits before and after."""
    n = before.shape[1]
    lost = (after < before).sum(axis=1)
    gained = (after > before).sum(axis=1)
    value = np.array([_loss(int(x), int(y), n) for x, y in zip(lost, gained, strict=True)])
    return value, loss_spread(lost, gained, n)


@lru_cache(maxsize=50_000)
def _loss(lost: int, gained: int, records: int) -> float:
    """Of few counts, over and over: a sum over all ways to halve the records each."""
    return confirmed_loss(lost, gained, records)


def drop(before: ArrayLike, after: ArrayLike) -> Pair:
    """SF-6, and each half of SF-4, of (clients, n) probabilities before and after."""
    return mean_and_spread(np.asarray(before, np.float64) - np.asarray(after, np.float64))


def mean_of(first: Pair, second: Pair) -> Pair:
    """SF-4: the mean of two drops."""
    return (first[0] + second[0]) / 2, np.hypot(first[1], second[1]) / 2


def away_drop(before: Numbers, after: Numbers, away: NDArray[np.bool_], kind: Kinds) -> Pair:
    """SF-5 of (clients, n) hits, of which ``away`` (clients, n) are of other domains."""
    change = np.where(away, before - after, 0.0)
    return change.sum(axis=1) / away.sum(axis=1), stratified(change, kind, away)


def stratified(values: Numbers, kind: Kinds, used: NDArray[np.bool_] | None = None) -> Numbers:
    """(clients,) ``modes.scores.stratified_error`` of the used ones of (clients, n) values.

    Args:
        values: (clients, n).
        kind: (clients, n), small whole numbers.
        used: (clients, n); all if None.
    """
    clients, kinds = len(values), int(kind.max()) + 1
    weight = np.ones(values.shape) if used is None else used.astype(np.float64)
    place = (kind + kinds * np.arange(clients)[:, None]).ravel()

    def summed(each: Numbers) -> Numbers:
        sums = np.bincount(place, (weight * each).ravel(), clients * kinds)
        return sums.reshape(clients, kinds).astype(np.float64, copy=False)

    count = summed(np.ones(values.shape))
    mean = summed(values) / np.maximum(count, 1)
    square = summed((values - np.take_along_axis(mean, kind, axis=1)) ** 2)
    total = (square * count / np.maximum(count - 1, 1)).sum(axis=1)
    error = np.sqrt(total) / weight.sum(axis=1)
    for client in np.flatnonzero((count == 1).any(axis=1)):
        # Kinds of one item are put together, which only few items need.
        own = weight[client] > 0
        error[client] = stratified_error(values[client, own], kind[client, own])
    return error
