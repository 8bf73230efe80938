"""Whatever one held-out record is, its client's vector moves by no more than is claimed."""

import numpy as np
import pytest

from tests.release.neighbours import DOMAINS, Vectors, beside, farthest, random_client
from unsilent.errors import InputError
from unsilent.items import Item, ItemSet
from unsilent.plan import parse_plan
from unsilent.release.record_rules import HOME_KEY, home_domain
from unsilent.release.record_unit import _reach

ALL = {
    "amplified_bias": {"tolerance": 0.1},
    "confidence_miscalibration": {"tolerance": 0.1, "weight": 0.3},
    "fairness_collapse": {"tolerance": 0.2, "clip": 0.5},
    "adaptation_misalignment": {"tolerance": 0.1},
    "out_of_domain_degradation": {"tolerance": 0.1},
    "alignment_erosion": {"tolerance": 0.1, "clip": 0.2},
}
AWAY = {"out_of_domain_degradation": {"tolerance": 0.1, "clip": 0.5}}
WITHIN = {"amplified_bias": ["away"], "out_of_domain_degradation": list(DOMAINS)}
PARTED = {
    name: {**mode, **({"subgroups": WITHIN[name]} if name in WITHIN else {})}
    for name, mode in ALL.items()
    if name != "fairness_collapse"
}


def plan(held_out, modes, **monitor):
    return parse_plan(
        {
            "federation": {"clients": 30, "held_out": held_out},
            "monitor": monitor,
            "modes": modes,
            "privacy": {"unit": "record", "epsilon": 2.0},
        }
    )


PLANS = {
    "away alone, 400 records": plan(400, AWAY),
    "away alone, 4 records": plan(4, AWAY),
    "all modes, 25 records": plan(25, ALL),
    "all modes, squares, 100 records": plan(100, ALL, population="like-these"),
    "all modes, other items": plan(60, ALL, items="like-these", population="like-these"),
    "subgroups, 120 records": plan(120, PARTED),
    "subgroups, 9 records": plan(9, PARTED),
}


def declared(of):
    return lambda records: home_domain(of, records, declared="home")


@pytest.mark.parametrize(("seeds", "most"), [(1, 60), pytest.param(2, 300, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", PLANS)
def test_no_record_moves_the_vector_further_than_claimed(name, seeds, most, tmp_path):
    of = PLANS[name]
    vectors = Vectors(of, tmp_path, declared(of))
    steps = min(most, max(most // 3, 20_000 // of.federation.held_out))
    found = [farthest(vectors, np.random.default_rng([7, seed]), steps) for seed in range(seeds)]
    # Not by far below either: a search that finds nothing shows nothing.
    assert 0.25 < max(found) <= 1.0


@pytest.mark.parametrize("name", PLANS)
def test_no_number_moves_further_than_its_own_reach(name, tmp_path):
    """Coordinate by coordinate, before any clip; those that no record reaches stay as they are."""
    of, random = PLANS[name], np.random.default_rng(11)
    vectors, held_out = Vectors(of, tmp_path, declared(of)), of.federation.held_out
    moved = dict.fromkeys(vectors.layout.inputs, 0.0)
    for _ in range(30):
        client = random_client(random, held_out + int(random.integers(3)), random.uniform(0, 1))
        other = beside(client, int(random.integers(held_out)), held_out, random)
        first, second = vectors.values(client), vectors.values(other)
        for each in moved:
            moved[each] = max(moved[each], abs(first[each] - second[each]))
    for each, most in moved.items():
        assert most <= _reach(of, each) * (1 + 1e-9), each
    assert moved["system.loss"] > 0.2 * _reach(of, "system.loss")
    assert moved["system.accuracy"] > 0.2 * _reach(of, "system.accuracy")


@pytest.mark.parametrize(
    "name",
    [
        "subgroups, 120 records",
        pytest.param("away alone, 400 records", marks=pytest.mark.long),
    ],
)
def test_the_search_finds_a_home_domain_that_a_record_decides(name, tmp_path):
    of = PLANS[name]
    client_unit = of.model_copy(
        update={"privacy": of.privacy.model_copy(update={"unit": "client"})}
    )
    vectors = Vectors(
        of, tmp_path, lambda records: home_domain(client_unit, records, declared=None)
    )
    assert farthest(vectors, np.random.default_rng(7), 60) > 1.0


@pytest.mark.parametrize("unit", ["client", "record"])
def test_a_declared_home_is_taken_whatever_the_records_are(unit):
    of = plan(4, AWAY)
    of = of.model_copy(update={"privacy": of.privacy.model_copy(update={"unit": unit})})
    assert home_domain(of, some_records("away", "away"), declared="home") == "home"


def test_for_clients_the_most_frequent_domain_is_home_and_equals_go_by_the_alphabet():
    of = plan(4, AWAY)
    of = of.model_copy(update={"privacy": of.privacy.model_copy(update={"unit": "client"})})
    assert home_domain(of, some_records("b", "a", "b", None), declared=None) == "b"
    assert home_domain(of, some_records("b", "a"), declared=None) == "a"
    assert home_domain(of, some_records(None), declared=None) is None
    assert home_domain(of, None, declared=None) is None


def test_a_record_decides_no_home_and_a_mode_that_needs_one_is_refused_in_one_line():
    records = some_records("secret-domain", "b")
    with pytest.raises(InputError, match=f"{HOME_KEY}: SF-5 needs .* not declared") as caught:
        home_domain(plan(4, AWAY), records, declared=None)
    assert "\n" not in str(caught.value)
    assert "secret-domain" not in str(caught.value)
    without = plan(4, {"amplified_bias": {"tolerance": 0.1}})
    assert home_domain(without, records, declared=None) is None


def some_records(*domains):
    return ItemSet(
        "records",
        tuple(
            Item(f"r{n}", f"text {n}", (" yes", " no"), answer=0, domain=domain)
            for n, domain in enumerate(domains)
        ),
    )
