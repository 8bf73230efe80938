"""A classifier of texts by their words, in NumPy: small enough to train a federation in seconds.

Logistic regression on which words a text has. Its adapter is a weight for each word, added to the
base's, so that it is averaged, personalized and scored as any adapter is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item, ItemSet
from unsilent.messages import Arrays
from unsilent.probes.sentiment import head_texts, usable
from unsilent.probes.templates import ENCODER, POSITIVE

WORDS = "words"
"""Name of the adapter's only array: (SLOTS,) float64 weights."""
SLOTS = 4096
"""Words are hashed into all but the last, which is every text's own: the intercept."""
RATE = 0.3
"""Of a gradient step on one batch."""
_BATCH = 8
_BASE_EPOCHS, _BASE_RATE = 10, 0.1
_WORD = re.compile(r"\w+")


def nothing() -> Arrays:
    """The adapter that changes nothing."""
    return {WORDS: np.zeros(SLOTS)}


@lru_cache(maxsize=1)
def base() -> NDArray[np.float64]:
    """(SLOTS,) weights of the base: trained on public texts, none of which names its author.

    Raises:
        AssetError: The texts could not be had.
    """
    texts = [text for text in head_texts() if usable(text)]
    items = [ENCODER.item(text.id, text, positive=text.positive) for text in texts]
    return _stepped(np.zeros(SLOTS), items, epochs=_BASE_EPOCHS, rate=_BASE_RATE, seed=0)


def trained(adapter: Arrays, items: Sequence[Item], *, epochs: int, seed: int) -> Arrays:
    """The adapter after so many epochs on items with answers."""
    weights = _stepped(base() + adapter[WORDS], items, epochs=epochs, rate=RATE, seed=seed)
    return {WORDS: weights - base()}


def probabilities(items: ItemSet, adapter: Arrays | None) -> NDArray[np.float64]:
    """(n_items, 2) probabilities of the choices, positive first; None is the base."""
    weights = base() if adapter is None else base() + adapter[WORDS]
    positive = _sigmoid(np.array([weights[_slots(item.prompt)].sum() for item in items]))
    return np.stack([positive, 1 - positive], axis=1)


def unadapted(items: ItemSet) -> NDArray[np.float64]:
    """The base's probabilities, under which name a plan knows this model."""
    return probabilities(items, None)


def _stepped(
    weights: NDArray[np.float64], items: Sequence[Item], *, epochs: int, rate: float, seed: int
) -> NDArray[np.float64]:
    draws, weights = np.random.default_rng(seed), weights.copy()
    slots = [_slots(item.prompt) for item in items]
    answers = np.array([float(item.answer == POSITIVE) for item in items])
    for _ in range(epochs):
        order = draws.permutation(len(items))
        for batch in np.split(order, range(_BATCH, len(order), _BATCH)):
            sums = np.array([weights[slots[place]].sum() for place in batch])
            errors = answers[batch] - _sigmoid(sums)
            for place, error in zip(batch, errors, strict=True):
                weights[slots[place]] += rate * error
    return weights


@lru_cache(maxsize=1 << 14)
def _slots(text: str) -> NDArray[np.int64]:
    """The slots of a text's distinct words, and the intercept's."""
    words = {zlib.crc32(word.encode()) % (SLOTS - 1) for word in _WORD.findall(text.casefold())}
    return np.array([*sorted(words), SLOTS - 1])


def _sigmoid(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(sums, -30.0, 30.0)))
