"""What many adapters answer to the same items, and what clients answer to their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.weights import Array, Parts

_BLOCK = 32
_FEW = 4
"""Adapters, at most, that answer every item that any client has; of more, each its client's."""


@dataclass(frozen=True)
class HeldAdapters:
    """Adapters, and whose they are: one for all, one a client, or one for each of some groups.

    Attributes:
        rows: (adapters, size). of: (clients,) place of each client's adapter.
    """

    rows: Array
    of: NDArray[np.int64]

    @classmethod
    def each(cls, rows: Array) -> HeldAdapters:
        """One a client."""
        return cls(rows, np.arange(len(rows)))

    @classmethod
    def one(cls, row: Array, clients: int) -> HeldAdapters:
        """The same for all clients."""
        return cls(row[None], np.zeros(clients, np.int64))

    def full(self) -> Array:
        """(clients, size), each client's own."""
        return self.rows[self.of]


def answers(bank: Bank, held: HeldAdapters, rows: NDArray[np.int64], task: str) -> Array:
    """(clients, n, classes) probabilities of items of one task.

    They are shared (n,), or drawn (clients, n) from so few that each adapter answers all of them.
    """
    distinct, place = (rows, None) if rows.ndim == 1 else np.unique(rows, return_inverse=True)
    table = _all(bank, held.rows, distinct, task)
    if place is None:
        return table[held.of]
    return table[held.of[:, None], place.reshape(rows.shape)]


def own_answers(bank: Bank, held: HeldAdapters, rows: NDArray[np.int64], task: str) -> Array:
    """(clients, n, classes) probabilities of each client's own (clients, n) items of one task."""
    if len(held.rows) <= _FEW:
        return answers(bank, held, rows, task)
    full = held.full()
    return np.concatenate(
        [_logits_to_probabilities(bank, full[k : k + 1], rows[k], task) for k in range(len(full))]
    )


def _all(bank: Bank, adapters: Array, rows: NDArray[np.int64], task: str) -> Array:
    return np.concatenate(
        [
            _logits_to_probabilities(bank, adapters[k : k + _BLOCK], rows, task)
            for k in range(0, len(adapters), _BLOCK)
        ]
    )


def _logits_to_probabilities(
    bank: Bank, adapters: Array, rows: NDArray[np.int64], task: str
) -> Array:
    """(adapters, n, classes): softmax of h W' + scale * relu(h D + b) (U W') + c."""
    parts, count = Parts.of(adapters, bank.shape), len(adapters)
    where = bank.task(task)
    h = bank.points[rows]
    down = parts.down.transpose(1, 0, 2).reshape(bank.shape.width, -1)
    hidden = (h @ down).reshape(len(h), count, bank.shape.rank).transpose(1, 0, 2)
    hidden = np.maximum(hidden + parts.offset[:, None], np.float32(0))
    if where.start == 0:
        weight, bias = parts.weight, parts.bias
        flat = weight.reshape(-1, bank.shape.width)
        base = (h @ flat.T).reshape(len(h), count, -1).transpose(1, 0, 2) + bias[:, None]
    else:
        weight = np.broadcast_to(
            bank.weight[where.start : where.stop],
            (count, where.stop - where.start, bank.shape.width),
        )
        base = (h @ weight[0].T + bank.bias[where.start : where.stop])[None]
    logits = base + np.float32(bank.scale) * (hidden @ (parts.up @ weight.transpose(0, 2, 1)))
    logits -= logits.max(axis=2, keepdims=True)
    table = np.exp(logits)
    table /= table.sum(axis=2, keepdims=True)
    return table.astype(np.float32)
