"""The plan's ``federation.personalization``: by name or with options, and no digest changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from unsilent.errors import PlanError
from unsilent.plan import MonitoringPlan, parse_plan, read_plan

MODES = {"amplified_bias": {"tolerance": 0.1}}
FIRST = "unsilent/plan/1"
BEFORE = "sha256:ba7679fe51733dad8657730d7432e386f96186723246fce343df4a184068de84"
"""Digest of this plan from before it could name a personalization."""


def plan(personalization: object, schema: str = "unsilent/plan/2") -> MonitoringPlan:
    federation = {"personalization": personalization}
    return parse_plan({"schema": schema, "modes": MODES, "federation": federation})


@pytest.mark.parametrize("usual", ["fine-tune", {"name": "fine-tune"}, {}])
def test_a_plan_that_names_the_usual_one_keeps_its_digest(usual: object) -> None:
    assert parse_plan({"schema": FIRST, "modes": MODES}).digest == BEFORE
    assert plan(usual, FIRST).digest == BEFORE
    assert plan(usual).digest == parse_plan({"modes": MODES}).digest != BEFORE


def test_defaults_are_filled_in() -> None:
    named, spelled = plan("ditto"), plan({"name": "ditto", "lambda": 0.1})
    assert named.to_json()["federation"]["personalization"] == {"name": "ditto", "lambda": 0.1}
    assert named.digest == spelled.digest
    assert len({named.digest, plan({"name": "ditto", "lambda": 1}).digest, BEFORE}) == 3
    assert (
        plan({"name": "ditto", "lambda": 1}).digest == plan({"name": "ditto", "lambda": 1.0}).digest
    )


def test_what_is_sent_is_read_as_the_same_plan() -> None:
    of = plan({"name": "fedper", "layers": 2})
    assert parse_plan(of.to_json()) == of
    assert of.federation.personalization.options == {"layers": 2}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "ditto", "lam": 1.0}, "ditto has no option 'lam'. Known: lambda."),
        ({"name": "ditto", "lambda": -1.0}, "lambda is -1, which pushes clients away"),
        ({"name": "ditto", "lambda": float("nan")}, "nan: Input should be a finite number"),
        ({"name": "other", "x": float("inf")}, "inf: Input should be a finite number"),
        ("Some Name", "'Some Name' does not have the form that it needs"),
        (3, "3 is not a table. Write [federation.personalization]"),
    ],
)
def test_a_fault_names_the_key(given: object, told: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(given)
    assert told in caught.value.line()
    assert caught.value.where.startswith("plan: federation.personalization")


def test_a_plan_file_names_what_is_installed(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        'federation.personalization = "dito"\n[modes]\namplified_bias = { tolerance = 0.1 }\n',
        encoding="utf-8",
    )
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert caught.value.line().startswith(
        f"{path}: federation.personalization: no personalization is called 'dito'. Known here: "
        "fine-tune, ditto, fedsa, local, fedper"
    )


def test_a_run_of_another_distributions_method_is_read_without_it() -> None:
    """Who verifies a run need not install what trained it."""
    of = plan({"name": "not-installed-here", "share": 0.5})
    assert parse_plan(of.to_json()).digest == of.digest
