"""A frozen text encoder with a trainable residual adapter and one linear head for each task.

Embeddings are computed once a text and kept on disk, so training and scoring are small matrix
work: a federation of 128 clients trains in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from unsilent.errors import ModelError
from unsilent.files import digest_json
from unsilent.items import Item, ItemSet
from unsilent.models.base import (
    Adapter,
    Training,
    TrainingReport,
    of_another_base,
    without_answer,
)
from unsilent.models.hashes import engine_hash
from unsilent.models.heads import RIDGE, Examples, Head, Provided, provide
from unsilent.models.recent import Recent
from unsilent.models.residual import (
    Adam,
    Array,
    forward,
    frozen_gradient,
    probabilities,
    task_gradient,
)
from unsilent.models.vectors import VectorStore
from unsilent.plan import AdapterPlan
from unsilent.probes.catalog import refuse_as_training

TRAINED = "sentiment"
"""The task whose head is trained with the adapter; all other heads are frozen."""

_VERSION = "residual/1"
_CACHE_BYTES = 256 * 2**20


class Embeds(Protocol):
    """What an encoder needs of a text embedder; ``embedder.Embedder`` is one."""

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        ...

    @property
    def digest(self) -> str:
        """Identifies the embeddings."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, width) embeddings."""
        ...


@dataclass(frozen=True)
class _Rehearsal:
    """Public examples of one frozen head, and how the base answers them."""

    head: Head
    points: Array
    targets: Array


