"""Where a model is said to lie, checked before any model library is imported."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import ModelError

GGUF = ".gguf"
_WEIGHTS = ("*.safetensors", "*.bin")


def check_place(place: str) -> str:
    """A hub id as it is, or the path of a usable model folder or GGUF file. Raises ModelError."""
    local = Path(place).expanduser()
    if local.is_file() and local.suffix == GGUF:
        return str(local)
    if local.is_dir() and not any(found for kind in _WEIGHTS for found in local.glob(kind)):
        found = sorted(local.glob(f"*{GGUF}"))
        if len(found) > 1:
            raise ModelError(
                f"this folder holds {len(found)} GGUF files",
                where=f"model.id {place}",
                remedy=f"Name one of them, such as {found[0].name}.",
            )
        if found:
            return str(found[0])
    if not local.is_dir():
        if place.startswith((".", "/", "~")) or local.suffix == GGUF:
            raise ModelError(
                f"no such model {'file' if local.suffix == GGUF else 'folder'}",
                where=f"model.id {place}",
                remedy='Give an existing folder, a hub id, or "embedded".',
            )
        return place
    if not (local / "config.json").is_file():
        raise ModelError(
            "this folder has no config.json",
            where=f"model.id {place}",
            remedy="Give a folder written by model.save_pretrained.",
        )
    if not any(local.glob("tokenizer*")):
        raise ModelError(
            "this model folder has no tokenizer",
            where=f"model.id {place}",
            remedy="Save the tokenizer beside the weights (tokenizer.save_pretrained).",
        )
    if (local / "adapter_config.json").is_file():
        raise ModelError(
            "this folder holds an adapter beside the model, which would be loaded with it",
            where=f"model.id {place}",
            remedy="Move adapter_config.json out of it, or merge the adapter and save the whole.",
        )
    return str(local)
