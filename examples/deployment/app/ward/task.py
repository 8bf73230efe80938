"""The model, and each ward's patients. They are made up here; a ward would read its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item

FEATURES = 4
CHOICES = (" stays home", " comes back")

Numbers = NDArray[np.float64]


def patients(ward: int) -> tuple[Numbers, NDArray[np.int64]]:
    """(80, FEATURES) numbers and who came back, of one ward."""
    random = np.random.default_rng([7, ward])
    x = random.normal(size=(80, FEATURES))
    chance = 1 / (1 + np.exp(-x @ np.array([1.5, -1.0, 0.5, 0.0]) + 0.5 * (ward - 1)))
    return x, (random.random(80) < chance).astype(np.int64)


def probability(x: Numbers, weights: Numbers) -> Numbers:
    """That each comes back."""
    return 1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1])))


def train(weights: Numbers, x: Numbers, y: NDArray[np.int64]) -> tuple[Numbers, float, float]:
    """Twenty steps of gradient descent; new weights, loss and accuracy."""
    for _ in range(20):
        error = probability(x, weights) - y
        weights = weights - 0.5 * np.append(x.T @ error, error.sum()) / len(y)
    chance = probability(x, weights)
    loss = -np.log(np.where(y == 1, chance, 1 - chance)).mean()
    return weights, float(loss), float(((chance > 0.5) == y).mean())


def as_item(name: str, x: Numbers, y: int | None) -> Item:
    """A stay as a forced choice: its numbers are the prompt."""
    domain = "young" if x[0] < 0 else "old"
    return Item(name, " ".join(f"{value:.6f}" for value in x), CHOICES, answer=y, domain=domain)
