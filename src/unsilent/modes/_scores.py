"""Per-item scores that several modes share, and the paired difference of their means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError
from unsilent.items import Outcomes
from unsilent.modes.base import mean_and_spread


def answer_probability(outcomes: Outcomes) -> NDArray[np.float64]:
    """(n_items,) probability of the correct choice, in [0, 1].

    Raises ItemError for an item without an answer.
    """
    return outcomes.of(lambda item: item.answer)


def correct(outcomes: Outcomes) -> NDArray[np.float64]:
    """(n_items,) 1.0 where the most probable choice is the correct one, else 0.0.

    Raises ItemError for an item without an answer.
    """
    answers = np.empty(len(outcomes.items), dtype=np.int64)
    for row, item in enumerate(outcomes.items):
        if item.answer is None:
            raise ItemError("this item does not say which choice is correct", where=item.id)
        answers[row] = item.answer
    return (outcomes.chosen() == answers).astype(np.float64)


def confidence(outcomes: Outcomes) -> NDArray[np.float64]:
    """(n_items,) probability of the most probable choice, in (0, 1]."""
    table: NDArray[np.float64] = outcomes.probabilities
    return np.max(table, axis=1)


def paired_difference(
    minuend: NDArray[np.float64], subtrahend: NDArray[np.float64], *, bound: float
) -> tuple[float, float]:
    """Mean of ``minuend - subtrahend`` over independent units, and its standard error.

    Args:
        minuend: (n_units,) scores under the adapter that should not score higher.
        subtrahend: (n_units,) scores of the same units under the other one.
        bound: Largest absolute difference of one unit. With a single unit no spread can be
            estimated; the largest that the bound allows is reported instead (Popoviciu 1935:
            the standard deviation of a variable in [-b, b] is at most b).

    Returns:
        The mean difference and the standard deviation of that mean over the choice of units.
    """
    mean, spread = mean_and_spread(minuend - subtrahend)
    return mean, bound if len(subtrahend) == 1 else spread
