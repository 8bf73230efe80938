"""A causal language model with a LoRA adapter: one resident base, many adapters.

Adapters are copied into resident tensors. Scoring merges the adapter into the base weights, always
from a pristine copy: merging and unmerging in place would drift. Training runs peft's LoRA layers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save
from torch import Tensor

from unsilent.errors import ModelError
from unsilent.files import digest_json, write_whole
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter, Training, TrainingReport
from unsilent.models.recent import Recent
from unsilent.models.tree import Row, TokenPath, batches, build_row
from unsilent.models.trunk import SEGMENTED, Trunk
from unsilent.plan import AdapterPlan

_CACHE_BYTES = 768 * 2**20


@dataclass(frozen=True)
class _Prepared:
    """An item set as rows, with the frozen segment's output."""

    rows: list[Row]
    hidden: list[Tensor]
    tokens: list[list[int]]
    """Scored tokens of each item's choices."""

    def size(self) -> int:
        rows = sum(row.ancestors.nbytes + 64 * len(row) for row in self.rows)
        return rows + sum(tensor.nbytes for tensor in self.hidden)


class CausalLM:
    """The causal language model kind of :class:`unsilent.models.base.PersonalModel`.

    Args:
        model, tokenizer: From transformers; the model is frozen and gets LoRA layers.
        weights: Digest of the base weights.
        adapter: Rank, scale, targets and layers of the LoRA.
        budget: Padded tokens in one scoring batch.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, weights: str, adapter: AdapterPlan, budget: int = 1024
    ) -> None:
        if model.config.model_type not in SEGMENTED:
            raise ModelError(
                f"models of type {model.config.model_type} are not supported",
                where="model.id",
                remedy="Use a Llama, Mistral, Qwen2, Qwen3 or SmolLM3 shaped model.",
            )
        depth = int(model.config.num_hidden_layers)
        first, last = (index + depth if index < 0 else index for index in adapter.layers)
        if not 0 <= first <= last < depth:
            raise ModelError(
                f"layers {list(adapter.layers)} are outside the model's {depth} layers",
                where="adapter.layers",
                remedy=f"Use layers between 0 and {depth - 1}, or negative from the end.",
            )
        config = LoraConfig(
            r=adapter.rank,
            lora_alpha=adapter.scale * adapter.rank,  # type: ignore[arg-type]
            target_modules=list(adapter.targets),
            layers_to_transform=list(range(first, last + 1)),
        )
        try:
            with warnings.catch_warnings():
                # peft asks for a property by the name that transformers 5 has deprecated.
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
                wrapped: Any = get_peft_model(model.eval(), config)
        except ValueError:
            raise ModelError(
                f"none of the modules {list(adapter.targets)} in this model",
                where="adapter.targets",
                remedy="Name linear modules that its layers have.",
            ) from None
        self._model = model
        self._wrapped = wrapped
        self._tokenizer = tokenizer
        self._lora: dict[str, LoraLayer] = {
            name.rsplit("layers.", 1)[-1]: module
            for name, module in wrapped.named_modules()
            if isinstance(module, LoraLayer)
        }
        self._parameters = {
            f"{name}.lora_{half}": getattr(layer, f"lora_{half}")["default"].weight
            for name, layer in self._lora.items()
            for half in "AB"
        }
        self._shapes = {name: tuple(tensor.shape) for name, tensor in self._parameters.items()}
        self._merged = {name: _base_weight(layer) for name, layer in self._lora.items()}
        self._pristine = {name: weight.clone() for name, weight in self._merged.items()}
        self.trunk = Trunk(model, first, budget=budget)
        self._prepared: Recent[_Prepared] = Recent(_CACHE_BYTES, _Prepared.size)
        self._shared = Path()
        self._public: set[str] = set()
        self._scores: Recent[NDArray[np.float64]] = Recent(64 * 2**20, lambda table: table.nbytes)
        self.digest = digest_json(
            [weights, adapter.rank, adapter.scale, sorted(adapter.targets), [first, last]]
        )

    def share(self, sets: Iterable[ItemSet], folder: Path) -> None:
        """Keep the frozen segment's output for these public sets on disk, for all processes.

        Never for private records: what is kept would outlive the client's run.
        """
        self._shared = folder / self.digest.removeprefix("sha256:")[:16]
        self._public = {items.digest for items in sets}

    def new_adapter(self, seed: int) -> Adapter:
        """LoRA's start: A uniform as in Hu et al. 2021, B zero, so that nothing changes yet."""
        random = np.random.default_rng(seed)
        tensors = {}
        for name, parameter in self._parameters.items():
            shape = tuple(parameter.shape)
            if name.endswith("lora_A"):
                bound = 1 / math.sqrt(shape[1])
                tensors[name] = random.uniform(-bound, bound, shape).astype(np.float32)
            else:
                tensors[name] = np.zeros(shape, dtype=np.float32)
        return Adapter(self.digest, tensors)

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
        self._load(adapter)
        prepared = self._prepare(records)
        answers = _answers(records)
        parameters = list(self._parameters.values())
        optimizer = torch.optim.Adam(parameters, lr=training.learning_rate)
        random = np.random.default_rng(training.seed)
        losses: list[float] = []
        hits: list[bool] = []
        for parameter in parameters:
            parameter.requires_grad_(True)
        for _ in range(training.epochs):
            losses, hits = [], []
            order = random.permutation(len(prepared.rows))
            for start in range(0, len(order), training.batch):
                indices = order[start : start + training.batch].tolist()
                terms = []
                for item, scores in self._score_batch(prepared, indices, normalize=as_text):
                    answer = answers[item]
                    if as_text:
                        terms.append(-scores[answer] / prepared.tokens[item][answer])
                    else:
                        terms.append(-torch.log_softmax(scores, dim=0)[answer])
                    hits.append(int(scores.detach().argmax()) == answer)
                loss = torch.stack(terms)
                optimizer.zero_grad(set_to_none=True)
                loss.mean().backward()
                optimizer.step()
                losses += loss.detach().tolist()
        for parameter in parameters:
            parameter.requires_grad_(False)
        trained = {
            name: parameter.detach().float().cpu().numpy().copy()
            for name, parameter in self._parameters.items()
        }
        report = TrainingReport(
            float(np.mean(losses)) if losses else 0.0,
            float(np.mean(hits)) if hits else 0.0,
            len(records),
        )
        return Adapter(self.digest, trained), report

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """Softmax over each item's choices of their summed log-probabilities."""
        key = (items.digest, adapter.digest if adapter else None)
        return self._scores.get(key, lambda: _softmax(self._table(items, adapter, normalize=False)))

    def log_likelihoods(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """(n_items, max_choices) summed log-probability of each choice, -inf beyond its own."""
        return self._table(items, adapter, normalize=True)

    def _table(
        self, items: ItemSet, adapter: Adapter | None, *, normalize: bool
    ) -> NDArray[np.float64]:
        prepared = self._prepare(items)
        widest = max(len(item.choices) for item in items)
        table = np.full((len(items), widest), -np.inf)
        with torch.inference_mode(), self.merged(adapter):
            for indices in batches([len(row) for row in prepared.rows], self.trunk.budget):
                for item, scores in self._score_batch(prepared, indices, normalize):
                    table[item, : len(scores)] = scores.double().cpu().numpy()
        return table

    @contextmanager
    def merged(self, adapter: Adapter | None) -> Iterator[None]:
        """Base weights with the adapter merged in; afterwards exactly the pristine base."""
        if adapter is not None:
            self._check(adapter)
            for name, layer in self._lora.items():
                weight = self._merged[name]
                low = torch.from_numpy(adapter.tensors[f"{name}.lora_A"])
                high = torch.from_numpy(adapter.tensors[f"{name}.lora_B"])
                delta = (high @ low * layer.scaling["default"]).to(weight.device, weight.dtype)
                weight.copy_(self._pristine[name] + delta)
        for layer in self._lora.values():
            layer._disable_adapters = True
        try:
            yield
        finally:
            for name, layer in self._lora.items():
                layer._disable_adapters = False
                if adapter is not None:
                    self._merged[name].copy_(self._pristine[name])

    def merge_into_base(self, adapter: Adapter) -> Any:
        """The base model for good with the adapter in it, without LoRA layers."""
        self._load(adapter)
        return self._wrapped.merge_and_unload()

    def _score_batch(
        self, prepared: _Prepared, indices: list[int], normalize: bool = False
    ) -> Iterator[tuple[int, Tensor]]:
        """(item, (n_choices,) scores) of the rows of one batch, comparable within an item."""
        rows = [prepared.rows[index] for index in indices]
        hidden = [prepared.hidden[index] for index in indices]
        output = self.trunk.upper(rows, hidden)
        normalize = normalize or not all(row.one_step for row in rows)
        edges_of = self.trunk.edge_scores(rows, output, normalize=normalize)
        for row, edges in zip(rows, edges_of, strict=True):
            gathered: dict[int, list[Tensor]] = {}
            for item, _, picked in row.sums:
                gathered.setdefault(item, []).append(edges[torch.from_numpy(picked)].sum())
            for item, scores in gathered.items():
                yield item, torch.stack(scores)

    def _prepare(self, items: ItemSet) -> _Prepared:
        return self._prepared.get(items.digest, lambda: self._encode(items))

    def _encode(self, items: ItemSet) -> _Prepared:
        paths = [self._paths(index, item) for index, item in enumerate(items)]
        together: dict[str, list[TokenPath]] = {}
        for item, group in zip(items, paths, strict=True):
            together.setdefault(item.pair or f"\0{item.id}", []).extend(group)
        rows = [build_row(group) for group in together.values()]
        tokens = [[len(path.tokens) - path.start for path in group] for group in paths]
        if items.digest in self._public:
            return _Prepared(rows, self._shared_hidden(items, rows), tokens)
        return _Prepared(rows, self.trunk.lower(rows), tokens)

    def _shared_hidden(self, items: ItemSet, rows: list[Row]) -> list[Tensor]:
        """The rows' frozen output from disk, computed by whoever comes first."""
        name = f"{items.digest.removeprefix('sha256:')}-{str(self.trunk.dtype).split('.')[-1]}"
        path = self._shared / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        lengths = [len(row) for row in rows]
        with FileLock(path.with_suffix(".lock")):
            if path.is_file():
                kept = load_file(path)["hidden"]
                if len(kept) == sum(lengths):
                    return list(kept.to(self.trunk.device).split(lengths))
            hidden = self.trunk.lower(rows)
            write_whole(path, save({"hidden": torch.cat(hidden).cpu().contiguous()}))
        return hidden

    def _paths(self, index: int, item: Item) -> list[TokenPath]:
        """Token sequences of an item's choices, split as lm-evaluation-harness splits them."""
        if item.chat:
            prompt = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": item.prompt}],
                add_generation_prompt=True,
                tokenize=False,
            )
            head = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
            wholes = [
                head + self._tokenizer(choice, add_special_tokens=False)["input_ids"]
                for choice in item.choices
            ]
        else:
            head = self._tokenizer(item.prompt)["input_ids"]
            wholes = [self._tokenizer(item.prompt + choice)["input_ids"] for choice in item.choices]
        if not head or min(map(len, wholes)) < 2:
            # A first token is predicted from something too.
            head = [self._tokenizer.eos_token_id, *head]
            wholes = [[self._tokenizer.eos_token_id, *whole] for whole in wholes]
        out = []
        for choice, whole in enumerate(wholes):
            start = min(len(head), len(whole) - 1)
            out.append(TokenPath(index, choice, tuple(whole), start))
        return out

    def _load(self, adapter: Adapter) -> None:
        self._check(adapter)
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(torch.from_numpy(adapter.tensors[name]))

    def _check(self, adapter: Adapter) -> None:
        shapes = {name: tensor.shape for name, tensor in adapter.tensors.items()}
        if adapter.base != self.digest or shapes != self._shapes:
            raise ModelError(
                "this adapter was trained on another base",
                remedy="Use the base model and the [adapter] section that it was trained with.",
            )


def _base_weight(layer: Any) -> Tensor:
    """The frozen weight under a LoRA layer."""
    weight: Tensor = layer.get_base_layer().weight.data
    return weight


def _answers(records: ItemSet) -> list[int]:
    answers = []
    for item in records:
        if item.answer is None:
            raise ModelError("a training record needs an answer", where=f"item {item.id}")
        answers.append(item.answer)
    return answers


def _softmax(table: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(table - table.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
