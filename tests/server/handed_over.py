"""Plans of one watch that follow one another, and the folder that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.server.watching import SITES, Sites, leaning, open_watch, watch_plan
from unsilent.plan import MonitoringPlan
from unsilent.server.watch import Watch, watch

SHARED = {"alpha": 0.05, "epsilon": 3000.0}
"""What all versions have together; the sum of an epsilon of 500 twice is 931."""
NODES = list(range(SITES))


def first_plan(folder: Path, **changes: Any) -> MonitoringPlan:
    """A first plan of two rounds, with half of the error."""
    monitor = {"alpha": 0.025, **changes.pop("monitor", {})}
    return watch_plan(folder, **{"versions": SHARED, "monitor": monitor, **changes})


def next_plan(folder: Path, before: MonitoringPlan, **changes: Any) -> MonitoringPlan:
    """One that follows it for two rounds, with a third of what is left."""
    last = before.federation.rounds
    told = {**SHARED, "follows": before.digest, "last": last, **changes.pop("versions", {})}
    monitor = {"alpha": 0.008, **changes.pop("monitor", {})}
    federation = {"rounds": last + 2, **changes.pop("federation", {})}
    name = changes.pop("name", f"after-{last}")
    rest = {"versions": told, "monitor": monitor, "federation": federation, "name": name}
    return watch_plan(folder, **{**rest, **changes})


def done(
    plan: MonitoringPlan, folder: Path, *, by: float = 0.02, rounds: int | None = None
) -> Watch:
    """The watch in ``folder/run`` after its next rounds, all that are left by default."""
    watched = open_watch(plan, folder / "run")
    watch(watched, Sites(folder, leaning(by), plan), lambda: NODES, rounds=rounds)
    return watched


def passed(plan: MonitoringPlan, folder: Path) -> None:
    """The same without sites: each round is paid for and missed, which takes no time."""
    watched = open_watch(plan, folder / "run")
    while (number := watched.next) is not None:
        watched.monitor.spend(number)
        watched.monitor.miss(number, "nobody was asked")
