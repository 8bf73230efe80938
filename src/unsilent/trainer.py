"""For a client that trains with the Trainer of transformers, by a short path."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.models.trainer_callback import LocalEffects, OwnEffects

__all__ = ["LocalEffects", "OwnEffects"]


def __getattr__(name: str) -> Any:
    # transformers and torch are loaded when a name is asked for.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("unsilent.models.trainer_callback"), name)
