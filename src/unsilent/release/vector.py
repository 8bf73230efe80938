"""The one function that makes what leaves a client: its clipped vector with noise.

The observer calls it for a release, ``unsilent privacy audit`` to attack it: the same code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unsilent.release.layout import Layout
from unsilent.release.noise import NoiseSource


def privatize(
    layout: Layout, values: Mapping[str, float], variance: float, noise: NoiseSource
) -> NDArray[np.int64]:
    """One client's values, clipped and encoded, plus its share of the noise.

    Args:
        layout: How the vector is laid out.
        values: One finite number in natural units for each name of ``layout.inputs``.
        variance: Variance of the share, in integer units squared.
        noise: Where it is drawn: one independent draw for each coordinate that has noise.

    Returns:
        (n_coordinates,) int64.

    Raises:
        OutcomeError: See ``Layout.encode``.
        ReleaseError: The noise cannot be drawn.
    """
    vector = layout.encode(values)
    noised = layout.noised
    if len(noised) < vector.shape[-1]:
        if len(noised):
            drawn = noise.sample(math.sqrt(variance), len(noised))
            # A source may give many vectors at once.
            vector = np.broadcast_to(vector, (*drawn.shape[:-1], vector.shape[-1])).copy()
            vector[..., noised] += drawn
        return vector
    return vector + noise.sample(math.sqrt(variance), len(noised))
