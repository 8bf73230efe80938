"""What decides the embedded model's weights, and where they lie; needs no model library."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from unsilent.assets import PACKAGES, cache_root
from unsilent.files import digest_json

NOTE = "unsilent.json"
"""Written last into a model's folder: what it is, and its weights' SHA-256."""


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
    return f"smollm2-135m-aligned-{key[:12]}"


def aligned_ready(recipe: Recipe = RECIPE) -> Path | None:
    """The aligned model's folder if it is whole, else None."""
    folder = cache_root() / "models" / aligned_name(recipe)
    return folder if (folder / NOTE).is_file() else None
