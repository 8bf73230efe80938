"""A small bank whose embeddings are drawn by text, for tests of the fleet."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from unsilent_bench.fleet.bank import Bank

from unsilent.models.encoder import provided_heads
from unsilent.models.heads import Examples
from unsilent.models.vectors import VectorStore
from unsilent.probes.sentiment import DOMAINS

WIDTH = 24


class Drawn:
    """Embeds a text by its hash."""

    width = WIDTH
    digest = "sha256:" + "0" * 64

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [
            np.random.default_rng(list(hashlib.sha256(text.encode()).digest())).normal(size=WIDTH)
            for text in texts
        ]
        return np.array(rows, np.float32)


def small_bank(folder: Path) -> Bank:
    """Heads of the three tasks on 20 examples a class."""
    kinds = {
        "sentiment": ("positive", "negative"),
        "guard": ("decline", "answer"),
        "general": DOMAINS,
    }
    examples = [
        Examples(
            task,
            labels,
            tuple(f"{task} {n}" for n in range(20 * len(labels))),
            tuple(n % len(labels) for n in range(20 * len(labels))),
        )
        for task, labels in kinds.items()
    ]
    store = VectorStore(folder / "vectors.sqlite", WIDTH)
    drawn = Drawn()
    return Bank(drawn, store, provided_heads(drawn, store, examples), examples)
