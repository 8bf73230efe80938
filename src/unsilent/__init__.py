"""unsilent: hear the silent failures of federated personalization of foundation models.

The names below are the public ones. Each is imported when it is first asked for, so that a client
loads nothing of the server's side, and a command nothing of a model library.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unsilent.client.functions import Functions
    from unsilent.client.participant import answer
    from unsilent.client.site import Site
    from unsilent.engines.flower import PeftScore, monitor_client, monitor_strategy
    from unsilent.findings import Finding, Findings, read_findings
    from unsilent.items import Item, ItemSet
    from unsilent.plan import MonitoringPlan, read_plan
    from unsilent.server.monitor import Monitor
    from unsilent.server.monitored_run import MonitoredRun
    from unsilent.server.settings import Settings

try:
    __version__ = version("unsilent")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

_HOMES = {
    "Finding": "unsilent.findings",
    "Findings": "unsilent.findings",
    "Functions": "unsilent.client.functions",
    "Item": "unsilent.items",
    "ItemSet": "unsilent.items",
    "MonitoredRun": "unsilent.server.monitored_run",
    "Monitor": "unsilent.server.monitor",
    "MonitoringPlan": "unsilent.plan",
    "PeftScore": "unsilent.engines.flower",
    "Settings": "unsilent.server.settings",
    "Site": "unsilent.client.site",
    "answer": "unsilent.client.participant",
    "monitor_client": "unsilent.engines.flower",
    "monitor_strategy": "unsilent.engines.flower",
    "read_findings": "unsilent.findings",
    "read_plan": "unsilent.plan",
}

__all__ = [
    "Finding",
    "Findings",
    "Functions",
    "Item",
    "ItemSet",
    "Monitor",
    "MonitoredRun",
    "MonitoringPlan",
    "PeftScore",
    "Settings",
    "Site",
    "__version__",
    "answer",
    "monitor_client",
    "monitor_strategy",
    "read_findings",
    "read_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
