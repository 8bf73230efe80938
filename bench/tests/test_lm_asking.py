"""Each client answers items of its own from the federation's bank; the truth asks more."""

from __future__ import annotations

import pytest
from unsilent_bench.lm.asking import asked_of, more_records
from unsilent_bench.lm.probes import TRUE, Universes
from unsilent_bench.scenarios import SCENARIOS
from unsilent_bench.scenarios.base import Client, clients_of

from bench.tests.lm_maker import small_plan, small_universes
from unsilent.items import Item
from unsilent.probes.sentiment import Text
from unsilent.probes.templates import CAUSAL_LM

CLIENTS = clients_of(6, 3, CAUSAL_LM, texts=8)


@pytest.fixture(scope="module")
def universes() -> Universes:
    return small_universes()


def text(number: int, *, positive: bool, domain: str = "film") -> Text:
    name = f"{domain}/{number}{'p' if positive else 'n'}"
    return Text(name, name, domain, f"words of {name}", 1.0 if positive else -1.0)


def records_of(client: Client) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    texts = [text(client.index + k, positive=k % 2 == 0) for k in range(4)]
    items = SCENARIOS["opposed-camps"].held_out(client, texts, 1, 0.0)
    return items[:2], items


def asked(universes: Universes, seed: int = 3, bank: int = 12):  # type: ignore[no-untyped-def]
    plan = small_plan()
    banks = plan.probes.banks.model_copy(update=dict.fromkeys(universes, bank))
    plan = plan.model_copy(update={"probes": plan.probes.model_copy(update={"banks": banks})})
    return asked_of(CLIENTS, universes, plan, {c.index: records_of(c) for c in CLIENTS}, seed)


def test_clients_draw_of_one_bank_each_its_own(universes: Universes) -> None:
    found = asked(universes)
    for role, universe in universes.items():
        draws = [tuple(found[c.index].own[role].places) for c in CLIENTS]
        assert len(set(draws)) > 1
        per = 2 if role == "bias" else 1
        assert all(len(draw) == 8 * per for draw in draws)
        assert len({place for draw in draws for place in draw}) <= 12 * per
        assert all(each.items is universe.items for each in (found[0].own[role],))


def test_pairs_stay_together(universes: Universes) -> None:
    for asking in asked(universes).values():
        pairs = [item.pair for item in asking.own["bias"].subset]
        assert all(pairs.count(pair) == 2 for pair in pairs)


def test_another_seed_has_another_bank(universes: Universes) -> None:
    def bank(seed: int) -> set[int]:
        found = asked(universes, seed)
        return {p for c in CLIENTS for p in found[c.index].own["task"].places.tolist()}

    assert bank(3) == bank(3)
    assert bank(3) != bank(4)


def test_the_truth_asks_the_whole_universe_or_more_items_of_it(universes: Universes) -> None:
    for asking in asked(universes).values():
        for role, universe in universes.items():
            per = 2 if role == "bias" else 1
            expected = per * min(TRUE[role], len(universe.units))
            assert len(asking.true[role].places) == expected


def test_records_that_read_the_same_are_one_place(universes: Universes) -> None:
    found = asked(universes)
    shelf = found[0].own["records"].items
    assert len({item.prompt for item in shelf}) == len(shelf)
    for client in CLIENTS:
        own, more = records_of(client)
        subset = found[client.index].own["records"].subset
        assert [(i.prompt, i.answer) for i in subset] == [(i.prompt, i.answer) for i in own]
        assert len(found[client.index].true["records"].places) == len(more)


def test_more_records_keep_the_clients_mix_and_use_all_that_it_allows() -> None:
    scenario = SCENARIOS["opposed-camps"]
    client = clients_of(16, 3, CAUSAL_LM, texts=24)[0]
    (portion,) = scenario.portions(client, 0.5)
    free = [text(k, positive=positive) for k in range(30) for positive in (True, False)]
    found = more_records(scenario, client, free, 0.5, 1)
    right = sum(item.answer == 0 for item in found)
    assert max(right, len(found) - right) == 30
    share = portion.positive / (portion.positive + portion.negative)
    assert abs(right / len(found) - share) < 0.03
