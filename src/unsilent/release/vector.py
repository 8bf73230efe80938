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
        noise: Where it is drawn: one independent draw a coordinate.

    Returns:
        (n_coordinates,) int64.

    Raises:
        OutcomeError: See ``Layout.encode``.
        ReleaseError: The noise cannot be drawn.
    """
    clean = layout.encode(values)
    return clean + noise.sample(math.sqrt(variance), len(clean))
