"""A causal LM that is adapted in its last layer alone, for all clients of a federation at once.

What lies below the last layer is the same for all, and of the last layer only what is asked is
needed: keys and values of a row's tokens, and one node for each question. What the base makes of
them is kept, so that an adapter costs its own low-rank part alone. The numbers are the product's
own but for rounding; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unsilent.items import ItemSet
from unsilent.models import Adapter, Training, TrainingReport
from unsilent.models.causal_lm import CausalLM
from unsilent.models.likelihoods import lengths, over_choices
from unsilent.models.recent import Recent
from unsilent_bench.lm.sheets import Sheet, joined
from unsilent_bench.lm.training import Job

_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_SHEETS = 1024 * 2**20
_NODES = 1024
"""Most questions of one pass: memory grows with them."""

Lora = dict[str, tuple[Tensor, Tensor]]
"""By module: A (…, rank, in) and B (…, out, rank); leading dimensions are of clients."""


def fits(model: object) -> bool:
    """Whether a model is a Llama with LoRA on all linear modules of its last layer alone."""
    if not isinstance(model, CausalLM) or model.likelihood != "sum":
        return False
    config: Any = model.model.config
    plain = config.model_type == "llama" and not config.attention_bias and not config.mlp_bias
    slots = model._slots
    whole = len(slots.parameters) == 2 * len(_MODULES)
    return plain and whole and slots.first == slots.last == config.num_hidden_layers - 1


@dataclass(frozen=True)
class _Weights:
    """The last layer's own weights, and what follows it."""

    modules: dict[str, Tensor]
    before: Tensor
    after: Tensor
    final: Tensor
    head: Tensor
    eps: float
    heads: int
    groups: int
    width: int
    theta: float


