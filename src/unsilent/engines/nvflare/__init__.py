"""Monitoring in a job of NVIDIA FLARE: one line in the client script, one around the recipe.

Names are imported when they are asked for: a client needs nothing of the server's side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.engines.nvflare.client import monitor_client
    from unsilent.engines.nvflare.peft_score import PeftScore
    from unsilent.engines.nvflare.recipe import monitor_recipe, watch_recipe

__all__ = ["PeftScore", "monitor_client", "monitor_recipe", "watch_recipe"]

_HOMES = {
    "PeftScore": "unsilent.engines.nvflare.peft_score",
    "monitor_client": "unsilent.engines.nvflare.client",
    "monitor_recipe": "unsilent.engines.nvflare.recipe",
    "watch_recipe": "unsilent.engines.nvflare.recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
