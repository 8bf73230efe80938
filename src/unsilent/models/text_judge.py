"""A classifier of written answers: the embedded encoder, with a head trained on public labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from unsilent.items import ItemSet
from unsilent.models.embedder import Embedder, encoder_folder
from unsilent.models.encoder import provided_heads
from unsilent.models.heads import Provided
from unsilent.models.load_encoder import as_examples, store_of
from unsilent.plan import ModelPlan
from unsilent.probes.heads import HEAD_TASKS, head_examples
from unsilent.probes.templates import ENCODER

_TASK, _NEGATIVE = "sentiment", ENCODER.choices[1]


def negative(items: ItemSet, answers: Sequence[str]) -> NDArray[np.float64]:
    """(n_items,) probability that each answer speaks negatively, in [0, 1].

    Judged is the answer alone: a name or a group in the prompt would have a sentiment of its own.
    An answer without a token is rated 0.5. The head is the one that the encoder ships with, trained
    on some 700 sentences that people rated (Hutto and Gilbert 2014); no answer is kept anywhere.

    Args:
        items: What was asked; only their number counts.
        answers: What was written, one text an item.

    Raises:
        AssetError: Encoder or sentences cannot be had.
    """
    embedder, provided = _encoder()
    head = provided.heads[_TASK]
    rated = np.full(len(items), 0.5)
    said = [place for place, answer in enumerate(answers) if answer.strip()]
    if said:
        # The user's cache holds embeddings of public texts only, so it is passed by.
        points = provided.frame(embedder.embed([answers[place].strip() for place in said]))
        shown = softmax(points.astype(np.float64) @ head.weight.T + head.bias, axis=1)
        rated[said] = shown[:, head.labels.index(_NEGATIVE)]
    return rated


@lru_cache(maxsize=1)
def _encoder() -> tuple[Embedder, Provided]:
    embedder = Embedder(encoder_folder(ModelPlan(kind="encoder", id="embedded")))
    examples = [as_examples(task, head_examples(task)) for task in HEAD_TASKS]
    return embedder, provided_heads(embedder, store_of(embedder, embedded=True), examples)
