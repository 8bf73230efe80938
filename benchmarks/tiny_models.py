"""Small random models of every architecture that transformers has, made from its own list.

A config is its family's own with small numbers in the place of large ones, by the names that the
families share; what a family needs beyond that is in ``FIXES``. Weights are drawn anew, the same
each time and wide enough that every part of a model moves its logits.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedTokenizerFast
from transformers.pytorch_utils import Conv1D

VOCABULARY = 264
LAYERS = 4
WIDTH = 32
WINDOW = 6
"""Of sliding attention: shorter than the items, so that what lies far is really out of sight."""

_BY_SIZE: tuple[tuple[int, str], ...] = (
    (
        VOCABULARY,
        "vocab_size decoder_vocab_size vocab_size_per_layer_input unpadded_vocab_size "
        "entity_vocab_size encoder_hash_byte_group_vocab shape_vocab_size",
    ),
    (
        WIDTH,
        "hidden_size d_model n_embd dim emb_dim embedding_dim embedding_size "
        "input_embedding_size output_embedding_size word_embed_proj_dim "
        "attention_hidden_size lru_width router_hidden_size ple_embed_dim d_latents "
        "entity_emb_size",
    ),
    (
        2 * WIDTH,
        "intermediate_size moe_intermediate_size shared_expert_intermediate_size "
        "shared_experts_intermediate_size shared_intermediate_size "
        "dense_intermediate_size moe_shared_expert_intermediate_size "
        "intermediate_size_mlp expert_ffn_hidden_size ffn_hidden_size feed_forward_size "
        "decoder_ffn_dim encoder_ffn_dim ffn_dim d_inner dff dim_ff mamba_d_ssm",
    ),
    (
        LAYERS,
        "num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers "
        "num_decoder_layers num_encoder_layers num_blocks",
    ),
    (
        4,
        "num_attention_heads n_head n_heads num_heads decoder_attention_heads "
        "encoder_attention_heads num_decoder_attention_heads num_encoder_attention_heads "
        "attention_heads swa_num_attention_heads mamba_n_heads mamba_num_heads "
        "num_experts num_local_experts n_routed_experts moe_num_experts index_n_heads "
        "linear_num_heads",
    ),
    (
        2,
        "num_key_value_heads num_kv_heads swa_num_key_value_heads num_query_groups "
        "num_experts_per_tok num_experts_per_token moe_k moe_topk linear_num_key_heads "
        "linear_num_value_heads hc_mult hc_count",
    ),
    (
        1,
        "n_group topk_group num_expert_group mamba_n_groups n_groups",
    ),
    (
        8,
        "head_dim swa_head_dim dim_head d_head kv_channels attention_head_size "
        "qk_rope_head_dim qk_nope_head_dim v_head_dim index_head_dim linear_key_head_dim "
        "linear_value_head_dim linear_head_dim mamba_d_state ssm_state_size state_size "
        "time_step_rank mamba_dt_rank rotary_dim d_rel laurel_rank "
        "hidden_size_per_layer_input chunk_size mamba_chunk_size adapter_rank num_latents",
    ),
    (
        16,
        "kv_lora_rank q_lora_rank o_lora_rank qk_head_dim query_pre_attn_scalar "
        "mamba_d_head mamba_head_dim attention_head_dim",
    ),
    (
        WINDOW,
        "sliding_window sliding_window_size window_size local_attention "
        "attention_window_size attention_chunk_size",
    ),
    (
        512,
        "max_position_embeddings n_positions n_ctx max_seq_len context_length "
        "max_target_positions max_source_positions original_max_position_embeddings",
    ),
)
_SMALL = {name: size for size, names in _BY_SIZE for name in names.split()}
_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id")


class _Plain(dict[str, Any]):
    """A dictionary that is a value, no part of a config."""


_LATENT = {"num_key_value_heads": 4, "head_dim": 8}
_MIXED = {"layer_types": ["linear_attention", "full_attention"] * 2}
_MAMBA = {"layer_types": ["mamba", "attention"] * 2}
FIXES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            *("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite"),
            *("glm_moe_dsa", "longcat_flash", "minicpm3", "youtu"),
        ),
        _LATENT,
    ),
    **dict.fromkeys(("qwen3_5_text", "qwen3_5_moe_text", "qwen3_next", "qwen4_exp_text"), _MIXED),
    **{name: {"text_config": _MIXED} for name in ("qwen3_5", "qwen3_5_moe", "qwen4_exp")},
    "bamba": {"attn_layer_indices": [1, 3], "mamba_d_head": 16},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 2},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "mamba2": {"num_heads": 4, "head_dim": 16, "n_groups": 1},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "dots1": {"num_experts_per_tok": 2, "n_shared_experts": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "zaya": {"num_experts_per_tok": 1},
    "reformer": {
        "is_decoder": True,
        "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [16, 32],
        "attn_layers": ["local", "lsh"] * 2,
    },
    "bailing_hybrid": {**_LATENT, "layer_group_size": 2},
    "kimi_linear": {**_LATENT, **_MIXED},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "rope_parameters": _Plain(
            sliding_attention={"rope_type": "default", "rope_theta": 10000.0},
            full_attention={"rope_type": "default", "rope_theta": 10000.0},
        ),
    },
    "gemma3n_text": {
        "num_kv_shared_layers": 0,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
    },
    "gemma4_unified_assistant": {"text_config": {"num_kv_shared_layers": 0}},
    "gemma4_assistant": {"text_config": {"hidden_size_per_layer_input": 0}},
    "xlstm": {"qk_dim_factor": 1.0, "hidden_size": 64, "embedding_dim": 64},
    "dots3_note": {"text_config": {**_LATENT, "per_layer_config": _Plain()}},
    "dots3_note_text": {**_LATENT, "per_layer_config": _Plain()},
    "qwen4_exp_text": {**_MIXED, "num_key_value_heads": 2, "num_attention_heads": 4},
    "zamba": {
        "layers_block_type": ["linear_attention", "hybrid"] * 2,
        "attention_hidden_size": 2 * WIDTH,
        "num_key_value_heads": 4,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "num_key_value_heads": 4,
        "attention_hidden_size": 2 * WIDTH,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
    },
    "xmod": {"default_language": "en_XX"},
    "granite": {
        "logits_scaling": 3.0,
        "residual_multiplier": 0.7,
        "embedding_multiplier": 2.0,
        "attention_multiplier": 0.3,
    },
    "granitemoe": {"logits_scaling": 3.0},
    "granitemoeshared": {"logits_scaling": 3.0},
}
"""What a family needs beside small sizes."""


def _rope(kind: str, **more: Any) -> _Plain:
    return _Plain(rope_parameters=_Plain(rope_type=kind, rope_theta=10000.0, **more))


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, rope linear": ("llama", _rope("linear", factor=2.0)),
    "llama, rope dynamic": ("llama", _rope("dynamic", factor=2.0)),
    "llama, rope yarn": (
        "llama",
        _rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    "llama, rope llama3": (
        "llama",
        _rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
    ),
    "llama, rope longrope": (
        "llama",
        _rope(
            "longrope",
            short_factor=[1.0] * 4,
            long_factor=[3.0] * 4,
            original_max_position_embeddings=16,
        ),
    ),
    "llama, rope longrope, short texts": (
        "llama",
        _rope(
            "longrope",
            short_factor=[1.0] * 4,
            long_factor=[3.0] * 4,
            original_max_position_embeddings=400,
        ),
    ),
    "llama, tied": ("llama", {"tie_word_embeddings": True}),
    "llama, biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "falcon, alibi": ("falcon", {"alibi": True}),
    "falcon, new": ("falcon", {"new_decoder_architecture": True}),
    "bloom, residual after": ("bloom", {"apply_residual_connection_post_layernorm": True}),
    "mpt, no alibi": ("mpt", {"attn_config": _Plain(alibi=False)}),
    "qwen2, window": ("qwen2", {"use_sliding_window": True, "max_window_layers": 2}),
    "gemma, tied": ("gemma", {"tie_word_embeddings": True}),
    "opt, norm after": ("opt", {"do_layer_norm_before": False}),
    "gpt2, scaled by layer": (
        "gpt2",
        {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
    ),
}
"""What a family can be beside its default: by name, the family and what its config says."""


class UnbuiltError(Exception):
    """A family of which no small model can be made here; says why."""


def small_config(kind: str) -> Any:
    """The config of an architecture, or of one of ``VARIANTS``, with small sizes."""
    family, changes = VARIANTS.get(kind, (kind, {}))
    known = CONFIG_MAPPING[family]
    return known(**_given(known, {**FIXES.get(family, {}), **changes}))


def _given(known: Any, fixes: dict[str, Any]) -> dict[str, Any]:
    plain = known()
    given: dict[str, Any] = {name: _SMALL[name] for name in vars(plain) if name in _SMALL}
    given |= {name: 1 for name in _TOKENS if isinstance(getattr(plain, name, None), int)}
    if isinstance(getattr(plain, "initializer_range", None), float):
        given["initializer_range"] = 0.3
    for name, part in vars(plain).items():
        if isinstance(part, PreTrainedConfig):
            given[name] = type(part)(**_given(type(part), fixes.get(name, {})))
    # A family that counts its heads otherwise leaves this for None.
    if getattr(plain, "sliding_window", 0) is None:
        given.pop("sliding_window", None)
    return {**given, **{name: fix for name, fix in fixes.items() if type(fix) is not dict}}


def small_model(kind: str, auto: Any, **changes: Any) -> Any:
    """A random model of an architecture, in evaluation mode, the same each time."""
    torch.manual_seed(0)
    try:
        config = small_config(kind)
        for name, value in changes.items():
            setattr(config, name, value)
        model = auto.from_config(config).float().eval()
        rows = getattr(model.get_input_embeddings(), "num_embeddings", VOCABULARY)
        if rows > 4 * VOCABULARY:
            raise UnbuiltError(f"its embeddings have {rows} rows")
    except Exception as error:
        # Each family has ways of its own to say what its config lacks.
        raise UnbuiltError(f"{type(error).__name__}: {error}".split("\n")[0]) from None
    widen(model)
    return model


@torch.no_grad()
def widen(model: nn.Module) -> None:
    """Draw matrices, embeddings and biases so that each moves what comes after it."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, nn.Embedding):
                parameter.normal_(0, 1)
            elif isinstance(module, (nn.Linear, Conv1D)) or parameter.ndim == 3:
                wide = parameter.shape[0 if isinstance(module, Conv1D) else -1]
                parameter.normal_(0, 0.3 if parameter.ndim == 1 else 1.2 / wide**0.5)
            elif name == "bias":
                parameter.normal_(0, 0.3)


def letters() -> Any:
    """A tokenizer with one token a byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {"<s>": 0, "</s>": 1, **{letter: n + 2 for n, letter in enumerate(alphabet)}}
    inner = Tokenizer(models.BPE(words, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")
