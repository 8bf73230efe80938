"""A plan may name the content hashes of the model that clients measure."""

from __future__ import annotations

import pytest

from unsilent.errors import PlanError
from unsilent.plan import parse_plan

BASE = "sha256:" + "ab" * 32
MODES = {"amplified_bias": {"tolerance": 0.1}}


def test_a_plan_without_it_is_the_plan_that_it_was() -> None:
    plain = parse_plan({"modes": MODES})
    assert plain.digest == parse_plan({"modes": MODES, "model": {"expect": {}}}).digest
    assert "expect" not in plain.to_json()["model"]
    assert plain.model.expect.told() is None
    assert plain.model.expect.named == {}


def test_what_it_names_is_part_of_the_plan() -> None:
    plan = parse_plan({"modes": MODES, "model": {"expect": {"base": BASE}}})
    assert plan.digest != parse_plan({"modes": MODES}).digest
    assert plan.model.expect.named == {"base": BASE}
    told = {"base": BASE, "tokenizer": None, "layout": None, "engine": None}
    assert plan.model.expect.told() == told
    assert parse_plan(plan.to_json()).digest == plan.digest


@pytest.mark.parametrize(
    "expect",
    [
        {"base": "ab" * 32},
        {"layout": BASE.upper()},
        {"engine": BASE[:-1]},
        {"tokenizer": BASE + "\n"},
        {"head": BASE},
    ],
)
def test_what_is_no_hash_is_refused_in_a_line_that_says_where(expect: dict[str, str]) -> None:
    with pytest.raises(PlanError, match=rf"model\.expect\.{next(iter(expect))}") as caught:
        parse_plan({"modes": MODES, "model": {"expect": expect}})
    assert "\n" not in caught.value.line()
