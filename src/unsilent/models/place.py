"""Where a model is said to lie, checked before any model library is imported."""

from __future__ import annotations

from pathlib import Path

from unsilent.errors import ModelError

PROCESSOR = ("preprocessor_config.json", "processor_config.json")
"""Where an image processor says how images are made ready."""


def check_place(place: str, *, images: bool = False) -> str:
    """A hub id as it is, or the path of a usable model folder. Raises ModelError.

    Args:
        place: As of ``model.id``.
        images: Whether the model is shown images, which an image processor makes ready, rather
            than texts, for which it needs a tokenizer.
    """
    local = Path(place).expanduser()
    if not local.is_dir():
        if place.startswith((".", "/", "~")):
            raise ModelError(
                "no such model folder",
                where=f"model.id {place}",
                remedy='Give an existing folder, a hub id, or "embedded".',
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
