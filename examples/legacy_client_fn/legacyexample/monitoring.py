"""How the app's model answers: what monitoring needs of a model that it does not know."""

import numpy as np

from legacyexample.task import benign, cases, new_weights


def score(items, arrays, context):
    """Probabilities of malignant and benign; an item's prompt is a public case's number."""
    weights = new_weights() if arrays is None else arrays.to_numpy_ndarrays()[0]
    x, _ = cases()
    likely = benign(weights, x[[int(item.prompt.split()[-1]) for item in items]])
    return np.column_stack([1 - likely, likely])
