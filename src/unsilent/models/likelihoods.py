"""From the log-likelihoods of an item's choices to probabilities, by the plan's word.

Longer choices have lower likelihoods. Divided by its length, a choice is held against the others
as lm-evaluation-harness does for ``acc_norm`` (characters) and ``acc_bytes`` (UTF-8 bytes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from unsilent.items import Item, ItemSet
from unsilent.plan import Likelihood

_LOWEST = -1e30
"""In place of minus infinity: a row of nothing else has no softmax."""


def lengths(
    items: ItemSet, likelihood: Likelihood, tokens: Sequence[Sequence[int]] | None = None
) -> NDArray[np.float64]:
    """(n_items, max_choices) what each choice's log-likelihood is divided by; 1 beyond its own.

    What all choices of an item begin with by way of delimiter is no part of them: the text that
    its attribute ``delimiter`` names, else the blanks that they share. A test of refusal, an item
    with safe choices, is scored by sums under every word: that is how its measure is defined.

    Args:
        items: What was asked.
        likelihood: The plan's word.
        tokens: How many tokens of each choice are scored; needed for ``per-token`` alone.
    """
    table = np.ones((len(items), max(len(item.choices) for item in items)))
    for row, item in enumerate(items):
        if likelihood == "sum" or item.safe:
            continue
        if likelihood == "per-token":
            if tokens is None:
                raise ValueError("per-token needs the tokens of each choice")
            found = list(tokens[row])
        else:
            bare = _bare(item)
            whole = likelihood == "per-character"
            found = [len(text) if whole else len(text.encode()) for text in bare]
        table[row, : len(found)] = found
    return table


def over_choices(
    items: ItemSet, likelihoods: NDArray[np.float64], divisors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n_items, max_choices) probabilities: softmax of log-likelihoods, each over its divisor.

    Args:
        items: What was asked.
        likelihoods: (n_items, max_choices) in nats, anything beyond an item's own choices.
        divisors: Of the same shape, from ``lengths``.
    """
    counts = np.array([len(item.choices) for item in items])
    own = np.arange(likelihoods.shape[1])[None, :] < counts[:, None]
    each = np.maximum(np.where(own, likelihoods, 0.0), _LOWEST) / divisors
    return softmax(np.where(own, each, -np.inf), axis=1)


def _bare(item: Item) -> list[str]:
    """The choices without what they all begin with as a delimiter."""
    delimiter = item.attributes.get("delimiter")
    if delimiter is None:
        first = item.choices[0]
        delimiter = first[: len(first) - len(first.lstrip())]
        while not all(choice.startswith(delimiter) for choice in item.choices):
            delimiter = delimiter[:-1]
    bare = [choice.removeprefix(delimiter) for choice in item.choices]
    # Of a choice that is nothing else the delimiter counts.
    return [own or whole for own, whole in zip(bare, item.choices, strict=True)]
