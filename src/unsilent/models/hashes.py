"""Content hashes of what scores: whether two places run the same model is then one comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from unsilent.assets.download import sha256_of
from unsilent.files import digest_json
from unsilent.models.place import GGUF

# What decides a folder's scores: weights, config, tokenizer, chat template and image processor.
_DECIDING = {".safetensors", ".bin", ".json", ".jinja", ".model", ".txt"}
_ENGINE = ("torch", "transformers", "peft")


def place_hash(place: str, config: Any) -> str:
    """``sha256:…`` of a base: of the files that decide its scores, or of a hub's commit.

    Args:
        place: As ``check_place`` gives it: a folder, a GGUF file or a hub id.
        config: The model's, which knows the commit.
    """
    path = Path(place)
    if path.suffix == GGUF:
        return digest_json(["gguf", sha256_of(path)])
    if path.is_dir():
        files = [file for file in path.iterdir() if file.suffix in _DECIDING]
        return digest_json([[file.name, sha256_of(file)] for file in sorted(files)])
    return digest_json([place, getattr(config, "_commit_hash", None)])


def layout_hash(arrays: Mapping[str, Any]) -> str:
    """``sha256:…`` of an adapter's layout: names, shapes and types of its arrays."""
    rows = sorted([name, list(np.shape(a)), np.asarray(a).dtype.name] for name, a in arrays.items())
    return digest_json(rows)


def arrays_hash(arrays: Mapping[str, Any]) -> str:
    """``sha256:…`` of an adapter's arrays by name: shapes, types and bytes."""
    hasher = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hasher.update(f"|{name}{array.shape}{array.dtype.str}|".encode())
        hasher.update(array.tobytes())
    return f"sha256:{hasher.hexdigest()}"


def engine_hash(dtype: str, scales: Sequence[float] = ()) -> str:
    """``sha256:…`` of the libraries that score, with their versions, and how they compute.

    Args:
        dtype: The number type.
        scales: What the layers multiply an adapter by, each once; the same arrays at another scale
            are another model, and nothing in the arrays tells.
    """
    rows: list[list[Any]] = [[name, _version(name)] for name in _ENGINE]
    rows.append(["dtype", dtype])
    return digest_json([*rows, *(["scale", scale] for scale in scales)])


def tokenizer_hash(tokenizer: Any) -> str:
    """``sha256:…`` of a transformers tokenizer: its pipeline and vocabulary, and chat template."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        pipeline: Any = sorted(tokenizer.get_vocab().items())
    else:
        pipeline = json.loads(backend.to_str())
        # A call may leave these behind.
        pipeline = {k: v for k, v in pipeline.items() if k not in ("padding", "truncation")}
    template = getattr(tokenizer, "chat_template", None)
    return digest_json([pipeline, template, getattr(tokenizer, "special_tokens_map", {})])


def base_hash(model: Any) -> str:
    """``sha256:…`` of a peft model's base: its weights without those of any adapter.

    The same for the base before it was adapted, and whatever the adapters are; the model is left
    as it is. A 4-bit base of bitsandbytes that its app has evaluated on a processor which packs its
    weights anew has other weights from then on, and another hash.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    left_out: tuple[str, ...] = tuple(
        f"{path}.{name}."
        for path, module in base.named_modules()
        for name in (
            *getattr(module, "adapter_layer_names", ()),
            *getattr(module, "other_param_names", ()),
        )
    )
    kept = {
        name.replace(".base_layer.", ".").replace(".original_module.", "."): tensor
        for name, tensor in _stored(base).items()
        if not f"{name}.".startswith(left_out) and ".modules_to_save." not in name
    }
    return weights_hash(kept)


def _stored(model: Any) -> dict[str, Any]:
    """What ``state_dict`` gives, but of packed layers as it lies: asked for it, they unpack."""
    found: dict[str, Any] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        state: Any = getattr(getattr(module, "weight", None), "quant_state", None)
        if getattr(state, "packing_format_for_cpu", False):
            found[f"{prefix}weight"] = module.weight
            found[f"{prefix}weight.absmax"] = state.absmax
        else:
            module._save_to_state_dict(found, prefix, False)
    return {name: tensor for name, tensor in found.items() if hasattr(tensor, "detach")}


def weights_hash(tensors: Mapping[str, Any]) -> str:
    """``sha256:…`` of torch tensors by name: names, shapes, types and bytes."""
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        hasher.update(f"|{name}{tuple(tensor.shape)}{tensor.dtype}|".encode())
        hasher.update(tensor.reshape(-1).view(_bytes()).numpy().tobytes())
    return f"sha256:{hasher.hexdigest()}"


def _bytes() -> Any:
    # Waits for a model: nothing else here needs it.
    import torch

    return torch.uint8


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
