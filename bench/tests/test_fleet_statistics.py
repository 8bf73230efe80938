"""The fleet's arrays hold what ``modes.*`` measures on each client's evidence."""

from pathlib import Path

import numpy as np
import pytest
from unsilent_bench.fleet.bank import Bank
from unsilent_bench.fleet.federation import Adapters
from unsilent_bench.fleet.measuring import Ledger
from unsilent_bench.fleet.probes import ROLES, Asked, ProbeRows
from unsilent_bench.fleet.records import Crowd
from unsilent_bench.fleet.scoring import HeldAdapters
from unsilent_bench.fleet.weights import adapter_of
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.scenarios.base import clients_of
from unsilent_bench.scenarios.client_texts import ClientTexts

from bench.tests.fleet_bank import small_bank
from unsilent.client.measuring import system_change
from unsilent.items import Item, ItemSet, Outcomes
from unsilent.modes import FIRST, MODES
from unsilent.modes.base import AdapterRole, Evidence, ItemRole, Need
from unsilent.probes.sentiment import DOMAINS, Text
from unsilent.probes.templates import ENCODER

CLIENTS = 5
POLAR, GUARD = ("positive", "negative"), ("decline", "answer")


def item_sets() -> dict[ItemRole, ItemSet]:
    bias = [
        Item(f"b{n}{g}", f"{g} wrote {n}", POLAR, None, s, group=g, pair=str(n), task="sentiment")
        for n in range(12)
        for s, g in enumerate("AB")
    ]
    task = [
        Item(f"t{n}", f"task {n}", POLAR, n // 4 % 2, domain=DOMAINS[n % 4], task="sentiment")
        for n in range(24)
    ]
    general = [Item(f"g{n}", f"origin {n}", DOMAINS, n % 4, task="general") for n in range(16)]
    harmful = [Item(f"h{n}", f"harm {n}", GUARD, safe=(0,), task="guard") for n in range(9)]
    found: dict[ItemRole, list[Item]] = {
        "bias": bias,
        "task": task,
        "general": general,
        "harmful": harmful,
    }
    return {role: ItemSet(role, tuple(items)) for role, items in found.items()}


def probes(bank: Bank, sets: dict[ItemRole, ItemSet]) -> ProbeRows:
    task, general = list(sets["task"]), list(sets["general"])
    pairs = bank.item_rows(sets["bias"]).reshape(-1, 2)
    return ProbeRows(
        pairs=pairs,
        pair_kind=np.zeros(len(pairs), np.int64),
        task=bank.item_rows(task),
        right=np.array([item.answer for item in task]),
        domain=np.array([DOMAINS.index(str(item.domain)) for item in task]),
        general=bank.item_rows(general),
        origin=np.array([item.answer for item in general]),
        harmful=bank.item_rows(sets["harmful"]),
        harm=np.zeros(len(sets["harmful"]), np.int64),
    )


SIZES: dict[ItemRole, int] = {"bias": 7, "task": 17, "general": 10, "harmful": 5}
"""What each client draws: so few of the task's that some kinds have one item."""


def drawn_by(asked: Asked, client: int, sets: dict[ItemRole, ItemSet]) -> dict[ItemRole, ItemSet]:
    """The items that a client draws in round 1."""
    places = asked.of_round(CLIENTS, 1)
    own: dict[ItemRole, ItemSet] = {}
    for role in ROLES:
        items, of_each = list(sets[role]), 2 if role == "bias" else 1
        chosen = [
            items[of_each * int(place) + side]
            for place in places[role][client]
            for side in range(of_each)
        ]
        own[role] = ItemSet(role, tuple(chosen))
    return own


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return small_bank(tmp_path)


def test_statistics_and_system_metrics_are_the_products(bank: Bank) -> None:
    sets = item_sets()
    texts = tuple(
        Text(f"film/{n}", f"film/{n}", "film", f"held out {n}", 1.0 - 2 * (n % 2))
        for n in range(CLIENTS * 14)
    )
    people = clients_of(CLIENTS, 1, ENCODER, texts=14)
    parts = tuple(ClientTexts((), texts[14 * k : 14 * k + 14]) for k in range(CLIENTS))
    scenario = SCENARIOS["group-skew"]
    homes = np.array([DOMAINS.index(client.home) for client in people])
    crowd = Crowd(scenario, 0.5, people, parts, homes)
    random = np.random.default_rng(4)

    def rows(n: int) -> np.ndarray:
        base = np.stack([bank.new_row(3)] * n)
        return base + random.normal(0, 0.15, base.shape).astype(np.float32)

    held = {
        "reference": HeldAdapters.one(rows(1)[0], CLIENTS),
        "start": HeldAdapters.one(rows(1)[0], CLIENTS),
        "local": HeldAdapters.each(rows(CLIENTS)),
        "global": HeldAdapters(rows(2), np.arange(CLIENTS) % 2),
        "personalized": HeldAdapters.each(rows(CLIENTS)),
    }
    rows_of = probes(bank, sets)
    asked = Asked(rows_of, rows_of, SIZES, 3)
    ledger = Ledger(bank, asked, crowd, 1)
    ledger.measure(1, Adapters(*held.values()), np.ones(CLIENTS, np.bool_))
    for client in range(CLIENTS):
        items = scenario.held_out(people[client], parts[client].held_out, 1, 0.5)
        own = {**drawn_by(asked, client, sets), "records": ItemSet("records", items)}
        needs = {need for code in FIRST for need in MODES[code].needs}
        roles: tuple[AdapterRole, ...] = ("reference", "personalized")
        needs |= {Need(role, "records") for role in roles}
        outcomes = {}
        for need in needs:
            row = held[need.adapter].full()[client]
            adapter = adapter_of(row, bank.shape, bank.encoder.digest)
            table = bank.encoder.score(own[need.items], adapter)
            outcomes[need] = Outcomes(own[need.items], need.adapter, table)
        evidence = Evidence(outcomes, home_domain=people[client].home)
        for code, mode in ((code, MODES[code]) for code in FIRST):
            expected = mode.measure(evidence)
            assert ledger.numbers[code][0, client] == pytest.approx(expected.value, abs=2e-5)
            spread = ledger.numbers[code + ".spread"][0, client]
            assert spread == pytest.approx(expected.spread, abs=2e-5)
        system = system_change(evidence)
        assert ledger.numbers["system.loss"][0, client] == pytest.approx(system.loss, abs=2e-5)
        assert ledger.numbers["system.accuracy"][0, client] == pytest.approx(system.accuracy)
    assert np.ptp(ledger.numbers["SF-1"]) > 0.01


def test_the_truth_is_the_mean_of_the_statistics_on_the_same_items(bank: Bank) -> None:
    # Where each client answers all there is, the modes on public items agree exactly.
    sets = item_sets()
    people = clients_of(CLIENTS, 1, ENCODER, texts=2)
    pool = tuple(
        Text(f"film/{n}", f"film/{n}", "film", f"held out {n}", 1.0 - 2 * (n % 2)) for n in (0, 1)
    )
    parts = tuple(ClientTexts((), pool) for _ in people)
    homes = np.array([DOMAINS.index(client.home) for client in people])
    crowd = Crowd(SCENARIOS["group-skew"], 0.0, people, parts, homes)
    random = np.random.default_rng(5)
    base = np.stack([bank.new_row(3)] * CLIENTS)
    held = [
        HeldAdapters.each(base + random.normal(0, 0.1, base.shape).astype(np.float32))
        for _ in range(5)
    ]
    rows_of = probes(bank, sets)
    sizes: dict[ItemRole, int] = {role: len(rows_of.strata(role)) for role in ROLES}
    ledger = Ledger(bank, Asked(rows_of, rows_of, sizes, 3), crowd, 1)
    ledger.measure(1, Adapters(*held), np.ones(CLIENTS, np.bool_))
    for place, code in enumerate(FIRST):
        # Of a client's own records the truth is looked up in others.
        if code != "SF-3":
            mean = float(ledger.numbers[code].mean())
            assert ledger.truth[0, place] == pytest.approx(mean, abs=1e-5), code
    assert (ledger.errors[0] >= 0).all()
