"""Two schemas of a plan: what each means where it says nothing, and what its digest rests on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.plan.probes import EMBEDDED_BANKS

MODES = {"amplified_bias": {"tolerance": 0.1}, "alignment_erosion": {"tolerance": 0.1}}
FIRST, SECOND = "unsilent/plan/1", "unsilent/plan/2"


def plan(schema: str | None = None, **sections: Any) -> MonitoringPlan:
    said = {} if schema is None else {"schema": schema}
    return parse_plan({**said, "modes": MODES, **sections})


def test_a_plan_that_says_nothing_is_of_the_second_schema() -> None:
    assert plan() == plan(SECOND)
    assert plan().schema_id == SECOND
    assert not plan().earlier
    assert (plan().monitor.items, plan().probes.sampling) == ("like-these", "matrix")


def test_the_first_meant_fixed_items_that_all_answer() -> None:
    found = plan(FIRST)
    assert found.earlier
    assert (found.monitor.items, found.probes.sampling) == ("these", "same")
    assert [found.bank(role) for role in ("bias", "harmful")] == [64, 64]


def test_the_first_is_written_as_it_was() -> None:
    written = plan(FIRST).to_json()
    assert "items" not in written["monitor"]
    assert set(written["probes"]) == {"bias", "task", "general", "harmful", "benign", "items"}
    alike = plan(FIRST, monitor={"items": "like-these"})
    assert alike.to_json()["monitor"]["items"] == "like-these"
    assert alike.digest != plan(FIRST).digest


def test_the_second_writes_out_what_it_means() -> None:
    written = plan().to_json()
    assert written["schema"] == SECOND
    assert written["monitor"]["items"] == "like-these"
    assert written["probes"]["sampling"] == "matrix"
    assert plan(monitor={"items": "these"}).to_json()["monitor"]["items"] == "these"


SECTIONS = st.fixed_dictionaries(
    {
        "monitor": st.fixed_dictionaries(
            {}, optional={"items": st.sampled_from(["these", "like-these"])}
        ),
        "probes": st.fixed_dictionaries(
            {},
            optional={
                "items": st.integers(8, 200),
                "sampling": st.sampled_from(["matrix", "same"]),
                "banks": st.fixed_dictionaries({}, optional={"bias": st.integers(8, 9000)}),
            },
        ),
    }
)


@given(SECTIONS, st.sampled_from([None, SECOND]))
def test_what_is_written_is_read_as_the_same_plan(
    sections: dict[str, Any], schema: str | None
) -> None:
    found = plan(schema, **sections)
    again = parse_plan(found.to_json())
    assert again == found
    assert again.digest == found.digest


@given(st.sampled_from(["these", "like-these"]), st.integers(8, 200))
def test_so_is_a_plan_of_the_first(items: str, size: int) -> None:
    found = plan(FIRST, monitor={"items": items}, probes={"items": size})
    again = parse_plan(found.to_json())
    assert (again, again.digest) == (found, found.digest)


def test_no_other_schema_is_known() -> None:
    with pytest.raises(PlanError, match="schema"):
        plan("unsilent/plan/3")


@pytest.mark.parametrize("kind", ["causal_lm", "encoder"])
def test_a_bank_is_what_is_known_of_its_source(kind: str) -> None:
    found = plan(model={"kind": kind})
    for role, held in EMBEDDED_BANKS[kind].items():
        assert found.bank(role) == held
    # Of a file nothing is known beyond what clients are asked.
    assert plan(probes={"bias": "own.jsonl"}).bank("bias") == 64
    own = plan(probes={"bias": "own.jsonl", "banks": {"bias": 900}})
    assert own.bank("bias") == 900
    assert plan(probes={"items": 2000}).bank("bias") == 2000
    assert plan(probes={"sampling": "same"}).bank("bias") == 64


def test_a_plan_of_the_first_is_not_run_and_one_of_the_second_is() -> None:
    with pytest.raises(PlanError, match=r"schema: .*no longer run or judged.*Leave the key out"):
        plan(FIRST).refuse_earlier()
    plan().refuse_earlier()
