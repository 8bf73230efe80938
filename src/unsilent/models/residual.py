"""The residual adapter's arithmetic: forward, gradients, and Adam, on small matrices.

``z = h + scale * relu(h D + b) U`` (bottleneck adapter of Houlsby et al. 2019, on pooled
embeddings), answered by a linear head ``logits = z W' + c``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
"""``D`` (width, rank), ``b`` (rank,), ``U`` (rank, width), ``head.weight`` (classes, width),
``head.bias`` (classes,)."""

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


def forward(weights: Weights, h: Array, scale: float) -> tuple[Array, Array]:
    """(n, rank) activations of the bottleneck and (n, width) adapted embeddings z."""
    hidden = np.maximum(h @ weights["D"] + weights["b"], 0).astype(np.float32, copy=False)
    z = h + np.float32(scale) * (hidden @ weights["U"])
    return hidden, z.astype(np.float32, copy=False)


def probabilities(z: Array, weight: Array, bias: Array) -> Array:
    """(n, classes) softmax of a linear head."""
    return softmax(z @ weight.T + bias, axis=1).astype(np.float32)


def residual_gradient(
    weights: Weights, h: Array, hidden: Array, dz: Array, scale: float
) -> dict[str, Array]:
    """Gradients of D, b and U, given the gradient (n, width) at z."""
    scaled: Array = np.float32(scale) * dz
    inner: Array = (scaled @ weights["U"].T) * (hidden > 0)
    return {"D": h.T @ inner, "b": inner.sum(axis=0), "U": hidden.T @ scaled}


def task_gradient(
    weights: Weights, h: Array, answers: NDArray[np.int64], scale: float
) -> tuple[dict[str, Array], float, int]:
    """Gradient of the batch's mean cross-entropy in all weights, its summed loss and its hits."""
    hidden, z = forward(weights, h, scale)
    error = probabilities(z, weights["head.weight"], weights["head.bias"])
    rows = np.arange(len(h))
    loss = -float(np.log(np.maximum(error[rows, answers], np.float32(1e-30))).sum())
    hits = int((error.argmax(axis=1) == answers).sum())
    error[rows, answers] -= np.float32(1)
    error /= np.float32(len(h))
    gradient = residual_gradient(weights, h, hidden, error @ weights["head.weight"], scale)
    gradient["head.weight"] = error.T @ z
    gradient["head.bias"] = error.sum(axis=0)
    return gradient, loss, hits


def frozen_gradient(
    weights: Weights, h: Array, targets: Array, weight: Array, bias: Array, scale: float
) -> dict[str, Array]:
    """Gradients of D, b and U of the mean cross-entropy of a frozen head towards ``targets``.

    Args:
        weights: The adapter.
        h: (n, width) framed embeddings.
        targets: (n, classes) probabilities to stay close to.
        weight: The frozen head's (classes, width).
        bias: The frozen head's (classes,).
        scale: The adapter's scale.
    """
    hidden, z = forward(weights, h, scale)
    error: Array = (probabilities(z, weight, bias) - targets) / np.float32(len(h))
    return residual_gradient(weights, h, hidden, error @ weight, scale)


class Adam:
    """Adam in place (Kingma and Ba 2015, algorithm 1), with torch's defaults.

    Args:
        weights: The arrays to train; changed by ``step``.
        rate: Learning rate.
    """

    def __init__(self, weights: dict[str, Array], rate: float) -> None:
        self._weights = weights
        self._rate = rate
        self._steps = 0
        self._first = {name: np.zeros_like(array) for name, array in weights.items()}
        self._second = {name: np.zeros_like(array) for name, array in weights.items()}

    def step(self, gradient: Weights) -> None:
        """Move every weight by one step."""
        self._steps += 1
        spread = np.sqrt(1 - _BETA2**self._steps)
        size = np.float32(self._rate * spread / (1 - _BETA1**self._steps))
        eps = np.float32(_EPS * spread)
        for name, weight in self._weights.items():
            first, second, part = self._first[name], self._second[name], gradient[name]
            first += np.float32(1 - _BETA1) * (part - first)
            second += np.float32(1 - _BETA2) * (part * part - second)
            weight -= size * first / (np.sqrt(second) + eps)
