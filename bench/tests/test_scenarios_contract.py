"""Every scenario keeps the contract: the same records for the same seed, and equally many."""

from collections import Counter
from dataclasses import replace

import pytest
from unsilent_bench.scenarios import MAIN, SCENARIOS, Scenario
from unsilent_bench.scenarios.base import Client, Settings, clients_of
from unsilent_bench.scenarios.client_texts import ClientTexts, partition
from unsilent_bench.traces.federation import CODES, DOSES, Dose

from unsilent.items import Item
from unsilent.probes.sentiment import DOMAINS, Text
from unsilent.probes.templates import CAUSAL_LM, ENCODER, Style

CLIENTS, TEXTS = 16, 24
_CAUSES = {"shuffled": 0.0, "lost_gradients": 0.0}
"""Settings that are a cause themselves."""
STYLES = {"fleet": ENCODER, "lm": CAUSAL_LM}


def texts() -> tuple[Text, ...]:
    """600 texts of each domain and label."""
    return tuple(
        Text(f"{d}/{n}", f"{d}/{n}", d, f"{d} text number {n} has seven words", 1.0 - 2 * (n % 2))
        for d in DOMAINS
        for n in range(1200)
    )


def people(style: Style) -> tuple[Client, ...]:
    return clients_of(CLIENTS, 5, style, texts=TEXTS)


def parts(
    scenario: Scenario, clients: tuple[Client, ...], strength: float
) -> tuple[ClientTexts, ...]:
    return partition(clients, [scenario.portions(c, strength) for c in clients], texts(), 5)


@pytest.fixture(params=sorted(SCENARIOS))
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def style(scenario: Scenario) -> Style:
    return STYLES[scenario.tiers[-1]]


def test_it_says_what_it_is(scenario: Scenario) -> None:
    assert scenario.code in CODES
    assert all((scenario.cause, scenario.look_alike, scenario.source))
    assert scenario.cause != scenario.look_alike


def test_doses_rise_from_none(scenario: Scenario) -> None:
    strengths = [scenario.strength(dose) for dose in DOSES]
    assert strengths[0] == 0.0
    assert strengths == sorted(set(strengths))
    assert strengths[-1] <= 1.0


def test_each_mode_has_one_main_scenario() -> None:
    assert [SCENARIOS[name].code for name in MAIN] == list(CODES)


@pytest.mark.parametrize("dose", DOSES)
def test_records_are_the_same_for_the_same_seed(
    scenario: Scenario, style: Style, dose: Dose
) -> None:
    strength = scenario.strength(dose)
    seen: list[list[tuple[Item, ...]]] = []
    for _ in range(2):
        clients = people(style)
        owned = parts(scenario, clients, strength)
        seen.append(
            [
                scenario.train(c, d.train, 3, strength)
                + scenario.held_out(c, d.held_out, 3, strength)
                for c, d in zip(clients, owned, strict=True)
            ]
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("round_number", [1, 6, 10])
@pytest.mark.parametrize("dose", DOSES)
def test_all_clients_have_equally_many_records_with_answers(
    scenario: Scenario, style: Style, dose: Dose, round_number: int
) -> None:
    strength = scenario.strength(dose)
    clients = people(style)
    sizes = set()
    for client, own in zip(clients, parts(scenario, clients, strength), strict=True):
        train = scenario.train(client, own.train, round_number, strength)
        held = scenario.held_out(client, own.held_out, round_number, strength)
        assert len({item.id for item in train}) == len(train)
        assert len({item.id for item in held}) == len(held)
        assert all(item.answer is not None for item in train + held)
        sizes.add((len(train), len(held)))
    assert len(sizes) == 1


def test_the_look_alike_trains_as_much(scenario: Scenario, style: Style) -> None:
    if scenario.tunes_more:
        pytest.skip("more tuning is the cause")
    clients = people(style)

    def amount(dose: Dose) -> tuple[int, Settings, Settings]:
        strength = scenario.strength(dose)
        own = parts(scenario, clients, strength)[0]
        records = scenario.train(clients[0], own.train, 10, strength)
        both = scenario.settings(strength), scenario.fleet_settings(strength)
        first, second = (replace(each, **_CAUSES) for each in both)
        return len(records), first, second

    assert amount("none") == amount("strong")


def test_records_change_with_the_era_alone_unless_redrawn(scenario: Scenario, style: Style) -> None:
    strength = scenario.strength("strong")
    client = people(style)[0]
    own = parts(scenario, people(style), strength)[0]
    seen: dict[int, tuple[Item, ...]] = {}
    trained: dict[int, tuple[Item, ...]] = {}
    for round_number in range(1, 11):
        items = scenario.held_out(client, own.held_out, round_number, strength)
        assert seen.setdefault(scenario.era(round_number), items) == items
        items = scenario.train(client, own.train, round_number, strength)
        before = trained.setdefault(scenario.era(round_number), items)
        assert (before == items) or scenario.redrawn


def test_training_texts_are_nobody_elses(scenario: Scenario, style: Style) -> None:
    clients = people(style)
    owned = parts(scenario, clients, scenario.strength("strong"))
    trained = Counter(text.id for own in owned for text in own.train)
    held = Counter(text.id for own in owned for text in own.held_out)
    assert max(trained.values()) == 1
    assert not set(trained) & set(held)
    assert max(held.values()) == 1


def test_held_out_texts_are_dealt_again_where_they_do_not_suffice() -> None:
    few = tuple(t for t in texts() if int(t.id.split("/")[1]) < 240)
    clients = clients_of(16, 1, ENCODER, texts=TEXTS)
    quotas = [SCENARIOS["group-skew"].portions(c, 0.0) for c in clients]
    owned = partition(clients, quotas, few, 1)
    trained = {text.id for own in owned for text in own.train}
    held = Counter(text.id for own in owned for text in own.held_out)
    assert not trained & set(held)
    film = [n for identity, n in held.items() if identity.startswith("film")]
    assert max(film) - min(film) <= 1
    assert max(film) > 1
