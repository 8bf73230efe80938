"""A peft model is scored only if it is its base without arrays, and its arrays with them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import (
    AdaLoraConfig,
    AdaptionPromptConfig,
    BOFTConfig,
    EvaConfig,
    IA3Config,
    LoHaConfig,
    LoraConfig,
    OFTConfig,
    get_peft_model,
)
from transformers import T5Config, T5ForConditionalGeneration

from unsilent.errors import ModelError
from unsilent.models.causality import few_tokens
from unsilent.models.peft_proof import Base, base_logits, check_base, prove
from unsilent.models.peft_slots import PeftSlots

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]

Tiny = Callable[..., Any]


def adapted(model: Any, config: Any, **more: Any) -> Any:
    return get_peft_model(model, config, **more)


def lora(**changes: Any) -> LoraConfig:
    return LoraConfig(**{"r": 4, "target_modules": ["q_proj", "v_proj"], **changes})


def proven(model: Any, adapter: str | None = None) -> PeftSlots:
    slots = PeftSlots(model, adapter)
    check_base(slots)
    prove(slots)
    return slots


def refused(model: Any, match: str) -> None:
    with pytest.raises(ModelError, match=match) as caught:
        proven(model)
    assert caught.value.remedy
    assert "\n" not in caught.value.line()


BESIDE: dict[str, Any] = {
    "plain": lora(),
    "random": lora(init_lora_weights=False),
    "gaussian": lora(init_lora_weights="gaussian"),
    "orthogonal": lora(init_lora_weights="orthogonal"),
    "eva": lora(init_lora_weights="eva", eva_config=EvaConfig()),
    "dora": lora(use_dora=True),
    "with a bias of its own": lora(lora_bias=True),
    "other ranks": lora(rank_pattern={"q_proj": 2}, alpha_pattern={"q_proj": 32}),
    "a module to save": lora(modules_to_save=["mlp"]),
    "loha": LoHaConfig(r=4, target_modules=["q_proj"]),
    "ia3": IA3Config(target_modules=["k_proj"], feedforward_modules=[]),
    "oft": OFTConfig(r=0, oft_block_size=8, target_modules=["q_proj"]),
    "boft": BOFTConfig(boft_block_size=8, target_modules=["q_proj"]),
    "adaption prompt": AdaptionPromptConfig(adapter_len=4, adapter_layers=2, task_type="CAUSAL_LM"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_the_base_of_an_adapter_that_starts_beside_it_is_the_original(
    kind: str, tiny: Tiny
) -> None:
    original = tiny()
    with torch.no_grad():
        expected = original(input_ids=few_tokens(original)).logits
    slots = proven(adapted(tiny(), BESIDE[kind]))
    with slots.unchanged():
        found = base_logits(slots)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("init", ["pissa", "pissa_niter_4", "olora"])
def test_an_initialization_that_rewrites_the_base_is_refused_by_its_name(
    init: str, tiny: Tiny
) -> None:
    original = tiny()
    model = adapted(tiny(), lora(init_lora_weights=init))
    with torch.no_grad(), model.disable_adapter():
        off = model(input_ids=few_tokens(original)).logits
        expected = original(input_ids=few_tokens(original)).logits
    assert float((off - expected).abs().max()) > 0.01
    refused(model, f"{init}' rewrites the base model's weights")


@pytest.mark.parametrize("init", ["corda", "loftq", "lora_ga"])
def test_an_initialization_from_data_is_refused_by_its_name(init: str, tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    model.peft_config["default"].init_lora_weights = init
    refused(model, f"{init}' rewrites the base model's weights")


def test_a_second_adapter_that_rewrites_the_base_is_refused(tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    model.add_adapter("other", lora(init_lora_weights="pissa"))
    model.set_adapter("default")
    refused(model, "'pissa' rewrites the base")


def test_replicated_layers_are_refused(tiny: Tiny) -> None:
    model = adapted(tiny(), lora(layer_replication=[(0, 3), (1, 4)]))
    refused(model, "deeper model of the base")


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_trained_beside_the_adapter_are_refused(bias: str, tiny: Tiny) -> None:
    refused(adapted(tiny("qwen2"), lora(bias=bias)), f"bias='{bias}'")


def test_base_weights_that_are_trained_are_refused_by_name(tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    model.base_model.model.model.norm.weight.requires_grad_(True)
    refused(model, r"beside the adapter: base_model\.model\.model\.norm\.weight")


@pytest.mark.parametrize("head", ["lm_head", "embed_tokens", "norm"])
def test_what_is_saved_outside_the_layers_is_refused(head: str, tiny: Tiny) -> None:
    refused(adapted(tiny("qwen2"), lora(modules_to_save=[head])), "not within the model")


def test_arrays_that_every_layer_ignores_are_refused(tiny: Tiny) -> None:
    refused(adapted(tiny(), lora(lora_alpha=0)), "arrays change nothing")


def test_arrays_that_one_layer_ignores_are_refused_by_name(tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    model.base_model.model.model.layers[2].self_attn.v_proj.scaling["default"] = 0.0
    refused(model, r"^PeftScore: 2 of .* such as .*layers\.2\.self_attn\.v_proj\.lora_")


def test_a_layer_with_a_forward_of_its_own_that_leaves_the_adapter_out(tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    layer = model.base_model.model.model.layers[3].self_attn.q_proj
    layer.forward = lambda given: layer.base_layer(given)
    refused(model, r"layers\.3\.self_attn\.q_proj")


def test_a_forward_pass_around_the_layers_is_refused(tiny: Tiny) -> None:
    """As what prompts, offsets of activated LoRA or hooks of an app do."""
    model = adapted(tiny(), lora())
    plain = model.forward

    def louder(**given: Any) -> Any:
        found = plain(**given)
        found.logits = 2 * found.logits
        return found

    model.forward = louder
    refused(model, "does more than its layers")


def test_activated_lora_is_refused(tiny: Tiny) -> None:
    model = adapted(tiny(), lora(alora_invocation_tokens=[5, 6], task_type="CAUSAL_LM", r=4))
    with pytest.raises(ModelError):
        proven(model)


def test_a_layer_that_cannot_be_switched_off_is_refused(tiny: Tiny) -> None:
    model = adapted(tiny(), lora())
    layer = model.base_model.model.model.layers[1].self_attn.q_proj

    def always(given: torch.Tensor) -> torch.Tensor:
        low, high = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        return layer.base_layer(given) + given @ low.T @ high.T

    layer.forward = always
    refused(model, "cannot be had without the adapter")


def test_an_encoder_decoder_is_refused() -> None:
    config = T5Config(vocab_size=320, d_model=32, d_ff=32, d_kv=8, num_layers=2, num_heads=4)
    model = adapted(T5ForConditionalGeneration(config), lora(target_modules=["q"]))
    refused(model, "type t5 cannot be scored")


@pytest.mark.parametrize("how", ["in place", "replaced", "as another parameter"])
def test_a_base_that_was_changed_since_is_refused(how: str, tiny: Tiny) -> None:
    slots = PeftSlots(adapted(tiny(), lora()))
    base = Base(slots, prove(slots))
    base.check()
    layer = slots.model.base_model.model.model.layers[0].mlp.down_proj
    with torch.no_grad():
        if how == "in place":
            layer.weight.mul_(1.5)
        elif how == "replaced":
            layer.weight.data = 1.5 * layer.weight.data
        else:
            layer.weight = torch.nn.Parameter(1.5 * layer.weight, requires_grad=False)
    with pytest.raises(ModelError, match="not what it was when it was loaded"):
        base.check()


def test_a_base_that_is_written_to_without_a_change_is_still_the_base(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = PeftSlots(adapted(tiny(), lora()))
    base = Base(slots, prove(slots))
    weight = slots.model.base_model.model.model.layers[0].mlp.down_proj.weight
    with torch.no_grad():
        weight.copy_(weight.clone())
    base.check()

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("unsilent.models.peft_proof.base_logits", never)
    base.check()


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_an_experts_share_of_the_arrays_may_wait_for_its_tokens(family: str, tiny: Tiny) -> None:
    """Of a mixture not every expert is asked by a few tokens: one of a layer has to count."""
    model = tiny(family)
    for layer in model.model.layers:
        layer.mlp = Mixture(layer.mlp, 3)
    slots = proven(adapted(model, lora(target_modules=["down_proj"])))
    assert any("experts.2" in name for name in slots.shapes)


class Mixture(torch.nn.Module):
    """The first expert answers for all."""

    def __init__(self, expert: torch.nn.Module, count: int) -> None:
        super().__init__()
        self.experts = torch.nn.ModuleList([copy.deepcopy(expert) for _ in range(count)])

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.experts[0](given)


def test_half_precision_is_proven_too(tiny: Tiny) -> None:
    model = adapted(tiny().to(torch.bfloat16), lora(), autocast_adapter_dtype=False)
    proven(model)


def test_weights_that_are_no_numbers_are_refused(tiny: Tiny) -> None:
    model = tiny()
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(float("nan"))
    refused(adapted(model, lora()), "no finite numbers")


def test_an_adapter_of_which_peft_gives_a_part_is_refused(tiny: Tiny) -> None:
    """AdaLoRA names but the ranks that it keeps; the others are in the model all the same."""
    config = AdaLoraConfig(init_r=4, target_r=2, total_step=9, target_modules=["q_proj"])
    model = adapted(tiny(), config)
    proven(model)
    for layer in model.base_model.model.model.layers:
        rank = layer.self_attn.q_proj.lora_E["default"]
        rank.data[2:] = 0
    config.rank_pattern = {
        name.replace("base_model.model.", ""): [True, True, False, False]
        for name, _ in model.base_model.model.named_parameters()
        if name.endswith("lora_E.default")
    }
    refused(model, "what peft gives as the adapter's arrays is not all of it")


def test_a_model_that_has_no_gradients_is_refused(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_over(*_: object, **__: object) -> None:
        raise RuntimeError("modified by an inplace operation")

    slots = PeftSlots(adapted(tiny(), lora()))
    monkeypatch.setattr(torch.autograd, "grad", written_over)
    with pytest.raises(ModelError, match=r"type llama cannot be scored \(RuntimeError\)"):
        prove(slots)
