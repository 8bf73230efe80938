"""Two models on the same items, in numbers: how far apart, and what may be said of it.

What is judged is the share of items, of which those asked are a sample, on which the two differ by
more than a tolerance. It is at most ``SHARE`` (same), above it (different), or not known: no
difference seen on few items is no evidence that there is none. Ends are one-sided 95% ones of
Clopper and Pearson (1934), so that each of the two words is wrong in at most one of twenty draws.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unsilent.items import ItemSet

Sameness = Literal["same", "different", "undetermined"]
Acts = Literal["acts", "absent", "unclear"]

TOLERANCE = 1.0
"""Nats in the log-likelihood of a choice that two engines of one model may differ by: more than
bfloat16 against float32 makes of the embedded model (``benchmarks/parity_rounding.py``); engines
that compute alike can be held to less."""

IN_PROBABILITY = 0.1
"""Of the tolerance in nats, what a choice's probability may differ by: 10 points of 1 nat."""

SHARE = 0.1
"""Share of items that may differ by more, for the two to be the same model."""

LEVEL = 0.95
_LOWEST = -1e4
_NEARER = 0.5


@dataclass(frozen=True)
class ItemScores:
    """What a model says of items.

    Attributes:
        probabilities: (n_items, max_choices) over each item's choices, 0 beyond its own.
        likelihoods: (n_items, max_choices) log-likelihoods of the choices in nats, anything beyond
            an item's own; None of a model that tells only probabilities.
    """

    probabilities: NDArray[np.float64]
    likelihoods: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Comparison:
    """How far two models are apart.

    Attributes:
        items: How many were asked.
        largest, mean: Over items, of the largest difference over an item's choices, in nats; None
            where one of them tells only probabilities.
        largest_probability, mean_probability: The same of the probabilities over the choices.
        alike: Items on which both hold the same choice most probable.
        beyond: Items that differ by more than the tolerance in nats, or by more than
            ``IN_PROBABILITY`` of it in probability.
        least, most: One-sided 95% bounds of the share of items beyond (Clopper and Pearson 1934).
        verdict: ``same`` if none is beyond and the share is at most ``SHARE``, ``different`` if
            the share is above it, else ``undetermined``.
    """

    items: int
    largest: float | None
    mean: float | None
    largest_probability: float
    mean_probability: float
    alike: int
    beyond: int
    least: float
    most: float
    verdict: Sameness

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


@dataclass(frozen=True)
class Acting:
    """Whether a served adapter acts.

    Attributes:
        word: ``acts`` if the endpoint is nearer to the reference with the adapter than half of
            what the adapter moves, with 95% confidence over items; ``absent`` if it is so near to
            the base; else ``unclear``.
        strength: How much of the adapter's change shows, by least squares: 1 all, 0 nothing.
        moves: How far the adapter moves the reference, mean over items.
        to_adapter, to_base: How far the endpoint is from the reference with it and without.
        unit: ``nats``, or ``probability``.
    """

    word: Acts
    strength: float | None
    moves: float
    to_adapter: float
    to_base: float
    unit: Literal["nats", "probability"]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def compare(items: ItemSet, one: ItemScores, other: ItemScores, tolerance: float) -> Comparison:
    """How far two models are apart on the same items.

    Args:
        items: What both were asked.
        one: What the first says.
        other: What the second says.
        tolerance: In nats, above 0.
    """
    own = _own(items)
    apart = np.abs(one.probabilities - other.probabilities).max(axis=1)
    beyond = apart > tolerance * IN_PROBABILITY
    nats = None
    if one.likelihoods is not None and other.likelihoods is not None:
        nats = np.abs(_filled(one.likelihoods, own) - _filled(other.likelihoods, own)).max(axis=1)
        beyond |= nats > tolerance
    count, total = int(beyond.sum()), len(items)
    least = float(stats.beta.ppf(1 - LEVEL, count, total - count + 1)) if count else 0.0
    most = float(stats.beta.ppf(LEVEL, count + 1, total - count)) if count < total else 1.0
    alike = one.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)
    return Comparison(
        items=total,
        largest=None if nats is None else float(nats.max()),
        mean=None if nats is None else float(nats.mean()),
        largest_probability=float(apart.max()),
        mean_probability=float(apart.mean()),
        alike=int(alike.sum()),
        beyond=count,
        least=least,
        most=most,
        verdict=_verdict(count, least, most),
    )


def acting(items: ItemSet, served: ItemScores, base: ItemScores, adapted: ItemScores) -> Acting:
    """Whether the endpoint answers as the reference does with an adapter, or without.

    Args:
        items: What all were asked.
        served: The endpoint.
        base: The reference without the adapter.
        adapted: The reference with it.
    """
    own = _own(items)
    tables = [served.likelihoods, base.likelihoods, adapted.likelihoods]
    nats = [_filled(table, own) for table in tables if table is not None]
    told = len(nats) == len(tables)
    s, b, a = nats if told else [served.probabilities, base.probabilities, adapted.probabilities]
    counts = own.sum(axis=1)
    moves, to_adapter, to_base = (
        np.abs(x - y).sum(axis=1) / counts for x, y in ((a, b), (s, a), (s, b))
    )
    word: Acts = "unclear"
    if _below_zero(to_adapter - _NEARER * moves):
        word = "acts"
    elif _below_zero(to_base - _NEARER * moves):
        word = "absent"
    moved = float(((a - b) ** 2).sum())
    return Acting(
        word=word,
        strength=float(((s - b) * (a - b)).sum() / moved) if moved else None,
        moves=float(moves.mean()),
        to_adapter=float(to_adapter.mean()),
        to_base=float(to_base.mean()),
        unit="nats" if told else "probability",
    )


def _verdict(beyond: int, least: float, most: float) -> Sameness:
    if not beyond and most <= SHARE:
        return "same"
    return "different" if least > SHARE else "undetermined"


def _below_zero(differences: NDArray[np.float64]) -> bool:
    """Whether their mean over all items is below 0, at 95% by Student's t."""
    if len(differences) < 2:
        return False
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(differences.mean() + stats.t.ppf(LEVEL, len(differences) - 1) * error < 0)


def _own(items: ItemSet) -> NDArray[np.bool_]:
    """(n_items, max_choices) where an item has a choice."""
    counts = np.array([len(item.choices) for item in items])
    return np.arange(counts.max())[None, :] < counts[:, None]


def _filled(table: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The log-likelihoods, 0 beyond an item's choices, and finite."""
    return np.where(own, np.maximum(table, _LOWEST), 0.0)
