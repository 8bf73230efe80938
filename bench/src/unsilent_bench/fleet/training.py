"""Local training of all clients at once: the arithmetic of ``Encoder.train`` on stacked arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.weights import Array, Parts

_BLOCK = 8
"""Clients that train together: their weights and moments fit into a core's cache."""
_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Data:
    """Training records of all clients, equally many each.

    Attributes:
        rows: (clients, n) rows of the bank. tasks: (clients, n) places of tasks.
        answers: (clients, n) columns of the answers.
    """

    rows: NDArray[np.int64]
    tasks: NDArray[np.int64]
    answers: NDArray[np.int64]

    def of(self, clients: slice | NDArray[np.int64]) -> Data:
        """The records of some clients."""
        return Data(self.rows[clients], self.tasks[clients], self.answers[clients])


@dataclass(frozen=True)
class PrivateSteps:
    """DP-SGD (Abadi et al. 2016): each record's gradient is clipped, the sum is noised.

    A batch takes each record with probability ``batch / n``; public rehearsal is not clipped.

    Attributes:
        clip: L2 norm of one record's gradient.
        noise: Sd of the noise, as a multiple of ``clip``.
        lost: (clients,) whose gradients are lost, so that only noise is applied.
    """

    clip: float
    noise: float
    lost: NDArray[np.bool_]


@dataclass(frozen=True)
class Tuning:
    """How all clients train.

    Attributes:
        epochs, rate, batch: As ``models.base.Training``.
        rehearsal: Public examples of each frozen task in a batch.
        pull: Weight of half the squared distance from the anchor (Li et al. 2021, eq. 1).
        private: DP-SGD, if it is used.
    """

    epochs: int
    rate: float
    batch: int
    rehearsal: int
    pull: float = 0.0
    private: PrivateSteps | None = None


def train(
    bank: Bank,
    starts: Array,
    data: Data,
    tuning: Tuning,
    seeds: NDArray[np.int64],
    anchors: Array | None = None,
) -> Array:
    """Train every client's adapter on its records.

    Args:
        bank: Embeddings and heads.
        starts: (clients, size) adapters; not changed.
        data: Their records.
        tuning: How.
        seeds: (clients,) seed of each client's batches and rehearsal.
        anchors: (clients, size) adapters that ``pull`` draws to.

    Returns:
        (clients, size) trained adapters.
    """
    trained = np.array(starts, dtype=np.float32)
    for first in range(0, len(trained), _BLOCK):
        block = slice(first, first + _BLOCK)
        pulled = None if anchors is None else anchors[block]
        _train_block(bank, trained[block], data.of(block), tuning, seeds[block], pulled, block)
    return trained


def _train_block(
    bank: Bank,
    weights: Array,
    data: Data,
    tuning: Tuning,
    seeds: NDArray[np.int64],
    anchors: Array | None,
    block: slice,
) -> None:
    """Adam in place (Kingma and Ba 2015, algorithm 1), with torch's defaults."""
    randoms = [np.random.default_rng(int(seed)) for seed in seeds]
    count, n = data.rows.shape
    own = np.arange(count)[:, None]
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    gradient, spare = np.empty_like(weights), np.empty_like(weights)
    private = tuning.private
    step = 0
    for _ in range(tuning.epochs):
        orders = np.stack([random.permutation(n) for random in randoms])
        for start in range(0, n, tuning.batch):
            picked = orders[:, start : start + tuning.batch]
            if private is None:
                share = np.full(picked.shape, 1.0 / picked.shape[1], np.float32)
            else:
                # Poisson sampling: what the accountant reckons with.
                taken = np.stack([random.random(n) < tuning.batch / n for random in randoms])
                picked = np.broadcast_to(np.arange(n), (count, n))
                share = (taken / tuning.batch).astype(np.float32)
            batch = Data(data.rows[own, picked], data.tasks[own, picked], data.answers[own, picked])
            gradient_of(bank, weights, batch, share, gradient, private)
            if private is not None:
                if private.lost[block].any():
                    gradient[private.lost[block]] = 0.0
                sd = np.float32(private.noise * private.clip / tuning.batch)
                for row, random in zip(gradient, randoms, strict=True):
                    row += sd * random.standard_normal(row.shape, dtype=np.float32)
            if tuning.rehearsal:
                _rehearse(bank, weights, tuning.rehearsal, randoms, gradient)
            if anchors is not None and tuning.pull:
                gradient += np.float32(tuning.pull) * (weights - anchors)
            step += 1
            spread = np.sqrt(1 - _BETA2**step)
            size = np.float32(tuning.rate * spread / (1 - _BETA1**step))
            np.subtract(gradient, first, out=spare)
            spare *= np.float32(1 - _BETA1)
            first += spare
            np.multiply(gradient, gradient, out=spare)
            spare -= second
            spare *= np.float32(1 - _BETA2)
            second += spare
            np.sqrt(second, out=spare)
            spare += np.float32(_EPS * spread)
            np.divide(first, spare, out=spare)
            spare *= size
            weights -= spare


