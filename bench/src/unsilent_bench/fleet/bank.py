"""Embeddings of all texts of a federation in one array, and the heads that answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unsilent.errors import InputError
from unsilent.items import Item
from unsilent.models.embedder import Embedder, encoder_folder
from unsilent.models.encoder import TRAINED, Embeds, Encoder, provided_heads
from unsilent.models.heads import Examples, Provided
from unsilent.models.load_encoder import as_examples, store_of
from unsilent.models.residual import probabilities
from unsilent.models.vectors import VectorStore
from unsilent.plan import AdapterPlan, ModelPlan
from unsilent.probes.heads import HEAD_TASKS, head_examples
from unsilent_bench.fleet.weights import Array, Shape, row_of

ADAPTER = AdapterPlan(rank=16, scale=1.0)


@dataclass(frozen=True)
class Task:
    """Where the classes of one task lie among the columns of all tasks."""

    name: str
    start: int
    stop: int


class Bank:
    """Texts by row, and the provider's heads, the trained one first.

    Args:
        embedder: Frozen encoder.
        store: Where embeddings are kept.
        provided: Frame and heads.
        examples: What the heads were fitted on; rehearsal draws from those of frozen heads.

    Attributes:
        shape: Of an adapter.
        tasks: In the order of the columns; the first is trained.
        weight, bias: (columns, width) and (columns,) of all heads as provided.
        task_columns: (tasks, columns) which columns are a task's.
        scale: The adapter's scale.
        points: (n, width) framed embeddings.
        rehearsals: For each frozen task the (n,) rows of its examples and their (n, columns)
            targets, the base's own answers.
        encoder: The product's encoder on the same base.
    """

    def __init__(
        self, embedder: Embeds, store: VectorStore, provided: Provided, examples: Sequence[Examples]
    ) -> None:
        self._embed, self._store, self._frame = embedder.embed, store, provided.frame
        heads = [provided.heads[TRAINED]]
        heads += [provided.heads[e.task] for e in examples if e.task != TRAINED]
        starts = np.cumsum([0, *(len(head.labels) for head in heads)])
        self.tasks = tuple(
            Task(head.task, int(start), int(stop))
            for head, start, stop in zip(heads, starts, starts[1:], strict=False)
        )
        self._labels = {head.task: head.labels for head in heads}
        self.weight = np.concatenate([head.weight for head in heads])
        self.bias = np.concatenate([head.bias for head in heads])
        self.task_columns = np.zeros((len(self.tasks), len(self.bias)), np.bool_)
        for place, task in enumerate(self.tasks):
            self.task_columns[place, task.start : task.stop] = True
        self.scale = ADAPTER.scale
        self.shape = Shape(embedder.width, ADAPTER.rank, len(heads[0].labels))
        self.points: Array = np.empty((0, embedder.width), np.float32)
        self._rows: dict[str, int] = {}
        self.encoder = Encoder(embedder, store, provided, examples, adapter=ADAPTER)
        self.rehearsals: list[tuple[NDArray[np.int64], Array]] = []
        for made in examples:
            if made.task == TRAINED:
                continue
            task, head = self.task(made.task), provided.heads[made.task]
            rows = self.rows(made.texts)
            targets = np.zeros((len(rows), len(self.bias)), np.float32)
            targets[:, task.start : task.stop] = probabilities(
                self.points[rows], head.weight, head.bias
            )
            self.rehearsals.append((rows, targets))

    def rows(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n,) row of each text; new ones are embedded first."""
        new = list(dict.fromkeys(text for text in texts if text not in self._rows))
        if new:
            framed = self._frame(self._store.get(new, self._embed))
            self._rows.update({text: len(self._rows) + k for k, text in enumerate(new)})
            self.points = np.concatenate([self.points, framed])
        return np.array([self._rows[text] for text in texts], dtype=np.int64)

    def item_rows(self, items: Iterable[Item]) -> NDArray[np.int64]:
        """(n,) row of each item's prompt."""
        return self.rows([item.prompt for item in items])

    def columns(self, items: Iterable[Item]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) which task an item is of, by its place, and (n,) the column of its answer.

        Raises InputError for an item without an answer, or of a task without a head.
        """
        places = {task.name: place for place, task in enumerate(self.tasks)}
        found: list[tuple[int, int]] = []
        for item in items:
            if item.answer is None or item.task not in places:
                raise InputError(
                    "a record of the fleet needs an answer and a task with a head",
                    where=f"item {item.id}",
                )
            place, labels = places[item.task], self._labels[item.task]
            start = self.tasks[place].start
            found.append((place, start + labels.index(item.choices[item.answer])))
        table = np.array(found, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def task(self, name: str) -> Task:
        """A task by its name."""
        return next(task for task in self.tasks if task.name == name)

    def new_row(self, seed: int) -> Array:
        """(size,) numbers of an adapter that changes nothing yet."""
        return row_of(self.encoder.new_adapter(seed))


@lru_cache(maxsize=1)
def embedded_bank() -> Bank:
    """The bank on the embedded encoder, with the product's own store and heads.

    Raises:
        AssetError: An embedded package cannot be had.
    """
    embedder = Embedder(encoder_folder(ModelPlan(kind="encoder")))
    store = store_of(embedder, embedded=True)
    examples = [as_examples(task, head_examples(task)) for task in HEAD_TASKS]
    return Bank(embedder, store, provided_heads(embedder, store, examples), examples)
