"""A causal language model with a LoRA adapter: one resident base, many adapters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from unsilent.files import digest_json, write_whole
from unsilent.items import ItemSet
from unsilent.models.answers import Decoding, answers, greedy_answers
from unsilent.models.base import (
    Adapter,
    Training,
    TrainingReport,
    of_another_base,
    without_answer,
)
from unsilent.models.causality import rows_of
from unsilent.models.encode import (
    Limits,
    naming_the_longest,
    token_paths,
    window_of,
)
from unsilent.models.engine import choose_engine, pack
from unsilent.models.frozen import Frozen, Group, Past
from unsilent.models.hashes import engine_hash, tokenizer_hash
from unsilent.models.likelihoods import lengths, over_choices
from unsilent.models.lora import LoraSlots
from unsilent.models.memory import in_parts
from unsilent.models.positions import steady_length
from unsilent.models.recent import Recent
from unsilent.models.texts import tells_the_date
from unsilent.models.tree import Row, TokenPath, batches
from unsilent.plan import AdapterPlan, Likelihood
from unsilent.probes.catalog import refuse_as_training

_CACHE_BYTES = 768 * 2**20
_SCORE_BYTES = 64 * 2**20

# How rows and prefixes lie in a file of hidden states, and how items become tokens.
_LAYOUT = 4

_PRIVATE = "records"
"""Name of the set that a client's own held-out records are."""

# What a prefix's token costs a row, beside one of its own: it is attended to, not computed.
_PREFIX_COST = 1 / 8


_Step = tuple[tuple[Tensor, ...], list[float], list[bool]]
"""Gradients, losses and hits of a part of a batch."""


