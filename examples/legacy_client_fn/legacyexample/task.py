"""Tumours by their measurements, and a logistic regression in NumPy."""

import numpy as np
from sklearn.datasets import load_breast_cancer

PUBLIC, STEPS = 60, 20


def cases():
    """(n, 31) standardized measurements and a column of ones, and (n,) whether benign."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x = (x - x.mean(0)) / x.std(0)
    return np.hstack([x, np.ones((len(y), 1))])[order], y[order]


def load_data(partition_id, num_partitions):
    """A hospital's cases; the first ``PUBLIC`` ones are nobody's."""
    x, y = cases()
    return x[PUBLIC:][partition_id::num_partitions], y[PUBLIC:][partition_id::num_partitions]


def new_weights():
    """Weights that know nothing."""
    return np.zeros(31)


def benign(weights, x):
    """(n,) probabilities of being benign."""
    return 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))


def fit(weights, x, y, rate):
    """Gradient descent; returns weights, mean loss and accuracy."""
    for _ in range(STEPS):
        weights = weights + rate * x.T @ (y - benign(weights, x)) / len(y)
    likely = benign(weights, x)
    loss = -np.log(np.where(y == 1, likely, 1 - likely)).mean()
    return weights, float(loss), float(((likely > 0.5) == y).mean())
