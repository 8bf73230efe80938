"""What a GGUF file says of its model, held against the config that transformers made of it.

transformers reads the settings that it has names for, and takes its own defaults for the rest: a
file with stretched positions or another window would load and give other numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from unsilent.errors import ModelError

_REMEDY = "Give the folder that it was made of, with config.json and safetensors."
_NAMES: Mapping[str, tuple[str, ...]] = {
    "context_length": ("max_position_embeddings", "n_positions"),
    "block_count": ("num_hidden_layers", "n_layer"),
    "embedding_length": ("hidden_size", "n_embd"),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads", "n_head"),
    "attention.head_count_kv": ("num_key_value_heads", "num_attention_heads"),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "attention.layer_norm_epsilon": (
        "layer_norm_epsilon",
        "layer_norm_eps",
        "norm_epsilon",
        "norm_eps",
    ),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "expert_count": ("num_experts", "num_local_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "vocab_size": ("vocab_size",),
}
"""A setting's name in the file, without the architecture, and what a config calls it."""

_MENDED = (
    "attention.key_length",
    "attn_logit_softcapping",
    "context_length",
    "expert_feed_forward_length",
    "expert_shared_feed_forward_length",
    "feed_forward_length",
    "final_logit_softcapping",
)
"""Settings that transformers leaves out for some architectures, and a config can take."""

_WINDOWED = ("gemma2", "gemma3", "phi3")
"""Those whose layers see a window of the text if the config names one."""
_BY_WIDTH = (46, 62)
"""Layers of Gemma 2 and 3 with 27B weights, whose queries are scaled by width over heads."""
_CLOSE = 1e-5


def mend(config: Any, settings: Mapping[str, Any], *, where: str) -> Any:
    """The config with what the file says and transformers left at its own defaults.

    Raises:
        ModelError: Positions are scaled in a way that is not known here.
    """
    own = _own(settings)
    for key in _MENDED:
        name = _named(config, key)
        if key in own and name is not None and not isinstance(own[key], list):
            setattr(config, name, own[key])
    if "attention.sliding_window" in own and config.model_type.startswith(_WINDOWED):
        config.sliding_window = own["attention.sliding_window"]
    if config.model_type.startswith("gemma"):
        # No setting says so: llama.cpp goes by the number of layers, as it knows the 27B ones.
        wide = own.get("block_count") in _BY_WIDTH
        config.query_pre_attn_scalar = (
            config.hidden_size // config.num_attention_heads if wide else config.head_dim
        )
    padding = getattr(config, "pad_token_id", None)
    if padding is not None and padding >= config.vocab_size:
        # A default of transformers; the file's own is its tokenizer's.
        config.pad_token_id = None
    kind = own.get("rope.scaling.type", "none")
    factor = float(own.get("rope.scaling.factor", 1.0))
    if kind == "linear" and factor != 1.0:
        for place in _ropes(config).values():
            place.update(rope_type="linear", factor=factor)
    elif kind not in ("none", "linear"):
        raise ModelError(
            f"its positions are scaled ({kind}), which is not read from a GGUF file here",
            where=where,
            remedy=_REMEDY,
        )
    return config


def check_settings(model: Any, settings: Mapping[str, Any], *, where: str) -> None:
    """Refuse a model whose config is not what the file says.

    Args:
        model: As transformers made it.
        settings: All of the file's metadata but its vocabulary.
        where: What errors call the file.

    Raises:
        ModelError: A setting says something else, or nothing here knows what it means.
    """
    config = model.config
    for key, told in _own(settings).items():
        if key in _NAMES:
            name = _named(config, key)
            made = None if name is None else getattr(config, name)
            if made is None and key == "attention.head_count_kv":
                made = config.num_attention_heads
            if made is None and key == "feed_forward_length":
                # GPT-2's is four times its width unless its config says otherwise.
                made = 4 * config.hidden_size
        elif key in _SPECIAL:
            made = _SPECIAL[key](config)
        else:
            raise _other(f"its setting {key!r} is not known here", where)
        if not _same(told, made):
            raise _other(f"it says {key} = {told}, and the model made of it has {made}", where)


def _own(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture's settings by their names without it."""
    head = f"{settings['general.architecture']}."
    return {key[len(head) :]: value for key, value in settings.items() if key.startswith(head)}


def _named(config: Any, key: str) -> str | None:
    """What a config calls a setting; None if it has no such thing."""
    return next((name for name in _NAMES[key] if hasattr(config, name)), None)


def _ropes(config: Any) -> dict[str, dict[str, Any]]:
    """The parameters of rotary positions that see the whole text, by kind of layer."""
    told = getattr(config, "rope_parameters", None) or {}
    if "full_attention" in told:
        return {"full_attention": told["full_attention"]}
    return {"": told}


def _base(config: Any) -> float | None:
    return next(iter(_ropes(config).values())).get("rope_theta")


def _base_near(config: Any) -> float | None:
    told = getattr(config, "rope_parameters", None) or {}
    return told.get("sliding_attention", {}).get("rope_theta")


def _turned(config: Any) -> int:
    """How many numbers of a head are turned by their position."""
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    part = next(iter(_ropes(config).values())).get("partial_rotary_factor")
    return int(width * (part or getattr(config, "partial_rotary_factor", None) or 1.0))


def _factor(config: Any) -> float:
    return float(next(iter(_ropes(config).values())).get("factor", 1.0))


def _scaling(config: Any) -> str:
    kind = str(next(iter(_ropes(config).values())).get("rope_type", "default"))
    return "none" if kind == "default" else kind


def _window(config: Any) -> int | None:
    return config.sliding_window if config.model_type.startswith(_WINDOWED) else None


def _pattern(config: Any) -> Any:
    """Which layers see a window: every how many do not, and of each layer whether it does."""
    each = [kind == "sliding_attention" for kind in getattr(config, "layer_types", None) or ()]
    return getattr(config, "_sliding_window_pattern", None), each


_SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "rope.freq_base": _base,
    "rope.freq_base_swa": _base_near,
    "rope.dimension_count": _turned,
    "rope.scaling.type": _scaling,
    "rope.scaling.factor": _factor,
    "attention.sliding_window": _window,
    "attention.sliding_window_pattern": _pattern,
    "attention.causal": lambda config: True,
}
"""Settings that a config holds somewhere else than in a value of its own."""


def _same(told: Any, made: Any) -> bool:
    if isinstance(made, tuple):
        return told in made
    if made is None and not told:
        # Nothing of what it has not.
        return True
    if isinstance(told, list):
        return len(set(told)) == 1 and _same(told[0], made)
    if isinstance(told, bool | str) or made is None:
        return told == made
    return math.isclose(float(told), float(made), rel_tol=_CLOSE)


def _other(what: str, where: str) -> ModelError:
    return ModelError(what, where=where, remedy=_REMEDY)
