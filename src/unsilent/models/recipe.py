"""What decides the embedded model's weights, and where they lie; needs no model library."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from unsilent.assets import PACKAGES, cache_root
from unsilent.files import digest_json

NOTE = "unsilent.json"
"""Written last into a model's folder: what it is, and its weights' SHA-256."""

_ALIGNED = "smollm2-135m-aligned-"
_OLD_DIGITS = 12


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the aligned weights."""

    first_layer: int = 16
    rank: int = 8
    scale: float = 4.0
    learning_rate: float = 4e-4
    batch: int = 4
    opening_tokens: int = 8
    epochs: int = 2
    seed: int = 0
    version: int = 2

    def key(self) -> dict[str, object]:
        """The recipe as data, for the cache's name."""
        return asdict(self)


RECIPE = Recipe()


def aligned_name(recipe: Recipe = RECIPE) -> str:
    """Name of the aligned model's folder in the cache."""
    key = digest_json([PACKAGES["smollm2"].sha256, recipe.key()]).removeprefix("sha256:")
    return f"{_ALIGNED}{key}"


def aligned_ready(recipe: Recipe = RECIPE) -> Path | None:
    """The aligned model's folder if it is whole, else None.

    Versions that cut the digest in its name left one whose note says the recipe in full.
    """
    name = aligned_name(recipe)
    folder = cache_root() / "models" / name
    if (folder / NOTE).is_file():
        return folder
    old = folder.with_name(name[: len(_ALIGNED) + _OLD_DIGITS])
    try:
        noted = json.loads((old / NOTE).read_text(encoding="utf-8"))
        return old if noted["recipe"] == recipe.key() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
