"""What each client of a federation is asked, and what its truth is read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unsilent.items import Item, ItemSet
from unsilent.modes.base import ItemRole
from unsilent.plan import MonitoringPlan
from unsilent.probes.sentiment import Text
from unsilent_bench.lm.answers import Asked
from unsilent_bench.lm.probes import TRUE, Universes
from unsilent_bench.scenarios.base import Client, Scenario

_TRUE_RECORDS = 160
"""Texts of a domain and a label, at most, that the truth of records is read from."""


@dataclass(frozen=True)
class Asking:
    """One client's items by role, ``records`` among them: its own, and those of its truth."""

    own: dict[ItemRole, Asked]
    true: dict[ItemRole, Asked]


def asked_of(
    clients: Sequence[Client],
    universes: Universes,
    plan: MonitoringPlan,
    records: Mapping[int, tuple[Sequence[Item], Sequence[Item]]],
    seed: int,
) -> dict[int, Asking]:
    """What each of these clients is asked; banks are the federation's own draw of the universes.

    Args:
        clients: Those who are measured.
        universes: By role.
        plan: Its ``probes``: how many units a client answers, and of how large a bank.
        records: By client, its held-out records and those of its truth.
        seed: The federation's.
    """
    shelf, places = _together(records)
    banks = {
        role: universe.draw(plan.bank(role), "bank", seed, role)
        for role, universe in universes.items()
    }
    found: dict[int, Asking] = {}
    for client in clients:
        own: dict[ItemRole, Asked] = {}
        true: dict[ItemRole, Asked] = {}
        for role, universe in universes.items():
            names = (seed, client.index, role)
            units = universe.draw(plan.probes.size(role), "own", *names, among=banks[role])
            own[role] = Asked(universe.items, universe.places(units))
            more = universe.draw(TRUE[role], "true", *names)
            true[role] = Asked(universe.items, universe.places(more))
        held, beyond = places[client.index]
        own["records"], true["records"] = Asked(shelf, held), Asked(shelf, beyond)
        found[client.index] = Asking(own, true)
    return found


def _together(
    records: Mapping[int, tuple[Sequence[Item], Sequence[Item]]],
) -> tuple[ItemSet, dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]]:
    """All records, what reads the same once, and the places of each client's."""
    shelf: dict[tuple[str, int | None], Item] = {}
    place: dict[tuple[str, int | None], int] = {}
    found: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    for index, lists in records.items():
        both: list[NDArray[np.int64]] = []
        for items in lists:
            for item in items:
                key = (item.prompt, item.answer)
                if key not in place:
                    place[key] = len(place)
                    shelf[key] = Item(
                        f"record-{place[key]}",
                        item.prompt,
                        item.choices,
                        item.answer,
                        domain=item.domain,
                    )
            both.append(np.array([place[(i.prompt, i.answer)] for i in items], np.int64))
        found[index] = (both[0], both[1])
    return ItemSet("shelf", tuple(shelf.values())), found


def more_records(
    scenario: Scenario, client: Client, free: Sequence[Text], strength: float, round_number: int
) -> tuple[Item, ...]:
    """Records that nobody trains on, in the client's own mix of domains and labels.

    As many of ``free`` as the mix allows: clients alike share them, so that many cost little more.
    """
    cells = [
        ((portion.domain, positive), count)
        for portion in scenario.portions(client, strength)
        for positive, count in ((True, portion.positive), (False, portion.negative))
        if count
    ]
    piles = {
        kind: [t for t in free if (t.domain, t.positive) == kind][:_TRUE_RECORDS]
        for kind, _ in cells
    }
    times = min(len(piles[kind]) / count for kind, count in cells)
    chosen = [text for kind, count in cells for text in piles[kind][: int(times * count + 1e-9)]]
    return scenario.held_out(client, chosen, round_number, strength)
