"""A server that lies to three to six sites, of which a sum spares one, never gets a single vector.

The long form is ``benchmarks/lies_to_few_sites.py``.
"""

import random

import pytest

from tests.release.secure_sum.few_lies import plans, search
from unsilent.release.secure_sum import rules
from unsilent.release.secure_sum.state import ClientFiles

PLANS = plans(rounds=10)


def test_every_number_of_sites_has_a_plan_that_spares_one():
    assert {sites for sites, _, _ in PLANS} == {3, 4, 5, 6}
    assert {colluders for _, colluders, _ in PLANS} >= {0, 1}


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_one_sum_at_most_and_of_no_fewer_than_planned(tmp_path, plan):
    terms = PLANS[plan]
    found = search(tmp_path, terms, random.Random(str(plan)))
    assert all(len(each.sizes) <= 1 for each in found)
    assert not any(each.signed_twice for each in found)
    assert all(size >= terms.parameters.smallest_sum >= 2 for each in found for size in each.sizes)
    # Lies that no one answers to would show nothing.
    assert any(each.sizes for each in found)


@pytest.mark.parametrize("sites", [3, 4, 5, 6])
def test_the_same_lies_bare_single_vectors_of_clients_that_forget(tmp_path, monkeypatch, sites):
    put = ClientFiles.put_round
    monkeypatch.setattr(rules, "story_is_the_first", lambda *_: None)
    monkeypatch.setattr(
        ClientFiles,
        "put_round",
        lambda f, n, s: None if s.answer or s.agreement else put(f, n, s),
    )
    terms = next(each for (number, _, _), each in PLANS.items() if number == sites)
    # About one round in ten bares one: eight searches of ten rounds are not all in vain.
    searches = (search(tmp_path / str(n), terms, random.Random(n)) for n in range(8))
    assert any(len(each.sizes) > 1 or 1 in each.sizes for found in searches for each in found)
