import numpy as np
import pytest

from unsilent.errors import ItemError, OutcomeError
from unsilent.items import Item
from unsilent.modes import MODES

MODE = MODES["SF-5"]
ROLES = [("reference", "task"), ("personalized", "task")]


def of_domains(*domains):
    return [
        Item(f"i{k}", f"p{k}", ("a", "b"), answer=0, domain=domain)
        for k, domain in enumerate(domains)
    ]


def both(evidence, items, before, after, home="film"):
    return MODE.measure(evidence({ROLES[0]: (items, before), ROLES[1]: (items, after)}, home))


def test_only_away_items_count(evidence):
    items = of_domains("film", "film", "news", "news", "news", "news")
    before = [0.1, 0.1, 0.9, 0.9, 0.9, 0.1]
    after = [0.9, 0.9, 0.9, 0.1, 0.1, 0.1]  # home gains both, away loses two of three right
    found = both(evidence, items, before, after)
    assert found.value == pytest.approx(0.5)
    assert found.items == 4
    assert found.spread == pytest.approx(np.std([0, 1, 1, 0], ddof=1) / 2)


def test_what_is_away_depends_on_the_client(evidence):
    items = of_domains("film", "film", "news", "news")
    before, after = [0.9] * 4, [0.9, 0.9, 0.1, 0.1]
    assert both(evidence, items, before, after, "film").value == 1.0
    assert both(evidence, items, before, after, "news").value == 0.0


def test_an_unknown_home_is_refused(evidence):
    with pytest.raises(OutcomeError, match="home domain"):
        both(evidence, of_domains("film", "news"), [0.9] * 2, [0.9] * 2, None)


def test_no_away_item_is_refused(evidence):
    with pytest.raises(OutcomeError, match="no task item is of another domain"):
        both(evidence, of_domains("film", "film"), [0.9] * 2, [0.9] * 2)


def test_an_item_without_a_domain_is_named(evidence):
    with pytest.raises(ItemError, match="i1"):
        both(evidence, of_domains("film", None), [0.9] * 2, [0.9] * 2)
