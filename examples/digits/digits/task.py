"""The images, who has which of them, and a network of one hidden layer in NumPy."""

import numpy as np
from sklearn.datasets import load_digits

HIDDEN, CLASSES, PUBLIC = 32, 10, 200
Weights = list[np.ndarray]


def images() -> tuple[np.ndarray, np.ndarray]:
    """(n, 64) grey values in [0, 1] and (n,) digits, in a fixed random order."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    return found.data[order] / 16.0, found.target[order]


def load_data(partition_id: int, num_partitions: int) -> tuple[np.ndarray, ...]:
    """A client's images and digits to train on, and held-out ones; five digits are its home.

    The first ``PUBLIC`` images are nobody's: the probes are drawn from them.
    """
    x, y = (part[PUBLIC:] for part in images())
    home = (y < 5) == (partition_id % 2 == 0)
    mine = np.flatnonzero(home)[partition_id // 2 :: (num_partitions + 1) // 2]
    away = np.flatnonzero(~home)[partition_id::num_partitions][: len(mine) // 8]
    chosen = np.random.default_rng(partition_id).permutation(np.concatenate([mine, away]))
    cut = len(chosen) * 3 // 4
    return x[chosen[:cut]], y[chosen[:cut]], x[chosen[cut:]], y[chosen[cut:]]


def new_weights(seed: int = 0) -> Weights:
    """He's initialization."""
    random = np.random.default_rng(seed)
    first = random.normal(0, np.sqrt(2 / 64), (64, HIDDEN))
    second = random.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, CLASSES))
    return [first, np.zeros(HIDDEN), second, np.zeros(CLASSES)]


def forward(weights: Weights, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, HIDDEN) activations and (n, CLASSES) probabilities."""
    hidden = np.maximum(x @ weights[0] + weights[1], 0)
    scores = hidden @ weights[2] + weights[3]
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, likely / likely.sum(axis=1, keepdims=True)


def train(weights: Weights, x: np.ndarray, y: np.ndarray, epochs: int, rate: float) -> Weights:
    """Gradient descent on the cross-entropy, eight images at a time."""
    weights = [w.copy() for w in weights]
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(len(y))
        for batch in np.array_split(order, max(1, len(y) // 8)):
            hidden, likely = forward(weights, x[batch])
            likely[np.arange(len(batch)), y[batch]] -= 1
            back = likely / len(batch)
            into = (back @ weights[2].T) * (hidden > 0)
            steps = (x[batch].T @ into, into.sum(0), hidden.T @ back, back.sum(0))
            for w, step in zip(weights, steps, strict=True):
                w -= rate * step
    return weights


def evaluate(weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Mean loss in nats, and accuracy."""
    likely = forward(weights, x)[1]
    loss = -np.log(np.clip(likely[np.arange(len(y)), y], 1e-12, 1)).mean()
    return float(loss), float((likely.argmax(1) == y).mean())
