"""One causal language model through the project: as a plan's folder, and as an app's peft model."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, RecordDict
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer, LoraModel
from tiny_models import LAYERS, VARIANTS, letters, small_model
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D

from unsilent.errors import ModelError
from unsilent.flower import PeftScore
from unsilent.items import Item, ItemSet
from unsilent.models import load_model, peft_scoring
from unsilent.models.base import Adapter, Training
from unsilent.models.causal_lm import CausalLM
from unsilent.models.trunk import Trunk
from unsilent.plan import AdapterPlan, MonitoringPlan, parse_plan

Table = NDArray[np.float64]

_HEADER = "It was good: yes. It was bad: no. It was so: "
ITEMS = ItemSet(
    "items",
    (
        Item("a", "the film was", (" good", " bad and long"), answer=0),
        Item("b", "the film was not", (" bad", " good", " long"), answer=1),
        Item("c", "is it", ("a", "b"), answer=1),
        Item("d", f"{_HEADER}good:", (" yes", " no"), answer=0),
        Item("e", f"{_HEADER}bad:", (" yes", " no"), answer=1),
    ),
)
"""Choices of one token and of several, shared beginnings, longer than any window."""

CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
_RANK, _SCALE, _FIRST = 3, 2.0, 1
_IN_TEXT = re.compile(rf"^(?!.*(vision|image|audio|encoder_attn)).*\.{_FIRST}\.")


def causal_kinds() -> list[str]:
    """Every family for which transformers has a causal language model, and what some can be."""
    return [*sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES), *VARIANTS]


def causal_row(kind: str, folder: Path) -> dict[str, Any]:
    """The largest relative difference of one family's numbers, and how they were had."""
    return compared(small_model(kind, AutoModelForCausalLM), folder)


def compared(model: Any, folder: Path) -> dict[str, Any]:
    """A model saved, loaded and scored by the project, beside its own forward pass.

    Raises:
        ModelError: The project refuses it.
    """
    tokenizer = letters()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    try:
        base = plain(model, tokenizer)
    except Exception as error:
        # Some families run on more than tokens, or not at all: they have to be refused.
        by_plan(folder, model)
        raise RuntimeError("numbers of a model that gives none") from error
    loaded, targets = by_plan(folder, model)
    adapter = drawn(loaded)
    names = [n for n, module in loaded.model.named_modules() if isinstance(module, LoraLayer)]
    beside = copy.deepcopy(model)
    tuner = LoraModel(nn.ModuleDict({"its": beside}), {"default": exactly(names, model)}, "default")
    put(beside, adapter.tensors)
    layered = plain(beside, tokenizer)
    apart = {
        "base": relative(loaded.log_likelihoods(ITEMS, None), base),
        "merged": relative(loaded.log_likelihoods(ITEMS, adapter), layered),
    }
    if relative(layered, base) < 1e-3:
        raise RuntimeError("the adapter that is tried changes nothing")
    row: dict[str, Any] = {
        "path": "shared" if isinstance(loaded.engine, Trunk) else "plain",
        "targets": targets or "default",
    }
    said = ""
    try:
        # What training reports is had through peft's layers.
        apart["layers"] = abs(trained_loss(loaded, adapter) / loss_of(layered) - 1)
    except ModelError as error:
        said = error.line()
    del loaded, beside, tuner
    try:
        app = get_peft_model(model, config(targets or AdapterPlan().targets, model))
    except ValueError as error:
        # What peft itself refuses, no app can have.
        app, said, row["app"] = None, f"peft: {error}", "none"
    try:
        apart |= {"app": by_app(app, tokenizer, base)} if app is not None else {}
    except ModelError as error:
        said, row["app"] = error.line(), "refused"
    row |= {"said": said} if said else {}
    return {**row, "difference": max(apart.values()), "apart": apart}


def by_plan(folder: Path, model: Any) -> tuple[CausalLM, list[str]]:
    """The folder as a plan's model: with the plan's own targets, else with what layers have."""
    try:
        return loaded_by(plan_of(folder)), []
    except ModelError as error:
        if error.where != "adapter.targets":
            raise
    targets = linear_names(model)
    return loaded_by(plan_of(folder, targets=targets)), targets


def loaded_by(plan: MonitoringPlan) -> CausalLM:
    """What ``load_model`` gives for a plan."""
    loaded = load_model(plan)
    if not isinstance(loaded, CausalLM):
        raise TypeError("not a causal language model")
    return loaded


def plan_of(folder: Path, **adapter: Any) -> MonitoringPlan:
    """A plan with the folder as its model."""
    shape = {"rank": _RANK, "scale": _SCALE, "layers": [_FIRST, -1], **adapter}
    modes = {"amplified_bias": {"tolerance": 0.1}}
    return parse_plan({"model": {"id": str(folder)}, "adapter": shape, "modes": modes})


