"""The plan's ``[governance]`` table: what it may say, and that leaving it out changes nothing."""

from __future__ import annotations

import pytest

from tests.governance.history import ROLES, plan_with
from unsilent.errors import PlanError
from unsilent.plan import parse_plan
from unsilent.report.view import flat


def test_a_plan_without_the_table_has_the_digest_of_before() -> None:
    plan = plan_with(None)
    assert "governance" not in plan.to_json()
    # As version 0.4.0 wrote it before there was such a table.
    assert plan.digest == DIGEST


DIGEST = "sha256:cdcf7ffa25edde9691d0f99777d1b7aa5ffe09588a73112c637c78d83e31a8ce"


def test_it_is_part_of_the_digest_and_read_back() -> None:
    one, other = plan_with({}), plan_with({"roles": ROLES, "review_every": 30})
    assert len({plan_with(None).digest, one.digest, other.digest}) == 3
    assert parse_plan(other.to_json()) == other


@pytest.mark.parametrize(
    ("table", "gate", "key"),
    [
        ({"triggers": [{"on": "failure", "action": "hold"}]}, "observe", "only observes"),
        ({"triggers": [{"on": "missed", "action": "review", "modes": ["x"]}]}, "hold", "of a mode"),
        (
            {"triggers": [{"on": "failure", "action": "review", "modes": ["over_refusal"]}]},
            "hold",
            "not planned",
        ),
        ({"triggers": [{"on": "override", "action": "hold"}]}, "hold", "holds no gate"),
        ({"triggers": [{"on": "failure", "action": "review"}] * 2}, "hold", "there twice"),
        ({"triggers": [{"on": "failure", "action": "pray"}]}, "hold", "action"),
        ({"triggers": [{"on": "failure", "action": "review", "within": 0}]}, "hold", "within"),
        ({"review_every": -1}, "hold", "review_every"),
        ({"roles": {"decide": ["Dan"]}}, "hold", "unknown key"),
        ({"roles": {"decides": [" "]}}, "hold", "decides"),
    ],
)
def test_what_it_cannot_say_is_named(table, gate: str, key: str) -> None:
    with pytest.raises(PlanError) as error:
        plan_with(table, gate)
    assert key in error.value.line()


def test_what_is_left_out_is_called_not_declared() -> None:
    told = dict(flat(plan_with({"triggers": [{"on": "missed", "action": "review"}]}).to_json()))
    assert told["governance.review_every"] == "not declared"
    assert told["governance.triggers[0].on"] == "missed"
    assert told["governance.triggers[0].within"] == "not declared"
