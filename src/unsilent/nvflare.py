"""Monitoring in a job of NVIDIA FLARE: the names of ``unsilent.engines.nvflare``, shorter."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.engines.nvflare import PeftScore, monitor_client, monitor_recipe, watch_recipe

__all__ = ["PeftScore", "monitor_client", "monitor_recipe", "watch_recipe"]


def __getattr__(name: str) -> Any:
    # FLARE and torch are loaded when a name is asked for, as in the engine itself.
    return getattr(import_module("unsilent.engines.nvflare"), name)