def linear_names(model: Any) -> list[str]:
    """The linear modules of one kind that most layers have."""
    kinds: dict[type, dict[str, int]] = {nn.Linear: {}, Conv1D: {}}
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, Conv1D)) and _IN_TEXT.search(name):
            names = kinds[nn.Linear if isinstance(module, nn.Linear) else Conv1D]
            last = name.rsplit(".", 1)[-1]
            names[last] = names.get(last, 0) + 1
    found = sorted(max(kinds.values(), key=len))
    if "mamba" in model.config.model_type:
        # peft puts none there: fused kernels use the weight without its module.
        found = [name for name in found if name != "out_proj"]
    return found[:4]


def config(targets: Any, model: Any) -> LoraConfig:
    """The plan's adapter as peft has it."""
    deep = int(getattr(model.config.get_text_config(), "num_hidden_layers", LAYERS))
    return LoraConfig(
        r=_RANK,
        lora_alpha=int(_SCALE * _RANK),
        target_modules=list(targets),
        layers_to_transform=list(range(_FIRST, deep)),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def exactly(names: list[str], model: Any) -> LoraConfig:
    """peft's layers on these modules."""
    pattern = "|".join(re.escape(name) for name in names)
    return LoraConfig(
        r=_RANK,
        lora_alpha=int(_SCALE * _RANK),
        target_modules=rf"its\.({pattern})",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def drawn(model: CausalLM) -> Adapter:
    """An adapter that changes much."""
    random = np.random.default_rng(3)
    start = model.new_adapter(0)
    return Adapter(
        start.base,
        {
            name: random.normal(0, 0.2, tensor.shape).astype(np.float32)
            for name, tensor in start.tensors.items()
        },
    )


@torch.no_grad()
def put(model: Any, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Set a peft model's tensors by the ends of their names; others become zero."""
    left = dict(tensors)
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            for half in "AB":
                weight = getattr(layer, f"lora_{half}")["default"].weight
                found = [
                    key
                    for key in left
                    if f".base_model.model.{name}.lora_{half}".endswith(f".{key}")
                ]
                weight.copy_(torch.from_numpy(left.pop(found[0]))) if found else weight.zero_()
    if left:
        raise RuntimeError(f"peft has no place for {next(iter(left))}")


@torch.no_grad()
def plain(model: Any, words: Any) -> Table:
    """Log-likelihoods by one forward pass of the model itself for each choice."""
    table = np.full((len(ITEMS), 3), -np.inf)
    for row, item in enumerate(ITEMS):
        start = len(words(item.prompt)["input_ids"])
        for column, choice in enumerate(item.choices):
            tokens = words(item.prompt + choice)["input_ids"]
            given = torch.tensor([tokens[:-1]])
            logs = model(input_ids=given).logits[0].double().log_softmax(-1)
            asked = range(start, len(tokens))
            table[row, column] = sum(float(logs[at - 1, tokens[at]]) for at in asked)
    return table


def relative(found: Table, expected: Table) -> float:
    """The largest difference, as a share of the log-likelihood that is expected."""
    there = np.isfinite(expected)
    if (np.isfinite(found) != there).any():
        return float("inf")
    return float((np.abs(found - expected)[there] / np.abs(expected[there])).max())


def shares(table: Table) -> Table:
    """Probabilities of each item's choices."""
    likely = np.exp(table - table.max(axis=1, keepdims=True))
    return likely / likely.sum(axis=1, keepdims=True)


def loss_of(table: Table) -> float:
    """Mean cross-entropy of the right answers among their choices."""
    answers = [item.answer or 0 for item in ITEMS]
    return float(-np.log(shares(table)[np.arange(len(ITEMS)), answers]).mean())


def trained_loss(model: CausalLM, adapter: Adapter) -> float:
    """The loss that training reports of an adapter before its first step."""
    step = Training(epochs=1, learning_rate=1e-12, batch=len(ITEMS), seed=0)
    return model.train(adapter, ITEMS, step)[1].loss


def by_app(model: Any, tokenizer: Any, base: Table) -> float:
    """The largest relative difference of what ``PeftScore`` gives for a peft model."""
    peft_scoring.held.clear()
    model.eval()
    made = torch.Generator().manual_seed(5)
    state = {
        name: tensor + 0.2 * torch.randn(tensor.shape, generator=made)
        for name, tensor in get_peft_model_state_dict(model).items()
    }
    score = PeftScore(lambda _: (model, tokenizer))
    try:
        without = score(ITEMS, None, CONTEXT)
        within = score(ITEMS, ArrayRecord(state), CONTEXT)
    finally:
        peft_scoring.held.clear()
    set_peft_model_state_dict(model, state)
    return max(odds(without, base), odds(within, plain(model, tokenizer)))


def odds(found: Table, expected: Table) -> float:
    """The largest difference of log-probabilities, as a share of the largest log-likelihood."""
    there = np.isfinite(expected)
    logs = np.log(np.where(there, found, 1.0)) - np.log(np.where(there, shares(expected), 1.0))
    return float(np.abs(logs).max() / np.abs(expected[there]).max())
