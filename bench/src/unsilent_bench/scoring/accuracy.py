"""Accuracy on forced choices, as lm-evaluation-harness computes it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError, OutcomeError
from unsilent.items import Item, ItemSet, Outcomes
from unsilent_bench.scoring import _read

Per = Literal["choice", "character", "byte"]


@dataclass(frozen=True)
class Accuracy:
    """How many items were answered correctly.

    Attributes:
        items, correct: Counts.
        accuracy: Their ratio.
        standard_error: Of the ratio over the choice of items: the sample's sd (ddof 1) over
            sqrt(items), as lm-evaluation-harness reports it; None for a single item.
    """

    items: int
    correct: int
    accuracy: float
    standard_error: float | None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data."""
        return asdict(self)


def accuracy(outcomes: Outcomes) -> Accuracy:
    """Share of items whose most probable choice is the correct one; ties go to the first choice.

    With the outcomes of ``outcomes_of`` this is the harness's ``acc`` (``per="choice"``),
    ``acc_norm`` (``per="character"``) or ``acc_bytes`` (``per="byte"``).

    Raises ItemError for an item without an answer.
    """
    answers = np.array([_read.answer(item) for item in outcomes.items])
    n, correct = len(answers), int(np.sum(outcomes.chosen() == answers))
    share = correct / n
    error = math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else None
    return Accuracy(n, correct, share, error)


def outcomes_of(
    items: ItemSet, adapter: str, log_likelihoods: NDArray[np.float64], *, per: Per = "choice"
) -> Outcomes:
    """Outcomes from log-likelihoods: the softmax over an item's choices, divided by length or not.

    Args:
        items: The items.
        adapter: Which adapter answered.
        log_likelihoods: (n_items, max_choices) summed log-probability of each choice; what lies
            beyond an item's own choices is ignored.
        per: What a choice's log-likelihood is divided by: nothing, its characters, or its UTF-8
            bytes. The item's attribute ``delimiter``, the text that all its choices begin with
            and that is no part of them, is not counted.

    Raises:
        OutcomeError: The table has another shape, or a log-likelihood is not a number below
            infinity, or all of an item's are -inf.
        ItemError: A choice does not begin with the item's delimiter, or is nothing but that.
    """
    widest = max(len(item.choices) for item in items)
    found = np.asarray(log_likelihoods, dtype=np.float64)
    if found.shape != (len(items), widest):
        raise OutcomeError(
            f"log-likelihoods have shape {found.shape}, expected {(len(items), widest)}",
            where=items.name,
            remedy="Give one row an item and one column a choice.",
        )
    table = np.zeros_like(found)
    for row, item in enumerate(items):
        own = found[row, : len(item.choices)]
        if np.isnan(own).any() or (own == np.inf).any() or (own == -np.inf).all():
            raise OutcomeError(
                "a log-likelihood is not a number below infinity",
                where=f"{items.name}: item {item.id}",
            )
        scores = own / _lengths(item, per)
        weights = np.exp(scores - scores.max())
        table[row, : len(own)] = weights / weights.sum()
    return Outcomes(items, adapter, table)


def _lengths(item: Item, per: Per) -> NDArray[np.float64]:
    if per == "choice":
        return np.ones(len(item.choices))
    delimiter = item.attributes.get("delimiter", "")
    if not all(choice.startswith(delimiter) for choice in item.choices):
        raise ItemError(
            "a choice does not begin with the item's delimiter", where=f"item {item.id}"
        )
    bare = [choice.removeprefix(delimiter) for choice in item.choices]
    if not all(bare):
        raise ItemError("a choice is nothing but the delimiter", where=f"item {item.id}")
    return np.array([float(len(c if per == "character" else c.encode())) for c in bare])