class LastLayer:
    """As ``PersonalModel``; ``ahead`` trains many clients in one go.

    Args:
        model: For which ``fits`` holds.
    """

    def __init__(self, model: CausalLM) -> None:
        self.model = model
        self.digest = model.digest
        self._weights = _weights_of(model)
        self._scale = float(model._slots.scales[0])
        self._names = _names_of(model)
        self._sheets: Recent[Sheet] = Recent(_SHEETS, Sheet.size)
        self._trained: dict[tuple[str, str, Training], tuple[Adapter, TrainingReport]] = {}

    @property
    def hashes(self) -> Any:
        """The model's own."""
        return self.model.hashes

    def new_adapter(self, seed: int) -> Adapter:
        """The model's own."""
        return self.model.new_adapter(seed)

    def train(
        self, adapter: Adapter, records: ItemSet, training: Training
    ) -> tuple[Adapter, TrainingReport]:
        """As the model; what ``ahead`` has trained is not trained again."""
        key = (adapter.digest, records.digest, training)
        if key not in self._trained:
            self.ahead([(adapter, records, training)])
        return self._trained.pop(key)

    def score(self, items: ItemSet, adapter: Adapter | None) -> NDArray[np.float64]:
        """As the model."""
        return self.some(items, np.arange(len(items)), adapter)

    @torch.no_grad()
    def some(
        self, items: ItemSet, places: NDArray[np.int64], adapter: Adapter | None
    ) -> NDArray[np.float64]:
        """(n_places, max_choices) probabilities of the choices of some items of a set."""
        sheet = self._sheet(items)
        lora = None if adapter is None else self._lora([adapter])
        table = np.full((len(items), max(len(item.choices) for item in items)), -np.inf)
        wanted = np.zeros(len(items), np.bool_)
        wanted[places] = True
        rows = [
            row
            for row, part in enumerate(sheet.parts)
            if any(wanted[item] for item, _ in part.items)
        ]
        for some in _chunks(sheet, rows):
            scores = self._scores(sheet, [some], lora)
            at = 0
            for item, count in (asked for row in some for asked in sheet.parts[row].items):
                table[item, :count] = scores[at : at + count].numpy()
                at += count
        subset = ItemSet(items.name, tuple(items.items[place] for place in places))
        widest = max(len(item.choices) for item in subset)
        found = table[places, :widest]
        return over_choices(subset, found, lengths(subset, "sum", None))

    def ahead(self, jobs: Sequence[Job]) -> None:
        """Train adapters side by side, and keep them for ``train``.

        Each goes its own way: rows in its own order, gradients and moments of its own.
        """
        alike: dict[tuple[int, int, int, float], list[Job]] = {}
        for job in jobs:
            _, records, how = job
            if how.towards is not None:
                self._trained[(job[0].digest, records.digest, how)] = self.model.train(*job)
                continue
            rows = len(self._sheet(records).parts)
            key = (rows, how.epochs, how.batch, how.learning_rate)
            alike.setdefault(key, []).append(job)
        for several in alike.values():
            for job, trained in zip(several, self._fit(several), strict=True):
                self._trained[(job[0].digest, job[1].digest, job[2])] = trained

    def _fit(self, jobs: Sequence[Job]) -> list[tuple[Adapter, TrainingReport]]:
        sheets = [self._sheet(records) for _, records, _ in jobs]
        how, count = jobs[0][2], len(sheets[0].parts)
        orders = [np.random.default_rng(training.seed) for _, _, training in jobs]
        sheet, starts = joined(sheets)
        answers = [_answers(records) for _, records, _ in jobs]
        lora = self._lora([adapter for adapter, _, _ in jobs])
        parameters = [half for pair in lora.values() for half in pair]
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimizer = torch.optim.Adam(parameters, lr=how.learning_rate)
        losses = np.zeros(len(jobs))
        hits = np.zeros(len(jobs))
        for _ in range(how.epochs):
            losses[:], hits[:] = 0, 0
            permuted = [order.permutation(count) for order in orders]
            for begin in range(0, count, how.batch):
                chosen = [
                    [start + int(row) for row in each[begin : begin + how.batch]]
                    for start, each in zip(starts, permuted, strict=True)
                ]
                optimizer.zero_grad(set_to_none=True)
                scores = self._scores(sheet, chosen, lora)
                owners, right, sizes = [], [], []
                for client, rows in enumerate(chosen):
                    for row in rows:
                        for item, choices in sheet.parts[row].items:
                            owners.append(client)
                            right.append(answers[client][item])
                            sizes.append(choices)
                table = nn.utils.rnn.pad_sequence(
                    list(scores.split(sizes)), batch_first=True, padding_value=-torch.inf
                )
                terms = nn.functional.cross_entropy(table, torch.tensor(right), reduction="none")
                # Each client's own mean; clients share nothing, so that a sum keeps them apart.
                weights = 1 / np.bincount(owners, minlength=len(jobs))[owners]
                (terms * torch.from_numpy(weights).to(terms)).sum().backward()
                optimizer.step()
                np.add.at(losses, owners, terms.detach().double().numpy())
                np.add.at(hits, owners, (table.detach().argmax(1).numpy() == right))
        found = []
        for client in range(len(jobs)):
            tensors = {}
            for module, halves in lora.items():
                for name, half in zip(self._names[module], halves, strict=True):
                    tensors[name] = half[client].detach().numpy().copy()
            report = TrainingReport(
                float(losses[client]) / len(answers[client]),
                float(hits[client]) / len(answers[client]),
                len(answers[client]),
            )
            found.append((Adapter(self.digest, tensors), report))
        return found

    def _sheet(self, items: ItemSet) -> Sheet:
        """What the base makes of a set, once."""
        return self._sheets.get(items.digest, lambda: self._made(items))

    @torch.no_grad()
    def _made(self, items: ItemSet) -> Sheet:
        model = self.model
        share = items.digest in model._public and model.engine.shares
        prepared = model._prepare(items, share=share)
        weights = self._weights

        def normed(hidden: Tensor) -> Tensor:
            return _rms(hidden, weights.before, weights.eps)

        sheet = Sheet.of(prepared.rows, prepared.groups, prepared.frozen, normed)
        sheet.keys = nn.functional.linear(sheet.normed, weights.modules["k_proj"])
        sheet.values = nn.functional.linear(sheet.normed, weights.modules["v_proj"])
        nodes = torch.from_numpy(sheet.nodes)
        sheet.queries = nn.functional.linear(sheet.normed[nodes], weights.modules["q_proj"])
        return sheet

    def _lora(self, adapters: Sequence[Adapter]) -> Lora:
        return {
            module: tuple(
                torch.from_numpy(np.stack([adapter.tensors[name] for adapter in adapters]))
                for name in names
            )
            for module, names in self._names.items()
        }  # type: ignore[return-value]

    def _scores(self, sheet: Sheet, chosen: Sequence[Sequence[int]], lora: Lora | None) -> Tensor:
        """(paths,) scores of the rows of each client, in turn; comparable within an item.

        Args:
            sheet: Of all rows.
            chosen: Rows of each client, one list for each adapter of ``lora``.
            lora: Adapters; None for the base model.
        """
        weights = self._weights
        part = sheet.part(chosen)

        def low(module: str, x: Tensor) -> Tensor | float:
            """(clients, n, out) what the adapter adds."""
            if lora is None:
                return 0.0
            a, b = lora[module]
            return self._scale * ((x @ a.transpose(1, 2)) @ b.transpose(1, 2))

        def through(module: str, x: Tensor) -> Tensor:
            return nn.functional.linear(x, weights.modules[module]) + low(module, x)

        normed = sheet.normed[part.tokens]
        keys = _turned(sheet.keys[part.tokens] + low("k_proj", normed), part.depths, weights)
        values = sheet.values[part.tokens] + low("v_proj", normed)
        at = part.asked_slots
        asked = sheet.normed[part.asked]
        queries = _turned(
            sheet.queries[part.questions] + low("q_proj", asked), part.asked_depths, weights
        )
        clients, nodes, longest = part.seen.shape
        several = weights.heads // weights.groups
        q = queries.view(clients, nodes, weights.groups, several, weights.width)
        flat = part.seen.flatten()
        k = keys.flatten(0, 1)[flat].view(clients, nodes, longest, weights.groups, weights.width)
        v = values.flatten(0, 1)[flat].view(clients, nodes, longest, weights.groups, weights.width)
        near = torch.einsum("cmgjd,cmlgd->cmgjl", q, k) * weights.width**-0.5
        near = near.masked_fill(~part.sees[:, :, None, None], -torch.inf).softmax(-1)
        mixed = torch.einsum("cmgjl,cmlgd->cmgjd", near, v).flatten(2)
        hidden = sheet.hidden[part.questions] + through("o_proj", mixed)
        inner = _rms(hidden, weights.after, weights.eps)
        gated = nn.functional.silu(through("gate_proj", inner)) * through("up_proj", inner)
        hidden = hidden + through("down_proj", gated)
        states = _rms(hidden, weights.final, weights.eps).flatten(0, 1)[at]
        edges = (states[part.edge_questions] * weights.head[part.edge_tokens]).sum(-1)
        if len(part.normal):
            sums = _normalizers(states[part.normal], weights.head)
            edges = edges.index_add(0, part.normal_edges, -sums[part.normal_of])
        paths = torch.zeros(part.paths)
        return paths.index_add(0, part.edge_paths, edges[part.path_edges])


