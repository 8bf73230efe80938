"""What a monitored run is given by its engine and its user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unsilent.array_files import ArrayFiles
from unsilent.messages import Arrays
from unsilent.plan import MonitoringPlan
from unsilent.server.promises import EngineWords


class Storage(Protocol):
    """How an engine's arrays lie in a file: names, types and bytes as they came."""

    def save(self, path: Path, arrays: Arrays) -> None:
        """Write arrays, whole or not at all."""
        ...

    def load(self, path: Path) -> Arrays:
        """Read arrays. Raises ModelError if the file is damaged or not there."""
        ...


@dataclass(frozen=True)
class Settings:
    """What a run is given.

    Attributes:
        plan: A plan file, looked for beside the app's modules and in the current folder, or a plan.
        out: The run's folder; by default ``runs/`` and the plan's name.
        metrics: By ``loss`` and ``acc``, the name of what the run shows today; None for the first
            metric whose name holds it.
        accept_underpowered: Whether a plan that can reach no verdict is run.
        storage: How the engine's arrays are kept.
        ship: From the plan to the fields that carry its pinned probe files to the clients.
        words: What the engine calls its own steps.
    """

    plan: str | Path | MonitoringPlan
    out: str | Path | None = None
    metrics: Mapping[str, str | None] = field(default_factory=dict)
    accept_underpowered: bool = False
    storage: Storage = field(default_factory=ArrayFiles)
    ship: Callable[[MonitoringPlan], Mapping[str, bytes]] = lambda plan: {}
    words: EngineWords = field(default_factory=EngineWords)

    def metric(self, part: str, records: Iterable[Mapping[str, Any] | None]) -> float | None:
        """A number that the run shows, the first that is there.

        Args:
            part: ``loss`` or ``acc``.
            records: Metrics by name, those that count first at the front.
        """
        wanted = self.metrics.get(part)
        for record in records:
            for name, value in (record or {}).items():
                named = part in name.lower() if wanted is None else name == wanted
                if named and isinstance(value, int | float) and np.isfinite(value):
                    return float(value)
        return None
