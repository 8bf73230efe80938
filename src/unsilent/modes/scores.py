"""Per-item scores that several modes share, and the paired difference of their means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import ItemError
from unsilent.items import ItemSet, Outcomes
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


def kinds(items: ItemSet) -> NDArray[np.int64]:
    """(n_items,) number of each item's kind: its domain and its answer."""
    found: dict[tuple[str | None, int | None], int] = {}
    return np.array(
        [found.setdefault((item.domain, item.answer), len(found)) for item in items],
        dtype=np.int64,
    )


def stratified_error(values: NDArray[np.float64], kind: NDArray[np.int64]) -> float:
    """Standard error of the mean of (n,) values, as many items of each kind drawn again.

    Item sets hold set numbers of each kind, so what differs between kinds is no accident of the
    draw: ``sqrt(sum_h n_h s_h^2) / n`` (Cochran 1977, eq. 5.14, without its finite population).
    Kinds with one item, of which no s_h is known, count as one kind. 0 for one item.
    """
    _, place, count = np.unique(kind, return_inverse=True, return_counts=True)
    place = np.where(count[place] > 1, place, len(count))
    square = 0.0
    for each in np.unique(place):
        own = values[place == each]
        # A single left-over has nothing to differ from but the others' mean.
        spare = values - np.mean(values)
        variance = np.var(own, ddof=1) if len(own) > 1 else float(spare[place == each][0]) ** 2
        square += len(own) * float(variance)
    return float(np.sqrt(square)) / len(values)


def paired_difference(
    minuend: NDArray[np.float64],
    subtrahend: NDArray[np.float64],
    *,
    bound: float,
    kind: NDArray[np.int64] | None = None,
) -> tuple[float, float]:
    """Mean of ``minuend - subtrahend`` over independent units, and its standard error.

    Args:
        minuend: (n_units,) scores under the adapter that should not score higher.
        subtrahend: (n_units,) scores of the same units under the other one.
        bound: Largest absolute difference of one unit. With a single unit no spread can be
            estimated; the largest that the bound allows is reported instead (Popoviciu 1935:
            the standard deviation of a variable in [-b, b] is at most b).
        kind: (n_units,) kinds of the units, of which a set holds set numbers; None for one kind.

    Returns:
        The mean difference and the standard deviation of that mean over the choice of units.
    """
    change = minuend - subtrahend
    mean, spread = mean_and_spread(change)
    if kind is not None:
        spread = stratified_error(change, kind)
    return mean, bound if len(subtrahend) == 1 else spread
