"""Load a causal language model: the embedded one, a hub id or a local path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from unsilent.assets.download import sha256_of
from unsilent.errors import ModelError
from unsilent.files import digest_json
from unsilent.models.causal_lm import CausalLM
from unsilent.models.embedded import embedded_causal_lm, quieten
from unsilent.models.place import check_place
from unsilent.plan import MonitoringPlan

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# What decides a folder's scores: weights, config, tokenizer and chat template.
_BASE_FILES = {".safetensors", ".bin", ".json", ".jinja", ".model", ".txt"}


def load_causal_lm(plan: MonitoringPlan) -> CausalLM:
    """The plan's causal language model with its LoRA layers.

    Raises:
        ModelError: Not a usable model or tokenizer; names path and remedy.
        AssetError: The embedded model could not be had.
    """
    quieten()
    place = plan.model.id
    if place == "embedded":
        place = str(embedded_causal_lm())
    model, tokenizer = _from_pretrained(place, plan)
    return CausalLM(
        model.to(_device(plan.model.device)),
        tokenizer,
        weights=_weights(place, model),
        adapter=plan.adapter,
    )


def _from_pretrained(place: str, plan: MonitoringPlan) -> tuple[Any, Any]:
    place = check_place(place)
    try:
        config = AutoConfig.from_pretrained(place)
        tokenizer = AutoTokenizer.from_pretrained(place)
        model = AutoModelForCausalLM.from_pretrained(
            place, config=config, dtype=_DTYPES[plan.model.dtype]
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        raise ModelError(
            "not a causal language model that can be loaded from here",
            where=f"model.id {place}",
            remedy='Check the id or path and the network, or use "embedded".',
        ) from None
    return model, tokenizer


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise ModelError(
            f"device {name!r} is not available here", where="model.device", remedy='Use "cpu".'
        ) from None
    return device


def _weights(place: str, model: Any) -> str:
    """Digest of the base: of weights, config and tokenizer where local, else the hub's commit."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        files = [file for file in folder.iterdir() if file.suffix in _BASE_FILES]
        return digest_json([[file.name, sha256_of(file)] for file in sorted(files)])
    return digest_json([place, getattr(model.config, "_commit_hash", None)])
