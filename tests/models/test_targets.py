"""An adapter lies in the layers that text goes through, whatever else a model has."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Dots1Config,
    Gemma3Config,
    MixtralConfig,
    ZambaConfig,
)

from unsilent.errors import ModelError
from unsilent.models.causality import few_tokens
from unsilent.models.lora import LoraSlots
from unsilent.models.targets import find_targets
from unsilent.plan import AdapterPlan

SIZES: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
PLAN = AdapterPlan(rank=3, scale=2.0, layers=(1, -1))


def made(config: Any) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    return model


def mixture(kind: str) -> Any:
    if kind == "mixtral":
        return made(MixtralConfig(**SIZES, num_local_experts=4))
    return made(
        Dots1Config(
            **{**SIZES, "num_key_value_heads": 4},
            moe_intermediate_size=16,
            n_routed_experts=4,
            num_experts_per_tok=2,
            n_shared_experts=1,
            first_k_dense_replace=2,
        )
    )


def seeing() -> Any:
    """A model of text and images, whose towers are equally deep."""
    vision = {**SIZES, "image_size": 16, "patch_size": 4, "model_type": "siglip_vision_model"}
    del vision["vocab_size"], vision["head_dim"], vision["num_key_value_heads"]
    return made(Gemma3Config(text_config=SIZES, vision_config={**vision, "hidden_size": 16}))


def adapted(model: Any) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def drawn(slots: LoraSlots) -> dict[str, Any]:
    random = np.random.default_rng(3)
    return {name: random.normal(0, 0.2, s).astype(np.float32) for name, s in slots.shapes.items()}


@pytest.mark.parametrize("kind", ["mixtral", "dots1"])
def test_the_default_adapter_of_a_mixture_lies_in_the_plans_layers(kind: str) -> None:
    """Left to itself, peft puts one on the experts of every layer."""
    model = mixture(kind)
    LoraSlots(model, PLAN)
    names = adapted(model)
    assert {name.split(".")[2] for name in names} == {"1", "2", "3"}
    assert not any(name.endswith("experts") for name in names)
    dense = {"model.layers.1.mlp.down_proj", "model.layers.2.mlp.shared_experts.down_proj"}
    assert dense <= names or kind == "mixtral"


def test_an_image_tower_is_left_alone() -> None:
    model = seeing()
    LoraSlots(model, PLAN)
    assert len(adapted(model)) == 3 * 4
    assert not any("vision" in name for name in adapted(model))


@pytest.mark.parametrize("kind", ["experts", "layers"])
def test_a_list_within_a_layer_is_no_stack(kind: str, tiny: Callable[..., Any]) -> None:
    model = tiny()
    for layer in model.model.layers:
        inner = nn.ModuleDict({kind: nn.ModuleList(copy.deepcopy(layer.mlp) for _ in range(4))})
        layer.mlp.add_module("more", inner)
    found = find_targets(model, AdapterPlan(targets=("down_proj",), layers=(2, 3)))
    inside = {id(module) for layer in model.model.layers[2:] for module in layer.modules()}
    assert len(found.modules) == 2 * 5
    assert all(id(module) in inside for module in found.modules)


def test_layers_that_share_a_weight_are_not_merged_into_it() -> None:
    config = ZambaConfig(
        **{**SIZES, "num_key_value_heads": 4},
        attention_head_dim=16,
        attention_hidden_size=64,
        mamba_dt_rank=4,
        layers_block_type=["linear_attention", "hybrid"] * 2,
    )
    model = made(config)
    slots = LoraSlots(model, AdapterPlan(rank=3, targets=("q_proj", "o_proj"), layers=(1, 3)))
    tensors, tokens = drawn(slots), few_tokens(model)
    with torch.no_grad():
        with slots.merged(None):
            base = model(input_ids=tokens).logits
        slots.load(tensors)
        expected = model(input_ids=tokens).logits
        slots.load({name: np.zeros_like(tensor) for name, tensor in tensors.items()})
        with slots.merged(tensors):
            found = model(input_ids=tokens).logits
    torch.testing.assert_close(found, expected)
    assert (found - base).abs().max() > 0.01
    with pytest.raises(ModelError, match="cannot be merged into models of type zamba"):
        slots.merge_for_good()


def test_a_weight_that_is_used_without_its_module_is_not_merged_into(
    tiny: Callable[..., Any],
) -> None:
    """The layer's adapter does nothing then, and neither may the merged one."""
    model = tiny()
    mlp = model.model.layers[2].mlp
    mlp.forward = lambda given: nn.functional.linear(
        given, mlp.gate_proj.weight.T @ mlp.up_proj.weight
    )
    slots = LoraSlots(model, AdapterPlan(targets=("q_proj", "up_proj"), layers=(2, 2)))
    tensors, tokens = drawn(slots), few_tokens(model)
    with torch.no_grad():
        slots.load(tensors)
        expected = model(input_ids=tokens).logits
        with slots.merged(tensors):
            torch.testing.assert_close(model(input_ids=tokens).logits, expected)


def test_an_adapter_that_changes_nothing_is_refused(tiny: Callable[..., Any]) -> None:
    model = tiny()
    model.model.layers[2].mlp.add_module("unused", nn.Linear(4, 4))
    with pytest.raises(ModelError, match="changes nothing in this model") as caught:
        LoraSlots(model, AdapterPlan(targets=("unused",), layers=(2, 2)))
    assert caught.value.where == "adapter.targets"


def test_what_peft_puts_no_adapter_on_is_said(tiny: Callable[..., Any]) -> None:
    with pytest.raises(ModelError, match="peft puts no LoRA on all of the modules") as caught:
        LoraSlots(tiny(), AdapterPlan(targets=("mlp",), layers=(2, 2)))
    assert caught.value.where == "adapter.targets"


def test_a_model_that_cannot_be_trained_says_so(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = LoraSlots(tiny(), PLAN)
    with (
        pytest.raises(ModelError, match="type llama cannot be trained here"),
        slots.training() as p,
    ):
        written = p[0] * 1.0
        loss = (written**2).sum()
        with torch.no_grad():
            written.zero_()
            written.add_(1)
        written.data_ptr()
        torch.autograd.grad(loss, p[0])
    assert not any(parameter.requires_grad for parameter in slots.parameters.values())