def _weights_of(model: CausalLM) -> _Weights:
    backbone, config = model.model.model, model.model.config
    layer = backbone.layers[-1]
    found = {}
    for name in _MODULES:
        holder = layer.self_attn if hasattr(layer.self_attn, name) else layer.mlp
        found[name] = getattr(holder, name).base_layer.weight.detach()
    rope = getattr(config, "rope_parameters", None) or {}
    return _Weights(
        found,
        layer.input_layernorm.weight.detach(),
        layer.post_attention_layernorm.weight.detach(),
        backbone.norm.weight.detach(),
        model.model.get_output_embeddings().weight.detach(),
        float(config.rms_norm_eps),
        int(config.num_attention_heads),
        int(config.num_key_value_heads),
        int(layer.self_attn.head_dim),
        float(rope.get("rope_theta", getattr(config, "rope_theta", 10_000.0))),
    )


def _names_of(model: CausalLM) -> dict[str, tuple[str, str]]:
    """By module, the names of its two halves in an adapter."""
    names = model._slots.parameters
    return {
        module: tuple(  # type: ignore[misc]
            next(n for n in names if module in n and n.endswith(f"lora_{half}")) for half in "AB"
        )
        for module in _MODULES
    }


def _answers(records: ItemSet) -> list[int]:
    return [int(item.answer or 0) for item in records]


def _chunks(sheet: Sheet, rows: Sequence[int]) -> list[list[int]]:
    """Rows in passes of about as many questions, of like length."""
    order = sorted(rows, key=lambda row: len(sheet.parts[row].tokens))
    found: list[list[int]] = []
    left = 0
    for row in order:
        asked = len(sheet.parts[row].nodes)
        if not found or asked > left:
            found.append([])
            left = _NODES
        found[-1].append(row)
        left -= asked
    return found


def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))


def _turned(x: Tensor, depths: Tensor, weights: _Weights) -> Tensor:
    """Rotary positions (Su et al. 2021) on (clients, n, heads x width)."""
    half = weights.width // 2
    rates = weights.theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = (depths[..., None].float() * rates)[..., None, :]
    cos, sin = angles.cos(), angles.sin()
    heads = x.unflatten(-1, (-1, weights.width))
    first, second = heads[..., :half], heads[..., half:]
    turned = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
    return turned.flatten(-2)


def _normalizers(states: Tensor, head: Tensor) -> Tensor:
    """(k,) log of the summed exponentials of all logits, a block of the vocabulary at once."""
    blocks = [
        torch.logsumexp(nn.functional.linear(states, head[start : start + 8192]), dim=-1)
        for start in range(0, head.shape[0], 8192)
    ]
    return torch.logsumexp(torch.stack(blocks), dim=0)