@dataclass(frozen=True)
class _Prepared:
    """An item set as rows, with the frozen segment's output."""

    rows: list[Row]
    groups: list[Group]
    frozen: Frozen
    tokens: list[list[int]]
    """Scored tokens of each item's choices."""

    @cached_property
    def places(self) -> dict[bytes, tuple[int, int]]:
        """Group and row of what each row shows of itself and its prefix."""
        return {
            _shown(group.prefix, self.rows[index]): (place, index)
            for place, group in enumerate(self.groups)
            for index in group.members
        }

    def frozen_of(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen | None:
        """What the frozen segment gave for these rows and prefixes, if all of them are here."""
        if self.frozen.rows is None:
            return None
        parts: list[Tensor] = [self.frozen.rows[0]] * len(rows)
        prefixes: list[Tensor | None] = []
        for group in groups:
            prefixes.append(None)
            for index in group.members:
                found = self.places.get(_shown(group.prefix, rows[index]))
                if found is None:
                    return None
                prefixes[-1] = self.frozen.prefixes[found[0]]
                parts[index] = self.frozen.rows[found[1]]
        return Frozen(parts, prefixes)

    def size(self) -> int:
        rows = sum(row.ancestors.nbytes + 64 * len(row) for row in self.rows)
        return rows + sum(tensor.nbytes for tensor in self.frozen.tensors())

    def batches(self, group: Group, budget: int, overhead: int) -> list[list[int]]:
        """The group's rows in batches under the budget, by their index."""
        extra = 0 if group.prefix is None else int(_PREFIX_COST * len(group.prefix))
        lengths = [len(self.rows[index]) + extra for index in group.members]
        found = batches(lengths, budget, overhead=overhead)
        return [[group.members[slot] for slot in batch] for batch in found]


class CausalLM:
    """The causal language model kind of :class:`unsilent.models.base.PersonalModel`.

    Args:
        model, tokenizer: From transformers; the model is frozen and gets LoRA layers.
        weights: Digest of the base weights.
        adapter: Rank, scale, targets and layers of the LoRA.
        slots: The adapter's layers, where the model has them already; by default new ones.
        budget: Padded tokens in one scoring batch; memory grows with it, not with the items. By
            default what suits the device: a processor's cache, or an accelerator's width.
        likelihood: By what the choices of an item are compared, as ``model.likelihood`` of a plan.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        weights: str,
        adapter: AdapterPlan,
        slots: LoraSlots | None = None,
        budget: int | None = None,
        likelihood: Likelihood = "sum",
    ) -> None:
        self.model = model
        self.likelihood: Likelihood = likelihood
        self._slots = LoraSlots(model, adapter) if slots is None else slots
        self._tokenizer = tokenizer
        self.engine = choose_engine(model, self._slots.first, budget)
        self._limits = Limits(
            rows_of(model), window_of(model.config, tokenizer), steady_length(model.config)
        )
        self._dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
        self._prepared: Recent[_Prepared] = Recent(_CACHE_BYTES, _Prepared.size)
        self._shared = Path()
        self._public: set[str] = set()
        self._scores: Recent[NDArray[np.float64]] = Recent(_SCORE_BYTES, lambda table: table.nbytes)
        layers = [self._slots.first, self._slots.last]
        self._weights = weights
        self.digest = digest_json(
            [weights, adapter.rank, adapter.scale, sorted(adapter.targets), layers]
        )

    def share(self, sets: Iterable[ItemSet], folder: Path) -> None:
        """Keep the frozen segment's output for these public sets on disk, for all processes.

        Never for private records: what is kept would outlive the client's run.
        """
        self._shared = folder / self.digest.removeprefix("sha256:")
        self._public = {items.digest for items in sets}

    @property
    def hashes(self) -> Mapping[str, str]:
        """Of weights and files of the base, of the tokenizer, and of what scores."""
        return {
            "base": self._weights,
            "tokenizer": tokenizer_hash(self._tokenizer),
            "engine": engine_hash(self._dtype, self._slots.scales),
        }

    def new_adapter(self, seed: int) -> Adapter:
        """LoRA's start: A uniform as in Hu et al. 2021, B zero, so that nothing changes yet."""
        return Adapter(self.digest, self._slots.initial(seed))

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Adam on the cross-entropy of each record's answer among its choices.

        Reports the last epoch's means, measured while training.
        """
        return self._fit(adapter, records, training, as_text=False)

    def teach(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """Adam on the log-likelihood a token of each record's answer, as text to be generated."""
        return self._fit(adapter, records, training, as_text=True)

    def _fit(
        self, adapter: Adapter, records: ItemSet, training: Training, *, as_text: bool
    ) -> tuple[Adapter, TrainingReport]:
        refuse_as_training(records)
        self._check(adapter)
        self._slots.load(adapter.tensors)
        # Rows stay whole: a prefix's keys and values would need gradients of their own.
        prepared = self._prepare(records, share=False)
        answers = _answers(records)
        random = np.random.default_rng(training.seed)
        losses: list[float] = []
        hits: list[bool] = []
        with self._slots.training() as parameters:
            optimizer = torch.optim.Adam(parameters, lr=training.learning_rate)
            for _ in range(training.epochs):
                losses, hits = [], []
                order = random.permutation(len(prepared.rows))
                for start in range(0, len(order), training.batch):
                    indices = order[start : start + training.batch].tolist()
                    optimizer.zero_grad(set_to_none=True)
                    count = sum(len(prepared.rows[index].items) for index in indices)

                    def step(part: list[int], n: int = count) -> _Step:
                        terms, right = [], []
                        asked, flat = self._scores_of(prepared, part, None, whole=as_text)
                        for (item, _), scores in zip(
                            asked, flat.split([count for _, count in asked]), strict=True
                        ):
                            answer = answers[item]
                            right.append(int(scores.detach().argmax()) == answer)
                            if as_text:
                                terms.append(-scores[answer] / prepared.tokens[item][answer])
                            else:
                                terms.append(-torch.log_softmax(scores, dim=0)[answer])
                        loss = torch.stack(terms)
                        gradients = torch.autograd.grad(
                            loss.sum() / n, parameters, materialize_grads=True
                        )
                        return gradients, loss.detach().tolist(), right

                    for _, (gradients, terms, right) in in_parts(indices, step):
                        losses += terms
                        hits += right
                        for parameter, gradient in zip(parameters, gradients, strict=True):
                            held = parameter.grad
                            parameter.grad = gradient if held is None else held + gradient
                    if training.towards is not None:
                        self._slots.pull(training.pull, training.towards)
                    optimizer.step()
        report = TrainingReport(
            float(np.mean(losses)) if losses else 0.0,
            float(np.mean(hits)) if hits else 0.0,
            len(records),
        )
        return Adapter(self.digest, self._slots.read()), report

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """Softmax over each item's choices of their log-likelihoods, by ``likelihood``.

        Kept by content (items, adapter, dtype): a reference is scored once for all rounds.
        """
        key = (items.digest, adapter.digest if adapter else None, self._dtype, self.likelihood)
        return self._scores.get(key, lambda: self._probabilities(items, adapter))

    def _probabilities(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        divisors = self.divisors(items)
        # Divided by unlike lengths, what choices have in common adds the same to none of them.
        table = self._table(items, adapter, whole=bool((divisors != 1).any()))
        return over_choices(items, table, divisors)

    def divisors(self, items: ItemSet) -> NDArray[np.float64]:
        """(n_items, max_choices) what the choices' log-likelihoods are divided by."""
        tokens = None
        if self.likelihood == "per-token":
            tokens = self._prepare(items, share=self.engine.shares).tokens
        return lengths(items, self.likelihood, tokens)

    def log_likelihoods(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) summed log-probability of each choice, -inf beyond its own."""
        return self._table(items, adapter, whole=True)

    def _table(
        self, items: ItemSet, adapter: Adapter | None, *, whole: bool
    ) -> NDArray[np.float64]:
        prepared = self._prepare(items, share=self.engine.shares)
        widest = max(len(item.choices) for item in items)
        table = np.full((len(items), widest), -np.inf)
        named = naming_the_longest(items.items, prepared.rows, private=items.name == _PRIVATE)
        with named, torch.inference_mode(), self.merged(adapter):
            for group, frozen in zip(prepared.groups, prepared.frozen.prefixes, strict=True):
                past = self.engine.past(group.prefix, frozen)
                for batch in prepared.batches(group, self.engine.budget, self.engine.overhead):
                    found = in_parts(
                        batch, lambda part, p=past: self._scores_of(prepared, part, p, whole=whole)
                    )
                    for _, (asked, scores) in found:
                        ends = np.cumsum([count for _, count in asked])
                        for (item, count), values in zip(
                            asked, np.split(scores.cpu().numpy(), ends[:-1]), strict=True
                        ):
                            table[item, :count] = values
        return table

    def answers(self, requests: Sequence[str], adapter: Adapter | None, tokens: int) -> list[str]:
        """The first ``tokens`` tokens of the answer to each request, by greedy decoding.

        Slow beside scoring, and of use only where a measure is checked against behaviour.
        """
        with self.merged(adapter):
            return greedy_answers(self.model, self._tokenizer, requests, tokens)

    def write(self, items: ItemSet, adapter: Adapter | None, decoding: Decoding) -> list[str]:
        """What the model writes after each item's prompt, a user's turn where ``chat`` says so."""
        with self.merged(adapter):
            return answers(
                self.model,
                self._tokenizer,
                [item.prompt for item in items],
                decoding,
                [item.chat for item in items],
            )

    @contextmanager
    def merged(self, adapter: Adapter | None) -> Iterator[None]:
        """Base weights with the adapter merged in; afterwards exactly the pristine base."""
        if adapter is not None:
            self._check(adapter)
        with self._slots.merged(None if adapter is None else adapter.tensors):
            yield

    def merge_into_base(self, adapter: Adapter) -> Any:
        """The base model for good with the adapter in it, without LoRA layers."""
        self._check(adapter)
        self._slots.load(adapter.tensors)
        return self._slots.merge_for_good()

    def _scores_of(
        self, prepared: _Prepared, indices: Sequence[int], past: Past | None, *, whole: bool
    ) -> tuple[list[tuple[int, int]], Tensor]:
        """The (item, choices) of the rows of one batch, and all their scores in turn.

        Scores are comparable within an item; with ``whole`` they are log-probabilities.
        """
        rows = [prepared.rows[index] for index in indices]
        rows = rows if whole else [row.compared for row in rows]
        kept = prepared.frozen.rows
        hidden = None if kept is None else [kept[index] for index in indices]
        edges = self.engine.edges(rows, hidden, past, whole=whole)
        picked, owners, asked, paths = [], [], 0, 0
        for row in rows:
            taken, path = row.picks
            picked.append(taken + asked)
            owners.append(path + paths)
            asked += len(row.edge_nodes)
            paths += len(row.sums)
        into = torch.from_numpy(np.concatenate(owners)).to(edges.device)
        each = edges[torch.from_numpy(np.concatenate(picked)).to(edges.device)]
        sums = torch.zeros(paths, device=edges.device).index_add(0, into, each)
        return [item for row in rows for item in row.items], sums

    def _prepare(self, items: ItemSet, *, share: bool) -> _Prepared:
        return self._prepared.get((items.digest, share), lambda: self._encode(items, share=share))

    def _encode(self, items: ItemSet, *, share: bool) -> _Prepared:
        private = items.name == _PRIVATE
        paths = token_paths(self._tokenizer, items.items, self._limits, private=private)
        together: dict[str, list[TokenPath]] = {}
        for item, group in zip(items, paths, strict=True):
            together.setdefault(item.pair or f"\0{item.id}", []).extend(group)
        rows, groups = pack(list(together.values()), share=share)
        tokens = [[len(path.tokens) - path.start for path in group] for group in paths]
        with naming_the_longest(items.items, rows, private=private):
            if share and items.digest in self._public and self.engine.cut:
                return _Prepared(rows, groups, self._on_disk(items, rows, groups), tokens)
            frozen = self._kept(rows, groups) or self.engine.freeze(rows, groups)
            return _Prepared(rows, groups, frozen, tokens)

    def _kept(self, rows: Sequence[Row], groups: Sequence[Group]) -> Frozen | None:
        """The rows' frozen output, where they are all part of one set that was asked before.

        A few items of a set that are asked again, or records that were trained on. Of several sets
        the newest, so that a client finds its own whoever came before it.
        """
        for prepared in self._prepared.newest():
            found = prepared.frozen_of(rows, groups)
            if found is not None:
                return found
        return None

    def _on_disk(self, items: ItemSet, rows: list[Row], groups: list[Group]) -> Frozen:
        """The rows' frozen output from disk, computed by whoever comes first."""
        name = f"{items.digest.removeprefix('sha256:')}-{self._dtype}-{_LAYOUT}"
        if tells_the_date(self._tokenizer):
            # Earlier versions kept what was said on the day.
            name += "-dated"
        path = self._shared / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        prefixes = [group.prefix for group in groups]
        lengths = [len(row) for row in [*rows, *(p for p in prefixes if p is not None)]]
        with FileLock(path.with_suffix(".lock")):
            if path.is_file():
                kept = load_file(path)["hidden"]
                if len(kept) == sum(lengths):
                    parts = list(kept.to(self.engine.device).split(lengths))
                    rest = iter(parts[len(rows) :])
                    return Frozen(
                        parts[: len(rows)], [None if p is None else next(rest) for p in prefixes]
                    )
            frozen = self.engine.freeze(rows, groups)
            hidden = torch.cat(frozen.tensors()).cpu().contiguous()
            write_whole(path, save({"hidden": hidden}))
        return frozen

    def _check(self, adapter: Adapter) -> None:
        if adapter.base != self.digest or not self._slots.fits(adapter):
            raise of_another_base()


def _shown(prefix: Row | None, row: Row) -> bytes:
    """Digest of all that the frozen segment sees of a row and of what stands before it."""
    found = sha256(np.array([row.offset, len(row)]).tobytes())
    if prefix is not None:
        found.update(prefix.tokens.tobytes())
    found.update(row.tokens.tobytes())
    found.update(row.ancestors.tobytes())
    return found.digest()


def _answers(records: ItemSet) -> list[int]:
    answers = []
    for item in records:
        if item.answer is None:
            raise without_answer(item)
        answers.append(item.answer)
    return answers
