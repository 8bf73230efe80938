"""GGUF files of tiny models, written as llama.cpp's converter writes them.

Names come from the gguf package; what is turned, added to or split per architecture is said here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH_NAMES, GGMLQuantizationType, GGUFWriter, get_tensor_name_map, quants

_ARCHITECTURES = {"gemma3_text": "gemma3", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe"}
_EXPERTS = re.compile(r"model\.layers\.(\d+)\.mlp\.experts\.(gate_up_proj|down_proj)$")


def write_gguf(
    path: Path,
    model: Any,
    tokenizer: Any,
    *,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
    settings: dict[str, Any] | None = None,
    pre: str = "gpt-2",
    tensors: dict[str, np.ndarray] | None = None,
) -> Path:
    """A file of a model and its tokenizer; matrices in ``kind``, all else in float32.

    ``settings`` are added to the architecture's own by their names without it, or, with a dot
    before them, as they are; None takes one out. ``tensors`` are added as they are.
    """
    config = model.config
    name = _ARCHITECTURES.get(config.model_type, config.model_type)
    writer = GGUFWriter(path, name)
    writer.add_type("model")
    _tokens(writer, tokenizer, int(config.vocab_size), pre)
    for key, value in {**_settings(config, name), **(settings or {})}.items():
        if value is not None:
            _add(writer, key[1:] if key.startswith(".") else f"{name}.{key}", value)
    for key, array in {**_tensors(model, name), **(tensors or {})}.items():
        block = quants.GGML_QUANT_SIZES[kind][0]
        if array.ndim < 2 or array.shape[-1] % block or kind == GGMLQuantizationType.F32:
            writer.add_tensor(key, array)
        else:
            writer.add_tensor(key, quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _settings(config: Any, name: str) -> dict[str, Any]:
    if name == "gpt2":
        return {
            "block_count": config.n_layer,
            "context_length": config.n_positions,
            "embedding_length": config.n_embd,
            "feed_forward_length": 4 * config.n_embd,
            "attention.head_count": config.n_head,
            "attention.layer_norm_epsilon": config.layer_norm_epsilon,
        }
    ropes = config.rope_parameters
    found: dict[str, Any] = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "rope.freq_base": float(ropes.get("full_attention", ropes)["rope_theta"]),
    }
    if hasattr(config, "rms_norm_eps"):
        found["attention.layer_norm_rms_epsilon"] = config.rms_norm_eps
    else:
        found["attention.layer_norm_epsilon"] = config.norm_epsilon
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if name in ("llama", "phi3"):
        found["rope.dimension_count"] = width
    if name in ("gemma2", "gemma3", "qwen3", "qwen3moe"):
        found["attention.key_length"] = found["attention.value_length"] = width
    if name in ("gemma2", "gemma3", "phi3") and config.sliding_window:
        found["attention.sliding_window"] = config.sliding_window
    if name == "gemma2":
        found["attn_logit_softcapping"] = config.attn_logit_softcapping
        found["final_logit_softcapping"] = config.final_logit_softcapping
    if "moe" in name:
        found["expert_count"] = config.num_experts
        found["expert_used_count"] = config.num_experts_per_tok
        found["expert_feed_forward_length"] = config.moe_intermediate_size
    if name == "qwen2moe":
        found["expert_shared_feed_forward_length"] = config.shared_expert_intermediate_size
    return found


def _tokens(writer: GGUFWriter, tokenizer: Any, size: int, pre: str) -> None:
    words = {number: word for word, number in tokenizer.get_vocab().items()}
    special = set(tokenizer.all_special_tokens) | {"<u>", "</u>", "<a>"}
    words.update({number: f"[PAD{number}]" for number in range(len(words), size)})
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([words[number] for number in range(size)])
    writer.add_token_types([3 if words[number] in special else 1 for number in range(size)])
    merges = json.loads(tokenizer.backend_tokenizer.model.__getstate__())["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _tensors(model: Any, name: str) -> dict[str, np.ndarray]:
    config = model.config
    arch = next(key for key, value in MODEL_ARCH_NAMES.items() if value == name)
    names = get_tensor_name_map(arch, int(config.num_hidden_layers))
    found: dict[str, np.ndarray] = {}
    tied = bool(config.tie_word_embeddings)
    for key, tensor in model.state_dict().items():
        if tied and key == "lm_head.weight":
            continue
        array = tensor.detach().float().numpy()
        expert = _EXPERTS.match(key)
        if expert:
            found.update(_experts(expert.group(1), expert.group(2), array))
            continue
        stem, _, suffix = key.rpartition(".")
        inner = names.get_name(stem)
        assert inner is not None, key
        found[f"{inner}.{suffix}"] = np.ascontiguousarray(
            _turned(array, f"{inner}.{suffix}", name, config)
        )
    ropes = getattr(config, "rope_parameters", None) or {}
    if ropes.get("rope_type") == "llama3":
        plain = 1.0 / ropes["rope_theta"] ** (
            torch.arange(0, config.head_dim, 2).float() / config.head_dim
        )
        found["rope_freqs.weight"] = (plain / model.model.rotary_emb.inv_freq).numpy()
    return found


def _experts(layer: str, half: str, array: np.ndarray) -> dict[str, np.ndarray]:
    if half == "down_proj":
        return {f"blk.{layer}.ffn_down_exps.weight": array}
    gate, up = np.split(array, 2, axis=1)
    return {
        f"blk.{layer}.ffn_gate_exps.weight": np.ascontiguousarray(gate),
        f"blk.{layer}.ffn_up_exps.weight": np.ascontiguousarray(up),
    }


def _turned(array: np.ndarray, inner: str, name: str, config: Any) -> np.ndarray:
    if name == "llama" and re.search(r"attn_[qk]\.", inner):
        heads = config.num_attention_heads if "attn_q." in inner else config.num_key_value_heads
        halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
        return halves.swapaxes(1, 2).reshape(array.shape)
    if name.startswith("gemma") and inner.endswith("norm.weight"):
        return array + 1
    if name == "gpt2" and array.ndim == 2 and inner.startswith("blk."):
        return array.T
    if inner.endswith("ffn_gate_inp_shexp.weight"):
        return array.reshape(-1)
    return array
