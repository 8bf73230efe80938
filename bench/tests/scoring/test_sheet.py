"""The sheet holds every score that the items allow, ready for JSON, and no other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from unsilent_bench.scoring import score_sheet

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet, Outcomes

BBQ = {"condition": "ambig", "polarity": "neg", "category": "Age", "unknown": "2", "target": "0"}


def item(number: int, attributes: dict[str, str], answer: int | None = 2) -> Item:
    return Item(f"i{number}", "Who?", ("a", "b", "c"), answer=answer, attributes=attributes)


def sheet(*items: Item) -> dict[str, object]:
    table = np.tile([0.2, 0.3, 0.5], (len(items), 1))
    return score_sheet(Outcomes(ItemSet("set", items), "global", table))


def test_each_set_has_its_own() -> None:
    found = sheet(item(0, BBQ), item(1, BBQ))
    assert set(found) == {"accuracy", "bbq"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(sheet(item(0, {}))) == {"accuracy"}
    assert sheet(item(0, {}, answer=None)) == {}
    wordings = [item(n, {"paraphrase_of": "q", "wording": str(n)}, answer=None) for n in (0, 1)]
    assert set(sheet(*wordings)) == {"consistency"}


def test_a_score_needs_all_items() -> None:
    assert set(sheet(item(0, BBQ), item(1, {}))) == {"accuracy"}


def test_half_of_the_fields_is_a_fault() -> None:
    half = {key: value for key, value in BBQ.items() if key != "unknown"}
    with pytest.raises(ItemError, match=r"i0.*'unknown'"):
        sheet(item(0, half))
