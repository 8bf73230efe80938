"""Sites in this process, each with an adapter of its own, and a plan to watch them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unsilent.client.functions import Functions
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.items import Item, ItemSet, write_items
from unsilent.messages import Answer, Arrays, Order
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.transport import Told
from unsilent.server.watch import Watch

SITES = 4
Own = Callable[[int, Arrays], Arrays]
"""From a site's number and what was sent to the site's own arrays."""


def watch_plan(folder: Path, **changes: Any) -> MonitoringPlan:
    """Bias of four sites over two rounds, of which either verdict is in reach."""
    items = [
        Item(str(n), f"The nurse {n} said that", (" he", " she"), stereotyped=1) for n in range(64)
    ]
    write_items(folder / "bias.jsonl", items)
    data: dict[str, Any] = {
        "name": "watch",
        "federation": {"clients": SITES, "rounds": 2},
        "monitor": {"min_cohort": 3, "timeout": 60, "items": "these"},
        "privacy": {"epsilon": 500.0, "aggregation": "plain"},
        "probes": {"bias": str(folder / "bias.jsonl"), "items": 64, "sampling": "same"},
        "modes": {"amplified_bias": {"tolerance": 0.2, "clip": 1.0}},
    }
    for section, values in changes.items():
        replaced = section in ("modes", "name")
        data[section] = values if replaced else {**data.get(section, {}), **values}
    return parse_plan(data)


def lean(items: ItemSet, arrays: Arrays | None) -> list[list[float]]:
    """The mean of the array is how much likelier the stereotyped choice becomes."""
    half = float(np.mean(arrays["lean"])) / 2 if arrays else 0.0
    return [[0.5 - half, 0.5 + half] for _ in items]


def leaning(by: float) -> Own:
    """Each site's own adapter leans by as much, and a little of its own."""
    return lambda number, sent: {"lean": np.full(3, by + 0.001 * (number % 3), np.float32)}


def open_watch(plan: MonitoringPlan, out: Path, *, sends: bool = False) -> Watch:
    """The watch; what its plan can show is worked out in a test of its own, since it takes time."""
    return Watch(plan, out, sends=sends, accept_underpowered=True)


class Sites:
    """A transport to sites that run here.

    Args:
        folder: Holds a folder for each.
        own: Each one's arrays; None for an app that says nothing of them.
        score: Of the app.
        kept: What a training of before left, by name.
        agreed: The plan that the owners agreed to.
    """

    def __init__(
        self,
        folder: Path,
        own: Own | None,
        agreed: MonitoringPlan,
        *,
        score: Any = lean,
        kept: Mapping[str, Arrays] | None = None,
    ) -> None:
        self._folder, self._own, self._score = folder, own, score
        self._kept, self._agreed = kept or {}, agreed
        self.asked: list[tuple[str, int]] = []
        self.lost: set[int] = set()

    def ask(
        self, kind: str, orders: Mapping[int, Order], told: Told, timeout: float
    ) -> dict[int, Answer]:
        """Each site's answer, but for those that are lost."""
        self.asked += [(kind, order.round) for order in orders.values()]
        return {n: self._answer(n, kind, o) for n, o in orders.items() if n not in self.lost}

    def _answer(self, number: int, kind: str, order: Order) -> Answer:
        own = self._own
        functions = Functions(
            self._score,
            personalize=None if own is None else lambda sent: dict(own(number, sent)),
            kept=lambda name: self._kept.get(name),
        )
        site = Site(number, self._folder / f"site-{number}", {"plan": self._agreed.digest})
        return answer(kind, order, site, functions)
