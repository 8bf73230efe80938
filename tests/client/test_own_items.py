"""A client of an app answers its own items, the same under all adapters, that others can name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from unsilent.client.functions import Functions, Rows
from unsilent.client.participant import answer, drawn_as
from unsilent.client.site import Site
from unsilent.items import Item, ItemSet, write_items
from unsilent.messages import ADAPTER, NAME, OBSERVE, Arrays, Order
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.probes import load_probes
from unsilent.probes.banks import own_probes

ARRAYS = {"w": np.array([0.5])}
ITEMS = [
    Item(f"q{n}", f"Is {n}?", (" no", " yes"), answer=n % 2, domain="abc"[n % 3])
    for n in range(120)
]


def plan(folder: Path) -> MonitoringPlan:
    write_items(folder / "task.jsonl", ITEMS)
    return parse_plan(
        {
            "federation": {"clients": 4, "rounds": 2},
            "monitor": {"min_cohort": 2},
            "privacy": {"aggregation": "plain"},
            "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
            "probes": {"task": str(folder / "task.jsonl"), "items": 12},
        }
    )


def asked_of(declared: MonitoringPlan, site: Site, number: int) -> list[tuple[str, ...]]:
    """Ids of each call of the app's score that was of as many items as a client answers."""
    seen: list[tuple[str, ...]] = []

    def score(items: ItemSet, arrays: Arrays | None) -> Rows:
        if len(items) == 12 and items.name != "canary":
            seen.append(tuple(item.id for item in items))
        high = 0.5 if arrays is None else 1 / (1 + np.exp(-float(arrays["w"].sum())))
        return [[1 - high, high] for _ in items]

    order = Order(json.dumps(declared.to_json()), "run", number, {}, {ADAPTER: ARRAYS})
    functions = Functions(score, personalize=lambda arrays: {"w": arrays["w"] + 0.2})
    assert answer(OBSERVE, order, site, functions).failed == ""
    return seen


def site_of(declared: MonitoringPlan, folder: Path, number: int, **more: Any) -> Site:
    return Site(number, folder / f"own-{number}", {"plan": declared.digest}, **more)


def test_all_adapters_of_a_round_answer_the_clients_own_items(tmp_path: Path) -> None:
    declared = plan(tmp_path)
    bank = load_probes(declared, roles=["task"])
    draws = set[tuple[str, ...]]()
    for number in range(3):
        site = site_of(declared, tmp_path, number, simulated=True)
        for monitored in (1, 2):
            calls = asked_of(declared, site, monitored)
            assert len(calls) == 2
            assert len(set(calls)) == 1
            named = own_probes(declared, bank, f"client-{number}", monitored)["task"]
            assert calls[0] == tuple(item.id for item in named)
            draws.add(calls[0])
    assert len(draws) == 6


def test_the_server_can_name_a_real_clients_items_by_what_it_enrolled_with(tmp_path: Path) -> None:
    """Two owners who gave their clients one number are not asked the same."""
    declared = plan(tmp_path)
    bank = load_probes(declared, roles=["task"])
    draws: list[tuple[str, ...]] = []
    for name in ("one", "two"):
        site = Site(0, tmp_path / name, {"plan": declared.digest})
        told = answer(NAME, Order(json.dumps(declared.to_json()), "run", 0), site)
        identity = told.body["identity"]
        assert isinstance(identity, bytes)
        assert drawn_as(declared, site) == identity.hex()
        own = own_probes(declared, bank, identity.hex(), 1)["task"]
        draws.append(asked_of(declared, site, 1)[0])
        assert draws[-1] == tuple(item.id for item in own)
    assert draws[0] != draws[1]
