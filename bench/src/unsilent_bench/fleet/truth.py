"""What is true of a federation: the modes' effects by full access, on all items there are.

Every effect is the mean over the clients of the quantity that the mode's statistic estimates. Its
standard error is over the choice of items, which all clients share (for SF-3 those of one home),
as many of each kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unsilent.modes.scores import stratified_error
from unsilent_bench.fleet.statistics import Kinds, Numbers, hits, squared_gap

HALVINGS = 16
"""Ways to halve a client's items by which the truth of SF-3 is read."""
_HALVES = 0x5F3
Effect = tuple[float, float]
"""An effect and its standard error."""


@dataclass(frozen=True)
class OwnItems:
    """Items of each client's own distribution, padded to equally many.

    Attributes:
        rows: (clients, n) rows of the bank. right: (clients, n) right columns.
        share: (clients, n) weights adding to 1; 0 for padding.
    """

    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    share: Numbers


def growth(before: ArrayLike, after: ArrayLike, kind: Kinds) -> Effect:
    """SF-1 of (clients, pairs, 2) probabilities of the stereotyped choice."""
    leads = (np.asarray(after, np.float64) - np.asarray(before, np.float64)).sum(axis=2)
    return _mean(leads.mean(axis=0), kind)


def calibration(before: Numbers, after: Numbers, kind: Kinds) -> Effect:
    """SF-2 of (clients, n) signed gaps on items of (n,) kinds: growth of the squared gap."""
    each = np.broadcast_to(kind, before.shape)
    value = float((squared_gap(after, each) - squared_gap(before, each)).mean())
    first, second = before.mean(axis=1)[:, None], after.mean(axis=1)[:, None]
    # By the delta method: how each item moves the mean over clients.
    moved = 2 * (second * after - first * before).mean(axis=0)
    return value, stratified_error(moved, kind)


def losses(before: ArrayLike, after: ArrayLike, own: OwnItems) -> Effect:
    """SF-3: mean over the clients of the accuracy lost on their own distribution, no gain counted.

    The positive part of an estimated loss is too large by chance. So one half of a client's items
    decides whether it lost and the other half how much, as in the statistic but with many more
    items and over ``HALVINGS``; what then is below 0 is none. A client whose true loss is within
    its standard error e of 0 counts by less than e / 3 too much or too little.
    """
    lost = hits(before, own.right) - hits(after, own.right)
    random = np.random.default_rng(_HALVES)
    values: list[Numbers] = []
    for _ in range(HALVINGS):
        first = np.zeros(lost.shape, np.bool_)
        # Every other item in a random order, so that both halves have as many but for one.
        order = random.permutation(lost.shape[1])
        first[:, order[::2]] = True
        halves = [_part(lost, own.share * side) for side in (first, ~first)]
        values += [np.where(halves[k] > 0, halves[1 - k], 0.0) for k in (0, 1)]
    loss = _part(lost, own.share)
    part = (loss > 0)[:, None] * own.share * (lost - loss[:, None]) / len(loss)
    # Clients of one home share texts.
    _, place = np.unique(own.rows, return_inverse=True)
    moved = np.bincount(place.ravel(), part.ravel())
    known = np.maximum(np.mean(values, axis=0), 0.0)
    return float(known.mean()), float(np.sqrt((moved**2).sum()))


def _part(lost: Numbers, share: Numbers) -> Numbers:
    return (lost * share).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-12)


def drop(before: ArrayLike, after: ArrayLike, kind: Kinds) -> Effect:
    """SF-6, and each half of SF-4, of (clients, n) probabilities."""
    change = np.asarray(before, np.float64) - np.asarray(after, np.float64)
    return _mean(change.mean(axis=0), kind)


def together(inside: Effect, outside: Effect, bank: int, beyond: int) -> Effect:
    """The truth of items like these, of an effect on the bank's units and one on those beyond it.

    The O units beyond are too few to be the truth: their own error would be charged to verdicts.
    All units alike hold the B of the bank, and would flatter them. So those beyond weigh
    ``w = sqrt(O / (B + O))``: what the bank's mean differs from the truth by then has just the
    variance that it has about the truth of all items like these, ``w^2 (1 / B + 1 / O) = 1 / B``.

    Args:
        inside: The effect on the bank.
        outside: That on the units beyond it.
        bank: B, on which the first rests.
        beyond: O, on which the second does.
    """
    out = math.sqrt(beyond / (bank + beyond))
    value = (1 - out) * inside[0] + out * outside[0]
    return value, math.hypot((1 - out) * inside[1], out * outside[1])


def mean_of(first: Effect, second: Effect) -> Effect:
    """SF-4: the mean of two drops on different items."""
    return (first[0] + second[0]) / 2, float(np.hypot(first[1], second[1])) / 2


def away_drop(
    before: ArrayLike,
    after: ArrayLike,
    right: Kinds,
    domain: NDArray[np.int64],
    homes: NDArray[np.int64],
) -> Effect:
    """SF-5 of (clients, n, classes) probabilities of task items."""
    change = hits(before, right) - hits(after, right)
    away = (domain[None] != homes[:, None]).astype(np.float64)
    weight = away / away.sum(axis=1, keepdims=True)
    # Of n items that each move the mean by a part, the mean of n parts is the effect.
    parts = (weight * change).mean(axis=0) * len(right)
    return float(parts.mean()), stratified_error(parts, 2 * domain + right)


def _mean(values: Numbers, kind: Kinds) -> Effect:
    return float(values.mean()), stratified_error(values, kind)
