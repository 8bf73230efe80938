"""Every kind of adapter that peft has, on one small model, through the score of an app.

The kinds are those of peft's own registry. Each is asked as it starts and after a few steps of
training whatever it says is trained: without arrays the numbers have to be those of the model that
was there before it, with arrays those of peft's own forward pass.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from flwr.app import ArrayRecord
from peft import (
    LoftQConfig,
    LoHaConfig,
    LoraConfig,
    PeftMixedModel,
    PeftType,
    XLoraConfig,
    get_peft_model,
    get_peft_model_state_dict,
    initialize_lora_eva_weights,
    set_peft_model_state_dict,
)
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.lora.config import CordaConfig, LoraGAConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.loraga import preprocess_loraga
from tiny_causal import CONTEXT, ITEMS, odds, plain
from tiny_models import UnbuiltError, letters, small_model
from transformers import AutoModelForCausalLM

from unsilent.flower import PeftScore
from unsilent.models import peft_scoring

_TARGETS = ["q_proj", "v_proj"]
_STEPS = 3

# What a kind asks for beside targets.
_NEEDS: dict[str, dict[str, Any]] = {
    "ADALORA": {"total_step": 10, "target_r": 2, "init_r": 4},
    "ADAPTION_PROMPT": {"adapter_len": 4, "adapter_layers": 2, "target_modules": "self_attn"},
    "ROAD": {"group_size": 16},
    "IA3": {"target_modules": ["v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "LN_TUNING": {"target_modules": ["input_layernorm"]},
    "OFT": {"r": 0, "oft_block_size": 4},
    "BOFT": {"boft_block_size": 4},
    "VBLORA": {"num_vectors": 8, "vector_length": 8},
    "TRAINABLE_TOKENS": {"target_modules": ["embed_tokens"], "token_indices": [40, 41]},
    "CPT": {"cpt_token_ids": [1, 2], "cpt_mask": [1, 1], "cpt_tokens_type_mask": [1, 2]},
    "C3A": {"block_size": 8},
    "FOURIERFT": {"n_frequency": 20},
    "WAVEFT": {"n_frequency": 20},
    "UNILORA": {"theta_d_length": 32},
    "CARTRIDGE": {"num_virtual_tokens": 4},
    "PREFIX_TUNING": {"num_virtual_tokens": 4},
    "P_TUNING": {"num_virtual_tokens": 4, "encoder_hidden_size": 16},
    "PROMPT_TUNING": {"num_virtual_tokens": 4},
    "MULTITASK_PROMPT_TUNING": {"num_virtual_tokens": 4, "num_tasks": 2},
    "SHADOW": {"shadow_num_hidden_layers": 1},
    "BEFT": {"target_modules": ["v_proj"]},
    "POLY": {"n_tasks": 1},
}
_LORA: dict[str, dict[str, Any]] = {
    **{f"init {start}": {"init_lora_weights": start} for start in (True, False, "gaussian")},
    **{
        f"init {start}": {"init_lora_weights": start}
        for start in (
            "eva",
            "olora",
            "pissa",
            "pissa_niter_2",
            "orthogonal",
            "mica",
            "corda",
            "lora_ga",
        )
    },
    "init loftq": {"init_lora_weights": "loftq", "loftq_config": LoftQConfig(loftq_bits=4)},
    "rsLoRA": {"use_rslora": True},
    "DoRA": {"use_dora": True},
    "biases of all": {"bias": "all"},
    "biases of its layers": {"bias": "lora_only"},
    "a bias of its own": {"lora_bias": True},
    "head saved beside": {"modules_to_save": ["lm_head"]},
    "norms saved beside": {"modules_to_save": ["input_layernorm"]},
    "tokens trained": {"trainable_token_indices": [40, 41]},
    "ranks by pattern": {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"v_proj": 7}},
    "replicated layers": {"layer_replication": [(0, 2), (1, 4)]},
    "embeddings": {"target_modules": ["q_proj", "embed_tokens"]},
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "one layer": {"layers_to_transform": [2]},
    "every linear module": {"target_modules": "all-linear"},
    "parameters": {"target_modules": [], "target_parameters": ["q_proj.weight"]},
    "dropout": {"lora_dropout": 0.5},
    "activated by tokens": {"alora_invocation_tokens": [40, 41]},
}


@dataclass(frozen=True)
class Kind:
    """A kind of adapter: how its model is made."""

    name: str
    make: Callable[[], Any]


def kinds() -> dict[str, Kind]:
    """All kinds of peft's registry, and LoRA's initializations and options."""
    found = [
        Kind(kind.value, lambda kind=kind: adapted(configured(kind)))
        for kind in PeftType
        if kind not in (PeftType.LORA, PeftType.XLORA)
    ]
    for name, options in _LORA.items():
        given = {"target_modules": _TARGETS, "r": 4, **options}
        found.append(Kind(f"LORA, {name}", lambda given=given: adapted(LoraConfig(**given))))
    found += [Kind("XLORA", mixed), Kind("LORA, two added up", added), Kind("mixed kinds", both)]
    return {kind.name: kind for kind in found}


def configured(kind: PeftType) -> Any:
    """The config of a kind, small."""
    known = PEFT_TYPE_TO_CONFIG_MAPPING[kind]
    has = {field.name for field in fields(known)}
    given: dict[str, Any] = {"target_modules": _TARGETS, "r": 4}
    given = {name: value for name, value in given.items() if name in has}
    return known(**{**given, **_NEEDS.get(kind.value, {})}, task_type="CAUSAL_LM")


def base() -> Any:
    """The model that all adapters are put on, the same each time."""
    return small_model("llama", AutoModelForCausalLM, attention_bias=True)


def adapted(config: Any) -> Any:
    """The model with an adapter; those that start from data get some."""
    model = base()
    start = getattr(config, "init_lora_weights", None)
    if start == "corda":
        config.corda_config = CordaConfig()
        preprocess_corda(model, config, run_model=lambda: model(input_ids=tokens()[:1]))
    if start == "lora_ga":
        config.lora_ga_config = LoraGAConfig()
        preprocess_loraga(
            model, config, lambda: model(input_ids=tokens(), labels=tokens()).loss.backward()
        )
    made = get_peft_model(model, config)
    if start == "eva":
        rows = [{"input_ids": tokens(), "attention_mask": torch.ones_like(tokens())}] * 4
        initialize_lora_eva_weights(made, rows)
    return made


def tokens() -> torch.Tensor:
    """(2, 20) tokens, the same each time."""
    return torch.randint(2, 200, (2, 20), generator=torch.Generator().manual_seed(2))


def mixed() -> Any:
    """An X-LoRA over two adapters that were saved before."""
    with tempfile.TemporaryDirectory() as folder:
        places = {}
        for name in ("one", "two"):
            get_peft_model(base(), LoraConfig(target_modules=_TARGETS)).save_pretrained(
                f"{folder}/{name}"
            )
            places[name] = f"{folder}/{name}"
        config = XLoraConfig(task_type="CAUSAL_LM", hidden_size=32, xlora_depth=1, adapters=places)
        model = base()
        model.config.use_cache = False
        return get_peft_model(model, config)


def added() -> Any:
    """A weighted sum of two adapters beside them."""
    model = get_peft_model(base(), LoraConfig(target_modules=_TARGETS, r=4))
    model.add_adapter("other", LoraConfig(target_modules=_TARGETS, r=4))
    model.add_weighted_adapter(["default", "other"], [0.5, 0.5], "sum")
    model.set_adapter("sum")
    return model


def both() -> Any:
    """A model of adapters of two kinds."""
    model = PeftMixedModel(base(), LoraConfig(target_modules=_TARGETS, r=4))
    model.add_adapter("other", LoHaConfig(target_modules=["k_proj"], r=4))
    model.set_adapter(["default", "other"])
    return model


def adapter_kinds() -> list[str]:
    """Names of all kinds, as they start and after training."""
    return [f"{name}{when}" for name in kinds() for when in ("", ", trained")]


def adapter_row(name: str, _folder: Path) -> dict[str, Any]:
    """How far the numbers of one kind lie apart, with and without arrays.

    Raises:
        ModelError: The project refuses it.
    """
    kind = kinds()[name.removesuffix(", trained")]
    torch.manual_seed(0)
    try:
        model = kind.make()
        if name != kind.name:
            train(model)
    except Exception as error:
        # Each kind has ways of its own to say what this model or its training lacks.
        raise UnbuiltError(f"{type(error).__name__}: {error}".split("\n")[0]) from None
    model.eval()
    words, original = letters(), plain(base(), letters())
    states = arrays(model)
    peft_scoring.held.clear()
    score = PeftScore(lambda _: (model, words))
    apart: dict[str, float] = {}
    try:
        apart["base"] = odds(score(ITEMS, None, CONTEXT), original)
        for number, state in enumerate(states):
            found = score(ITEMS, ArrayRecord(state), CONTEXT)
            served = copy.deepcopy(model)
            set_peft_model_state_dict(served, state)
            apart[f"arrays {number}"] = odds(found, plain(served, words))
    finally:
        peft_scoring.held.clear()
    return {"difference": max(apart.values()), "apart": apart}


def train(model: Any) -> None:
    """A few steps on whatever the model says is trained, and on what its kind updates by itself."""
    asked = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not asked:
        raise UnbuiltError("nothing of it is trained")
    step = torch.optim.Adam(asked, lr=0.05)
    model.train()
    for number in range(_STEPS):
        loss = model(input_ids=tokens(), labels=tokens()).loss
        loss.backward()
        step.step()
        if hasattr(getattr(model, "base_model", None), "update_and_allocate"):
            model.base_model.update_and_allocate(number)
        step.zero_grad()


def arrays(model: Any) -> list[dict[str, torch.Tensor]]:
    """The adapter as it is, and moved."""
    try:
        state = get_peft_model_state_dict(model)
    except Exception as error:
        # What peft cannot name, no app can send.
        raise UnbuiltError(f"peft gives no arrays of it ({type(error).__name__})") from None
    made = torch.Generator().manual_seed(5)
    moved = {
        name: tensor + 0.1 * torch.randn(tensor.shape, generator=made)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in state.items()
    }
    return [{name: tensor.clone() for name, tensor in state.items()}, moved]
