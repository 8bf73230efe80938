"""Folders of quantized weights: dequantized once when they are loaded, or refused in a line.

What is scored is what the folder's weights stand for. Merging an adapter into packed weights would
round them anew, and a kernel of an accelerator is not to be had everywhere.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoModelForCausalLM,
    CompressedTensorsConfig,
)
from transformers.utils.quantization_config import Mxfp4Config

from unsilent.errors import ModelError
from unsilent.models.folder import safe_files
from unsilent.models.packed import plain_weights

_LOG = logging.getLogger("unsilent")

_FAULTS = (
    AssertionError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SafetensorError,
    StopIteration,
    TypeError,
    ValueError,
)
_BY_TRANSFORMERS: Mapping[str, tuple[Any, str]] = {
    "compressed-tensors": (
        lambda: CompressedTensorsConfig(dequantize=True),
        "unsilent[quantized]",
    ),
    "mxfp4": (lambda: Mxfp4Config(dequantize=True), ""),
}
"""What transformers dequantizes while it loads, and what it needs for that."""


def quantized_by(config: Any) -> str | None:
    """The method by which a folder's weights are quantized, if they are."""
    told = _told(config)
    if not told:
        return None
    method = told.get("quant_method")
    method = str(getattr(method, "value", method))
    if told.get("load_in_4bit") or told.get("load_in_8bit"):
        return "bitsandbytes"
    return method


def refuse_quantized(config: Any, *, where: str) -> None:
    """Raise ModelError if a folder's weights are quantized, for kinds that only plain ones have."""
    method = quantized_by(config)
    if method is not None:
        raise _refused(method, where, "only causal language models are")


def load_dequantized(
    place: str, config: Any, dtype: torch.dtype, *, where: str
) -> tuple[Any, dict[str, Any], set[str]]:
    """A folder of quantized weights as a model with plain ones.

    Args:
        place: The folder, or a hub id.
        config: Its config, which says how it is quantized.
        dtype: Of the plain weights; they are dequantized in float32 before.
        where: What errors call it.

    Returns:
        The model, what transformers says of loading it, and names of zero biases that may be left
        over.

    Raises:
        ModelError: Nothing here can dequantize it; says what is missing.
    """
    told, method = _told(config), str(quantized_by(config))
    form = _packed(told, method)
    plain = copy.deepcopy(config)
    plain.__dict__.pop("quantization_config", None)
    try:
        if form is not None:
            tensors, spare = plain_weights(_tensors(place, where), form, told)
            kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(plain)]
            loaded: Any = kind.from_pretrained(
                None,
                config=plain,
                state_dict=tensors,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        elif method in _BY_TRANSFORMERS:
            spare = set()
            loaded = AutoModelForCausalLM.from_pretrained(
                place,
                config=config,
                quantization_config=_BY_TRANSFORMERS[method][0](),
                dtype=dtype,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        else:
            raise _refused(method, where, "nothing here dequantizes that")
    except _FAULTS as error:
        needs = _BY_TRANSFORMERS.get(method, (None, ""))[1]
        raise _refused(method, where, type(error).__name__, needs) from None
    model, info = loaded
    _check_plain(model, method, where)
    if _rounds_activations(told):
        _LOG.warning(
            "%s: an engine that runs %s weights rounds activations too, which is not scored here; "
            "`unsilent parity` says how far what is served is from it",
            where,
            method,
        )
    return model, info, spare


def _told(config: Any) -> Mapping[str, Any]:
    """A folder's ``quantization_config`` as data."""
    found = getattr(config, "quantization_config", None)
    if found is None:
        return {}
    return found if isinstance(found, Mapping) else found.to_dict()


def _packed(told: Mapping[str, Any], method: str) -> str | None:
    """Which of our readers knows the folder's layout."""
    if method == "bitsandbytes":
        return f"bitsandbytes_{4 if told.get('load_in_4bit') else 8}bit"
    if method == "gptq" and told.get("checkpoint_format", "gptq") in ("gptq", "gptq_v2"):
        return "gptq"
    if method == "fp8":
        return method
    if method == "awq" and told.get("version", "gemm") == "gemm":
        return "awq"
    if method == "auto-round":
        packing = str(told.get("packing_format", ""))
        return {"auto_round:auto_gptq": "gptq", "auto_round:auto_awq": "awq"}.get(packing)
    return None


def _tensors(place: str, where: str) -> dict[str, torch.Tensor]:
    """All tensors of the model of a folder of safetensors, or of a hub's."""
    folder = Path(place)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        folder = Path(
            snapshot_download(place, allow_patterns=["*.safetensors", "*.safetensors.index.json"])
        )
    found: dict[str, torch.Tensor] = {}
    for file in safe_files(folder, where=where):
        found.update(load_file(file))
    return found


def _check_plain(model: Any, method: str, where: str) -> None:
    """Refuse a model in which something is left packed."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if name.endswith("weight") and not (
            type(tensor) in (torch.Tensor, torch.nn.Parameter)
            and tensor.dtype in (torch.float32, torch.bfloat16, torch.float16)
        ):
            raise _refused(method, where, f"{name} stays packed")
    model.hf_quantizer = None
    model.__dict__.pop("quantization_method", None)
    model.config.__dict__.pop("quantization_config", None)


def _rounds_activations(told: Mapping[str, Any]) -> bool:
    """Whether what serves such a folder computes with activations of 8 bits or fewer."""
    if told.get("activation_scheme") or told.get("load_in_8bit"):
        return True
    groups = told.get("config_groups") or {}
    return any(
        isinstance(group, Mapping) and group.get("input_activations") for group in groups.values()
    )


def _refused(method: str, where: str, why: str, needs: str = "") -> ModelError:
    install = f"Install {needs}, or give" if needs else "Give"
    return ModelError(
        f"its weights are quantized ({method}), and cannot be dequantized here ({why})",
        where=where,
        remedy=f"{install} the model with its plain weights.",
    )
