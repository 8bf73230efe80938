"""Monitoring in a Flower app: the names of ``unsilent.engines.flower``, by a short path."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.engines.flower import PeftScore, monitor_client, monitor_strategy, watch_app

__all__ = ["PeftScore", "monitor_client", "monitor_strategy", "watch_app"]


def __getattr__(name: str) -> Any:
    # Flower and torch are loaded when a name is asked for, as in the engine itself.
    engine = import_module("unsilent.engines.flower")
    try:
        return getattr(engine, name)
    except AttributeError:
        if name.startswith("_"):
            raise
    try:
        return import_module(f"unsilent.engines.flower.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
