"""A vision model with a LoRA adapter and a trained head: one resident base, many adapters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

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
from unsilent.models.lora import LoraSlots
from unsilent.models.memory import in_parts
from unsilent.models.recent import Recent
from unsilent.models.vision_answers import Answers
from unsilent.models.vision_inputs import Inputs, bound
from unsilent.models.vision_layers import Head
from unsilent.plan import AdapterPlan
from unsilent.probes.catalog import refuse_as_training

_VERSION = "vision/1"
_BATCH = 32
_SCORE_BYTES = 64 * 2**20


@dataclass(frozen=True)
class _Step:
    """A batch of ``count`` records, which is taken in parts where memory asks for it."""

    records: ItemSet
    labels: tuple[str, ...]
    columns: NDArray[np.int64]
    answers: NDArray[np.int64]
    count: int


class Vision:
    """The vision kind of :class:`unsilent.models.base.PersonalModel`.

    The adapter is a LoRA on linear modules of the image encoder, and the head, whole, where the
    model has one (``head.weight``, ``head.bias``). An item is answered by the softmax over its
    choices of their logits.

    Args:
        answers: The model with what it is asked by.
        inputs: Makes images ready for it.
        slots: The LoRA; None where the head alone is trained.
        head: The head; None where choices are texts.
        weights: Digest of weights, config and image processor.
        adapter: Rank, scale, targets and layers.
    """

    def __init__(
        self,
        answers: Answers,
        inputs: Inputs,
        *,
        slots: LoraSlots | None,
        head: Head | None,
        weights: str,
        adapter: AdapterPlan,
    ) -> None:
        self._answers = answers
        self._inputs = inputs
        self._slots = slots
        self._head = head
        self._parameters: dict[str, Tensor] = {}
        for part in (slots, head):
            self._parameters |= {} if part is None else part.parameters
        self._shapes = {name: tuple(tensor.shape) for name, tensor in self._parameters.items()}
        self._scores: Recent[NDArray[np.float64]] = Recent(_SCORE_BYTES, lambda table: table.nbytes)
        self._weights = weights
        layers = None if slots is None else [slots.first, slots.last]
        self.digest = digest_json(
            [
                _VERSION,
                weights,
                adapter.rank,
                adapter.scale,
                sorted(adapter.targets),
                layers,
                str(inputs.dtype),
            ]
        )

    @property
    def hashes(self) -> Mapping[str, str]:
        """Of weights, config and image processor, and of what scores."""
        dtype = str(self._inputs.dtype).removeprefix("torch.")
        return {"base": self._weights, "engine": engine_hash(dtype)}

    def new_adapter(self, seed: int) -> Adapter:
        """LoRA's start and the head as provided: nothing changes yet."""
        tensors = {} if self._slots is None else self._slots.initial(seed)
        return Adapter(self.digest, tensors | ({} if self._head is None else self._head.initial()))

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Adam on the cross-entropy of each record's answer among its choices.

        Reports the last epoch's means, measured while training. Dropout and running means are off:
        a small client's batches would move them far.

        Raises:
            ModelError: An adapter of another base, or a record without an answer.
            ItemError: An image that cannot be read, or a choice that is no class.
        """
        refuse_as_training(records)
        self._check(adapter)
        records = self._bound(records)
        answers = _answers_of(records)
        labels = self._answers.labels(records.items)
        columns = _columns(records.items, labels)
        random = np.random.default_rng(training.seed)
        losses: list[float] = []
        hits: list[bool] = []
        with self._training(adapter) as parameters:
            optimizer = torch.optim.Adam(parameters.values(), lr=training.learning_rate)
            for _ in range(training.epochs):
                losses, hits = [], []
                order = random.permutation(len(records))
                for start in range(0, len(order), training.batch):
                    rows = order[start : start + training.batch]
                    optimizer.zero_grad(set_to_none=True)
                    step = _Step(records, labels, columns, answers, len(rows))
                    for _, found in in_parts(
                        rows.tolist(), lambda part, step=step: self._gradients(step, part)
                    ):
                        gradients, terms, right = found
                        losses += terms
                        hits += right
                        _add(parameters.values(), gradients)
                    self._pull(parameters, training)
                    optimizer.step()
            tensors = {
                name: parameter.detach().float().cpu().numpy().copy()
                for name, parameter in parameters.items()
            }
        report = TrainingReport(
            float(np.mean(losses)) if losses else 0.0,
            float(np.mean(hits)) if hits else 0.0,
            len(records),
        )
        return Adapter(self.digest, tensors), report

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) softmax over each item's choices; None is the base alone.

        Kept by content (images too): a reference is scored once for all rounds.

        Raises:
            ModelError: An adapter of another base.
            ItemError: An image that cannot be read, or a choice that is no class.
        """
        items = self._bound(items)
        key = (items.digest, adapter.digest if adapter else None)
        return self._scores.get(key, lambda: softmax(self.logits(items, adapter), axis=1))

    def logits(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) logits of the choices, -inf beyond an item's own; as ``score``."""
        items = self._bound(items)
        labels = self._answers.labels(items.items)
        columns = _columns(items.items, labels)
        table = np.full(columns.shape, -np.inf)
        with torch.inference_mode(), self.merged(adapter):
            for start in range(0, len(items), _BATCH):
                rows = range(start, min(start + _BATCH, len(items)))
                for part, scores in in_parts(
                    rows, lambda part: self._answers.scores(self._inputs.of(items, part), labels)
                ):
                    found = scores.double().cpu().numpy()
                    taken = np.take_along_axis(found, np.maximum(columns[part], 0), axis=1)
                    table[part] = np.where(columns[part] >= 0, taken, -np.inf)
        return table

    def tried(self, shown: Sequence[dict[str, Tensor]]) -> tuple[Tensor, dict[str, bool]]:
        """Scores of some images, and which of the adapter's tensors they depend on at its start.

        Args:
            shown: What ``Inputs.prepared`` gave.

        Returns:
            (n, labels) scores of the base, and by name whether training would move the tensor;
            a LoRA's lower half starts without effect and is left out.
        """
        labels = self._answers.labels([Item("tried", "", self._answers.some)])
        with self._training(self.new_adapter(0)) as parameters:
            scores = self._answers.scores(self._inputs.joined(shown), labels)
            probe = torch.linspace(-1, 1, scores.numel(), device=scores.device)
            asked = {n: p for n, p in parameters.items() if not n.endswith("lora_A")}
            gradients = torch.autograd.grad(
                (scores * probe.view_as(scores)).sum(), list(asked.values()), allow_unused=True
            )
        acts = {
            name: gradient is not None and bool(gradient.any())
            for name, gradient in zip(asked, gradients, strict=True)
        }
        return scores.detach(), acts

    @contextmanager
    def merged(self, adapter: Adapter | None) -> Iterator[None]:
        """Base weights with the adapter merged in; afterwards exactly the pristine base."""
        if adapter is not None:
            self._check(adapter)
        tensors = None if adapter is None else dict(adapter.tensors)
        try:
            if self._head is not None:
                self._head.put(tensors)
            if self._slots is None:
                yield
            else:
                with self._slots.merged(tensors):
                    yield
        finally:
            if self._head is not None:
                self._head.put(None)

    @contextmanager
    def _training(self, adapter: Adapter) -> Iterator[dict[str, Tensor]]:
        """The adapter's tensors where the model has them, asking for gradients meanwhile."""
        if self._slots is not None:
            self._slots.load(adapter.tensors)
        if self._head is not None:
            self._head.put(dict(adapter.tensors))
        try:
            for parameter in self._parameters.values():
                parameter.requires_grad_(True)
            yield self._parameters
        finally:
            for parameter in self._parameters.values():
                parameter.requires_grad_(False)
                parameter.grad = None
            if self._head is not None:
                self._head.put(None)

    def _gradients(
        self, step: _Step, rows: list[int]
    ) -> tuple[tuple[Tensor, ...], list[float], list[bool]]:
        """Gradients, losses and hits of a part of a batch."""
        scores = self._answers.scores(self._inputs.of(step.records, rows), step.labels)
        places = torch.from_numpy(step.columns[rows]).to(scores.device)
        own = scores.gather(1, places.clamp(min=0)).masked_fill(places < 0, -torch.inf)
        right = torch.from_numpy(step.answers[rows]).to(scores.device)
        terms = torch.nn.functional.cross_entropy(own, right, reduction="none")
        gradients = torch.autograd.grad(
            terms.sum() / step.count, list(self._parameters.values()), materialize_grads=True
        )
        return gradients, terms.detach().tolist(), (own.argmax(dim=1) == right).tolist()

    @staticmethod
    def _pull(parameters: dict[str, Tensor], training: Training) -> None:
        for name, there in (training.towards or {}).items():
            parameter = parameters[name]
            if parameter.grad is not None:
                parameter.grad.add_(
                    parameter.detach() - torch.from_numpy(there).to(parameter), alpha=training.pull
                )

    def _bound(self, items: ItemSet) -> ItemSet:
        self._inputs.look_again()
        return bound(items)

    def _check(self, adapter: Adapter) -> None:
        shapes = {name: tensor.shape for name, tensor in adapter.tensors.items()}
        if adapter.base != self.digest or shapes != self._shapes:
            raise of_another_base()


def _columns(items: Sequence[Item], labels: tuple[str, ...]) -> NDArray[np.int64]:
    """(n_items, max_choices) place of each choice among the labels, -1 beyond an item's own."""
    place = {label: column for column, label in enumerate(labels)}
    table = np.full((len(items), max(len(item.choices) for item in items)), -1, np.int64)
    for row, item in enumerate(items):
        table[row, : len(item.choices)] = [place[choice] for choice in item.choices]
    return table


def _answers_of(records: ItemSet) -> NDArray[np.int64]:
    """(n,) index of each record's answer among its choices."""
    answers = np.empty(len(records), np.int64)
    for row, item in enumerate(records):
        if item.answer is None:
            raise without_answer(item)
        answers[row] = item.answer
    return answers


def _add(parameters: Iterable[Tensor], gradients: Sequence[Tensor]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        held = parameter.grad
        parameter.grad = gradient if held is None else held + gradient
