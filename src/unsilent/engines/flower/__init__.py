"""Monitoring in a Flower app: one line on its ClientApp, one around its strategy.

Names are imported when they are asked for: a client needs nothing of the server's side, and where
each message starts a process, what is imported is paid for each time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.engines.flower.monitored_client import monitor_client
    from unsilent.engines.flower.monitored_strategy import monitor_strategy
    from unsilent.engines.flower.peft_score import PeftScore
    from unsilent.engines.flower.watch import watch_app

__all__ = ["PeftScore", "monitor_client", "monitor_strategy", "watch_app"]

_HOMES = {
    "PeftScore": "unsilent.engines.flower.peft_score",
    "monitor_client": "unsilent.engines.flower.monitored_client",
    "monitor_strategy": "unsilent.engines.flower.monitored_strategy",
    "watch_app": "unsilent.engines.flower.watch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
