"""A small encoder whose embeddings are drawn by text, with heads of the three tasks."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unsilent.models.encoder import Encoder, provided_heads
from unsilent.models.heads import Examples
from unsilent.models.vectors import VectorStore
from unsilent.plan import AdapterPlan
from unsilent.probes.sentiment import DOMAINS

WIDTH = 24
NAMES = ("D", "U", "b", "head.bias", "head.weight")
"""Arrays of its adapter."""


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


def few_examples() -> list[Examples]:
    """20 examples a class of three tasks."""
    kinds = {
        "sentiment": ("positive", "negative"),
        "guard": ("decline", "answer"),
        "general": DOMAINS,
    }
    return [
        Examples(
            task,
            labels,
            tuple(f"{task} {n}" for n in range(20 * len(labels))),
            tuple(n % len(labels) for n in range(20 * len(labels))),
        )
        for task, labels in kinds.items()
    ]


def small_encoder(folder: Path) -> Encoder:
    store, drawn, examples = VectorStore(folder / "v.sqlite", WIDTH), Drawn(), few_examples()
    provided = provided_heads(drawn, store, examples)
    return Encoder(drawn, store, provided, examples, adapter=AdapterPlan(rank=4, scale=1.0))
