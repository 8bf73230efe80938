"""Clipping: by how much a vector and what it reports of its clipping have to shrink to fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def largest_factor(
    body: NDArray[np.float64],
    boxed: NDArray[np.float64],
    cut: float,
    up: NDArray[np.float64],
    kept: NDArray[np.float64],
    room: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """The largest s <= 1 that makes room for a vector and its two reports.

    ``|s body|^2 + (cut (1 - boxed s))^2 + (up (1 - kept s))^2 <= room^2``.

    The left side is convex in s and below the right one at 0, so that the larger root is it.
    """
    square = np.einsum("...c,...c->...", body, body)
    second = square + (cut * boxed) ** 2 + (up * kept) ** 2
    first = cut**2 * boxed + up**2 * kept
    constant = cut**2 + up**2 - room**2
    root = np.sqrt(np.maximum(first**2 - second * constant, 0.0))
    factor = (first + root) / np.maximum(second, 1e-300)
    fits = square + (cut * (1 - boxed)) ** 2 + (up * (1 - kept)) ** 2 <= room**2
    return np.where(fits, 1.0, np.minimum(factor, 1.0))
