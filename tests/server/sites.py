"""A federation in one process whose sites run the real client, and can be lost at any exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unsilent.client.measuring import Measured
from unsilent.client.observer import SystemChange
from unsilent.client.participant import Agreed, answer
from unsilent.client.site import Site
from unsilent.ledger import Ledger
from unsilent.messages import Answer, Order
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan
from unsilent.server.coordinator import Coordinator
from unsilent.server.monitor import Monitor

Lost = Callable[[str, int, int], bool]
"""Whether a site is lost to an exchange: its kind, the site, and the monitoring round."""


def measured(asked: Agreed) -> Measured:
    """The same small numbers at every site."""
    statistics = [Statistic("SF-1", 0.01 * asked.site.number, -1.0, 1.0, 0.02, 64)]
    return Measured(statistics, SystemChange(0.0, 0.0))


class Sites:
    """A transport to sites that are folders.

    Attributes:
        asked: Kind, round and node of every order that was sent, in order.
        told: The sentences that sites failed with.
    """

    def __init__(
        self, plan: MonitoringPlan, folder: Path, lost: Lost = lambda *which: False
    ) -> None:
        self.sites = [
            Site(number, folder / f"site-{number}", {"plan": plan.digest})
            for number in range(plan.federation.clients)
        ]
        self.lost = lost
        self.round = 0
        self.asked: list[tuple[str, int, int]] = []
        self.told: list[str] = []

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Any, timeout: float
    ) -> dict[int, Answer]:
        replies: dict[int, Answer] = {}
        for node, order in orders.items():
            self.asked.append((kind, self.round, node))
            if self.lost(kind, node, self.round):
                continue
            replies[node] = answer(kind, order, self.sites[node], measured)
            if replies[node].failed:
                self.told.append(replies[node].failed)
        return replies


class Federation:
    """A server over these sites; another one in the same folders goes on where one ended."""

    def __init__(self, plan: MonitoringPlan, folder: Path, lost: Lost = lambda *w: False) -> None:
        self.out = folder / "run"
        self.out.mkdir(parents=True, exist_ok=True)
        self.sites = Sites(plan, folder, lost)
        self.ledger = Ledger(self.out / "ledger.sqlite")
        self.monitor = Monitor(plan, self.ledger, accept_underpowered=True)
        self.coordinator = Coordinator(
            self.sites, plan, self.monitor, self.out, lambda *progress: None
        )

    def observe(self, number: int, nodes: list[int] | None = None) -> bool:
        """One monitoring round; whether it was judged."""
        self.sites.round = number
        there = list(range(len(self.sites.sites))) if nodes is None else nodes
        return self.coordinator.observe(number, there, {}, None) is not None

    def missed(self) -> list[Any]:
        """Why rounds were missed."""
        return [entry.payload for entry in self.ledger.entries("missed")]
