"""Whether answers moved: by more than asking the same thing twice moves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

LEAST = 1e-7
"""Probabilities that differ by less may be the same number, rounded otherwise."""
_LEAST_LOG = 1e-5
"""Log probabilities that differ by less may be the same, in 32 bits."""
_SURE = 1 - 1e-5
"""An item with a choice of this probability hardly moves, whatever is done to the model."""
_TIMES = 4.0
"""In differences between asking twice, what has to be exceeded: chance seldom gives twice that."""


@dataclass(frozen=True)
class Chance:
    """What chance alone moves answers by: the most of it.

    Attributes:
        most: In probabilities.
        most_log: In log probabilities, which tell where a model is certain of every item.
    """

    most: float
    most_log: float

    @classmethod
    def of(cls, answers: Rows, again: Rows) -> Chance:
        """From (n_items, n_choices) probabilities that were asked twice."""
        return cls(
            _TIMES * apart(answers, again) + LEAST,
            _TIMES * apart(_logs(answers), _logs(again)) + _LEAST_LOG,
        )

    def moved(self, first: Rows, second: Rows) -> bool:
        """Whether answers moved as a whole: by their unlikely choices where all are certain."""
        if apart(first, second) > self.most:
            return True
        certain = np.minimum(first.max(axis=1), second.max(axis=1)).min() >= _SURE
        return bool(certain) and apart(_logs(first), _logs(second)) > self.most_log

    def still(self, first: Rows, second: Rows) -> float:
        """Share of items whose answer did not move, of those that are not certain in both.

        Where all are certain, the unlikely choices tell: those that hold no number but 0 and 1
        cannot.
        """
        open_ = np.minimum(first.max(axis=1), second.max(axis=1)) < _SURE
        moved = np.sqrt(np.square(first - second).mean(axis=1)) > self.most
        if not open_.any():
            open_ = ((first > 0) & (first < 1) | (second > 0) & (second < 1)).any(axis=1)
            in_logs = np.sqrt(np.square(_logs(first) - _logs(second)).mean(axis=1))
            moved |= in_logs > self.most_log
        if not open_.any():
            return float(not moved.any())
        return float((~moved & open_).sum() / open_.sum())


def apart(first: Rows, second: Rows) -> float:
    """Root of the mean square of what two answers differ by."""
    return float(np.sqrt(np.square(np.asarray(first) - np.asarray(second)).mean()))


def _logs(rows: Rows) -> Rows:
    """Log probabilities, of no choice that is not there below the smallest number."""
    return np.log(np.maximum(rows, np.finfo(np.float64).tiny))