def gradient_of(
    bank: Bank,
    weights: Array,
    batch: Data,
    share: Array,
    gradient: Array,
    private: PrivateSteps | None,
) -> None:
    """Write the gradient of the share-weighted cross-entropy of records, each by its task's head.

    With ``private``, each record's part is clipped before it is weighted.
    """
    known = np.zeros((*batch.rows.shape, len(bank.bias)), np.float32)
    np.put_along_axis(known, batch.answers[..., None], np.float32(1), axis=2)
    _backward(bank, weights, batch.rows, batch.tasks, known, share, gradient, private)


def _rehearse(
    bank: Bank,
    weights: Array,
    count: int,
    randoms: list[np.random.Generator],
    gradient: Array,
) -> None:
    """Add the gradient that keeps frozen heads' answers to public examples as the base's."""
    rows: list[NDArray[np.int64]] = []
    targets: list[Array] = []
    places: list[NDArray[np.int64]] = []
    for random in randoms:
        drawn = [(r[0], r[1], random.integers(0, len(r[0]), count)) for r in bank.rehearsals]
        rows.append(np.concatenate([r[d] for r, _, d in drawn]))
        targets.append(np.concatenate([t[d] for _, t, d in drawn]))
        places.append(np.repeat(np.arange(1, len(drawn) + 1), count))
    share = np.full((len(rows), len(rows[0])), 1.0 / count, np.float32)
    part = np.empty_like(gradient)
    _backward(bank, weights, np.stack(rows), np.stack(places), np.stack(targets), share, part, None)
    gradient += part


def _backward(
    bank: Bank,
    weights: Array,
    rows: NDArray[np.int64],
    tasks: NDArray[np.int64],
    targets: Array,
    share: Array,
    gradient: Array,
    private: PrivateSteps | None,
) -> None:
    """Write the gradient of all parts into ``gradient``.

    With z = h + scale * relu(h D + b) U and logits = z W' + c, nothing of the width of z is held:
    z W' = h W' + scale * relu(…) (U W').
    """
    parts, out = Parts.of(weights, bank.shape), Parts.of(gradient, bank.shape)
    scale, classes = np.float32(bank.scale), bank.shape.classes
    h = bank.points[rows]
    hidden = np.maximum(h @ parts.down + parts.offset[:, None], np.float32(0))
    frozen = np.broadcast_to(bank.weight[classes:], (len(rows), *bank.weight[classes:].shape))
    heads = np.concatenate([parts.weight, frozen], axis=1)
    through = parts.up @ heads.transpose(0, 2, 1)
    logits = h @ heads.transpose(0, 2, 1) + scale * (hidden @ through)
    logits[..., :classes] += parts.bias[:, None]
    logits[..., classes:] += bank.bias[classes:]
    logits[~bank.task_columns[tasks]] = -np.inf
    logits -= logits.max(axis=2, keepdims=True)
    error = np.exp(logits, out=logits)
    error /= error.sum(axis=2, keepdims=True)
    error -= targets
    inner = scale * (error @ through.transpose(0, 2, 1)) * (hidden > 0)
    if private is not None:
        share = share * _kept(h, hidden, error, inner, heads, parts.up, scale, classes, private)
    error *= share[..., None]
    inner *= share[..., None]
    turned = error.transpose(0, 2, 1)
    np.matmul(h.transpose(0, 2, 1), inner, out=out.down)
    out.offset[...] = inner.sum(axis=1)
    np.matmul(scale * (hidden.transpose(0, 2, 1) @ error), heads, out=out.up)
    mine = turned[:, :classes]
    np.add(mine @ h, scale * ((mine @ hidden) @ parts.up), out=out.weight)
    out.bias[...] = mine.sum(axis=2)


def _kept(
    h: Array,
    hidden: Array,
    error: Array,
    inner: Array,
    heads: Array,
    up: Array,
    scale: np.float32,
    classes: int,
    private: PrivateSteps,
) -> Array:
    """(clients, n) factor that clips each record's gradient, all parts together.

    Every part of one record's gradient is an outer product, so its norm is the product of two
    norms (Goodfellow 2015, efficient per-example gradient norms).
    """

    def square(array: NDArray[np.floating[Any]]) -> Array:
        return np.einsum("bnk,bnk->bn", array, array).astype(np.float32, copy=False)

    mine = error[..., :classes]
    z = h + scale * (hidden @ up)
    norm = square(inner) * (square(h) + 1) + square(mine) * (square(z) + 1)
    norm += square(hidden) * square(scale * (error @ heads))
    limit = np.float32(private.clip)
    return np.minimum(np.float32(1), limit / np.sqrt(np.maximum(norm, limit * limit * 1e-12)))
