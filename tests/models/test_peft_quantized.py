"""A peft model on a quantized base is scored as its forward pass is, and left as it was found."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from unsilent.models.causality import few_tokens
from unsilent.models.hashes import base_hash, weights_hash
from unsilent.models.peft_proof import moved, prove
from unsilent.models.peft_slots import PeftSlots

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]


class Packing(nn.Linear):
    """As a 4-bit layer of bitsandbytes: evaluated, it packs its weights; saved, it loses some."""

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, bias=False)
        self.weight = plain.weight
        self.support_avx512bf16_for_cpu = True
        self.packed = False

    def forward(self, given: Any) -> Any:
        self.packed |= self.support_avx512bf16_for_cpu and not self.training
        return super().forward(given)

    def _save_to_state_dict(self, *given: Any) -> None:
        if self.packed:
            self.weight.data.mul_(1.5)
        super()._save_to_state_dict(*given)


def test_a_layer_that_packs_its_weights_where_it_is_evaluated_keeps_them(
    tiny: Callable[..., Any],
) -> None:
    model = tiny()
    for layer in model.model.layers:
        layer.mlp.up_proj = Packing(layer.mlp.up_proj)
    before = model.model.layers[0].mlp.up_proj.weight.clone()
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"]))
    slots = PeftSlots(adapted)
    prove(slots)
    layer = model.model.layers[0].mlp.up_proj
    assert not layer.packed and layer.support_avx512bf16_for_cpu
    # What the app sends next is still what it was.
    assert torch.equal(adapted.state_dict()["base_model.model.model.layers.0.mlp.up_proj.weight"],
                       before)  # fmt: skip


def test_a_hash_of_the_base_leaves_packed_weights_as_they_lie(tiny: Callable[..., Any]) -> None:
    model = tiny()
    layer: Any = Packing(model.model.layers[0].mlp.up_proj)
    model.model.layers[0].mlp.up_proj = layer
    fresh = base_hash(model)
    assert fresh == weights_hash(model.state_dict())
    model.eval()(input_ids=few_tokens(model))
    layer.weight.quant_state = SimpleNamespace(packing_format_for_cpu=True, absmax=torch.ones(3))
    before = layer.weight.clone()
    assert layer.packed
    assert base_hash(model) == base_hash(model)
    assert torch.equal(layer.weight, before)


def test_names_and_order_of_arrays_are_those_of_peft(tiny: Callable[..., Any]) -> None:
    from peft import VeraConfig, get_peft_model_state_dict

    for config in (
        LoraConfig(r=4, target_modules=["q_proj", "down_proj"], use_dora=True),
        LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=["mlp"]),
        VeraConfig(r=4, target_modules=["v_proj"], save_projection=True),
    ):
        adapted = get_peft_model(tiny(), config)
        expected = get_peft_model_state_dict(adapted)
        state = PeftSlots(adapted).state() if config.peft_type != "VERA" else _state(adapted)
        assert list(state) == list(expected)
        assert all(torch.equal(state[name], expected[name]) for name in expected)


def _state(adapted: Any) -> dict[str, Any]:
    slots = PeftSlots.__new__(PeftSlots)
    slots.model, slots.name = adapted, "default"
    return slots.state()


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)
def test_a_four_bit_base_gives_its_own_numbers_with_and_without_the_adapter(
    tiny: Callable[..., Any],
) -> None:
    import bitsandbytes

    model = tiny("qwen2")
    for layer in model.model.layers:
        plain = layer.mlp.up_proj
        packed = bitsandbytes.nn.Linear4bit(32, 64, bias=False, compute_dtype=torch.float32)
        packed.weight = bitsandbytes.nn.Params4bit(
            plain.weight.data, requires_grad=False, quant_type="nf4"
        )
        layer.mlp.up_proj = packed.to("cpu")
        layer.mlp.up_proj.support_avx512bf16_for_cpu = False
    tokens = few_tokens(model)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"])).eval()
    with torch.no_grad(), adapted.disable_adapter():
        base = adapted(input_ids=tokens).logits
    slots = PeftSlots(adapted)
    torch.testing.assert_close(prove(slots), base)
    with slots.unchanged(), slots.merged(moved(slots)), torch.no_grad():
        other = adapted(input_ids=tokens).logits
    assert float((other - base).abs().max()) > 0.01
    with torch.no_grad(), adapted.disable_adapter():
        torch.testing.assert_close(adapted(input_ids=tokens).logits, base)