class Encoder:
    """The encoder kind of :class:`unsilent.models.base.PersonalModel`.

    A framed embedding h of width d becomes ``z = h + scale * relu(h D + b) U`` with D (d, rank),
    b (rank,), U (rank, d): a residual bottleneck adapter (Houlsby et al. 2019) on the pooled
    output. An item is answered by the head that its ``task`` names: softmax of the logits of the
    classes that are its choices.

    Local training rehearses the frozen tasks on a few public examples a batch, towards the base's
    own answers (Li and Hoiem 2016, learning without forgetting), as a provider's client would.

    Args:
        embedder: Frozen encoder.
        store: Where embeddings are kept.
        provided: Frame and heads, from :func:`provided_heads`.
        examples: What the heads were fitted on; rehearsal draws from those of frozen heads.
        adapter: Rank and scale.
        rehearsal: Public examples of each frozen task in a training batch.
    """

    def __init__(
        self,
        embedder: Embeds,
        store: VectorStore,
        provided: Provided,
        examples: Sequence[Examples],
        *,
        adapter: AdapterPlan,
        rehearsal: int = 4,
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._provided = provided
        self._examples = tuple(examples)
        self._rank = adapter.rank
        self._scale = adapter.scale
        self._batch_rehearsal = rehearsal
        self._trained_head = provided.heads[TRAINED]
        self._points: Recent[Array] = Recent(_CACHE_BYTES, lambda table: table.nbytes)
        self._rehearsals: tuple[_Rehearsal, ...] | None = None
        self.digest = digest_json(
            [
                _VERSION,
                embedder.digest,
                [e.digest for e in self._examples],
                adapter.rank,
                adapter.scale,
                rehearsal,
            ]
        )

    @property
    def hashes(self) -> Mapping[str, str]:
        """Of the frozen encoder with its tokenizer, and of what scores."""
        return {"base": self._embedder.digest, "engine": engine_hash("float32")}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a head."""
        return tuple(self._provided.heads)

    def new_adapter(self, seed: int) -> Adapter:
        """D normal with variance 1/d, b and U zero, the head as provided: nothing changes yet."""
        width = self._embedder.width
        random = np.random.default_rng(seed)
        head = self._trained_head
        return Adapter(
            self.digest,
            {
                "D": random.normal(0, width**-0.5, (width, self._rank)).astype(np.float32),
                "b": np.zeros(self._rank, np.float32),
                "U": np.zeros((self._rank, width), np.float32),
                "head.weight": head.weight.copy(),
                "head.bias": head.bias.copy(),
            },
        )

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Adam (Kingma and Ba 2015) on the mean cross-entropy of the answers, plus rehearsal.

        Args:
            adapter: Where training starts; not changed.
            records: Items of the trained task, each with an answer.
            training: Epochs, rate, batch size, seed.

        Returns:
            The trained adapter, and loss and accuracy over the last epoch's own batches.

        Raises:
            ModelError: An adapter of another base, or a record without an answer.
        """
        refuse_as_training(records)
        self._check(adapter)
        points = self._framed(records)
        answers = self._classes_of_answers(records)
        rehearsals = self._rehearse() if self._batch_rehearsal else ()
        weights = {name: tensor.copy() for name, tensor in adapter.tensors.items()}
        adam = Adam(weights, training.learning_rate)
        random = np.random.default_rng(training.seed)
        loss, hits = 0.0, 0
        for _ in range(training.epochs):
            order = random.permutation(len(points))
            loss, hits = 0.0, 0
            for start in range(0, len(order), training.batch):
                rows = order[start : start + training.batch]
                gradient, batch_loss, batch_hits = task_gradient(
                    weights, points[rows], answers[rows], self._scale
                )
                for rehearsal in rehearsals:
                    drawn = random.integers(0, len(rehearsal.points), self._batch_rehearsal)
                    for name, part in self._kept(weights, rehearsal, drawn).items():
                        gradient[name] += part
                for name, towards in (training.towards or {}).items():
                    gradient[name] += np.float32(training.pull) * (weights[name] - towards)
                adam.step(gradient)
                loss += batch_loss
                hits += batch_hits
        report = TrainingReport(loss / len(points), hits / len(points), len(records))
        return Adapter(self.digest, weights), report

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) probabilities over each item's choices; None is the base alone.

        Raises:
            ModelError: An adapter of another base; an item whose task has no head, or a choice
                that is not one of its classes.
        """
        points = self._framed(items)
        heads: dict[str, Head] = dict(self._provided.heads)
        if adapter is not None:
            self._check(adapter)
            tensors = adapter.tensors
            _, points = forward(tensors, points, self._scale)
            heads[TRAINED] = replace(
                self._trained_head, weight=tensors["head.weight"], bias=tensors["head.bias"]
            )
        widest = max(len(item.choices) for item in items)
        table = np.full((len(items), widest), -np.inf)
        logits = {
            task: points.astype(np.float64) @ heads[task].weight.T + heads[task].bias
            for task in {self._task(item) for item in items}
        }
        for row, item in enumerate(items):
            task = self._task(item)
            columns = self._columns(item, heads[task].labels)
            table[row, : len(columns)] = logits[task][row, columns]
        return softmax(table, axis=1)

    def warm(
        self, sets: Sequence[ItemSet], *, progress: Callable[[float], None] | None = None
    ) -> int:
        """Compute and keep the embeddings of these sets at once; returns how many were new.

        Args:
            sets: Items that will be trained on or scored.
            progress: Told the share that is done, from 0 to 1.
        """
        texts = [item.prompt for items in sets for item in items]
        new = self._store.missing(texts)
        if new:
            self._store.get(texts, self._embedder.embed, progress=progress)
        return new

    def _framed(self, items: ItemSet) -> Array:
        texts = [item.prompt for item in items]
        return self._points.get(
            items.digest,
            lambda: self._provided.frame(self._store.get(texts, self._embedder.embed)),
        )

    def _rehearse(self) -> tuple[_Rehearsal, ...]:
        if self._rehearsals is None:
            made = []
            for examples in self._examples:
                if examples.task != TRAINED:
                    head = self._provided.heads[examples.task]
                    raw = self._store.get(examples.texts, self._embedder.embed)
                    points = self._provided.frame(raw)
                    targets = probabilities(points, head.weight, head.bias)
                    made.append(_Rehearsal(head, points, targets))
            self._rehearsals = tuple(made)
        return self._rehearsals

    def _kept(
        self, weights: Mapping[str, Array], rehearsal: _Rehearsal, drawn: NDArray[np.int64]
    ) -> dict[str, Array]:
        """Gradient that keeps a frozen head's answers to the drawn examples as the base's."""
        return frozen_gradient(
            weights,
            rehearsal.points[drawn],
            rehearsal.targets[drawn],
            rehearsal.head.weight,
            rehearsal.head.bias,
            self._scale,
        )

    def _classes_of_answers(self, records: ItemSet) -> NDArray[np.int64]:
        answers = np.empty(len(records), dtype=np.int64)
        for row, item in enumerate(records):
            if item.answer is None:
                raise without_answer(item)
            if self._task(item) != TRAINED:
                raise ModelError(
                    f"a training record of task {item.task!r}",
                    where=f"item {item.id}",
                    remedy=f"This model trains its {TRAINED} head only.",
                )
            answers[row] = self._columns(item, self._trained_head.labels)[item.answer]
        return answers

    def _task(self, item: Item) -> str:
        if item.task is None or item.task not in self._provided.heads:
            raise ModelError(
                f"no head for task {item.task!r}",
                where=f"item {item.id}",
                remedy=f"An encoder answers items of the tasks {', '.join(self.tasks)}.",
            )
        return item.task

    @staticmethod
    def _columns(item: Item, labels: tuple[str, ...]) -> list[int]:
        if not set(item.choices) <= set(labels):
            raise ModelError(
                "a choice that is not a class of the task's head",
                where=f"item {item.id}",
                remedy=f"The classes of {item.task} are {', '.join(labels)}.",
            )
        return [labels.index(choice) for choice in item.choices]

    def _check(self, adapter: Adapter) -> None:
        if adapter.base != self.digest:
            raise of_another_base()


def provided_heads(
    embedder: Embeds, store: VectorStore, examples: Sequence[Examples], *, ridge: float = RIDGE
) -> Provided:
    """Fit frame and heads once and keep them beside the embeddings; all processes share them.

    Raises:
        ModelError: No examples for the trained task, or a damaged file.
    """
    if TRAINED not in {e.task for e in examples}:
        raise ModelError(f"an encoder needs examples of the {TRAINED} task")
    key = digest_json([embedder.digest, ridge, [e.digest for e in examples]]).split(":")[1]
    path = store.path.with_name(f"heads-{key}.safetensors")
    if not path.exists():
        vectors = {e.task: store.get(e.texts, embedder.embed) for e in examples}
        provide(examples, vectors, ridge=ridge).save(path)
    return Provided.load(path, examples)
