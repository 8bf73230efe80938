"""Where a model is said to lie, checked before any model library is imported."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import ModelError

GGUF = ".gguf"
PROCESSOR = ("preprocessor_config.json", "processor_config.json")
"""Where an image processor says how images are made ready."""
_WEIGHTS = ("*.safetensors", "*.bin")


def check_place(place: str, *, images: bool = False) -> str:
    """A hub id as it is, or the path of a usable model folder or GGUF file. Raises ModelError.

    Args:
        place: As of ``model.id``.
        images: Whether the model is shown images, which an image processor makes ready, rather
            than texts, for which it needs a tokenizer.
    """
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
                remedy="Give an existing folder or a hub id."
                if images
                else 'Give an existing folder, a hub id, or "embedded".',
            )
        return place
    if not (local / "config.json").is_file():
        if (local / "adapter_config.json").is_file():
            raise ModelError(
                "this folder holds an adapter, and no model",
                where=f"model.id {place}",
                remedy="Give the base model's folder; adapter.start names an adapter to start "
                "from.",
            )
        raise ModelError(
            "this folder has no config.json",
            where=f"model.id {place}",
            remedy="Give a folder written by model.save_pretrained.",
        )
    if images and not any((local / name).is_file() for name in PROCESSOR):
        raise ModelError(
            f"this model folder has no image processor: none of {', '.join(PROCESSOR)} is there",
            where=f"model.id {place}",
            remedy="Save it beside the weights (image_processor.save_pretrained); a model of texts "
            "has none, and is of another model.kind.",
        )
    if not images and not any(local.glob("tokenizer*")):
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
