"""An earlier plan still reads as the plan that it was: its digest binds ledgers, budgets, packs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.earlier.conftest import HERE, Earlier
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan, read_plan


def test_its_digest_is_the_one_that_was_declared(earlier: Earlier) -> None:
    plan = parse_plan(json.loads((earlier.run / "plan.json").read_text(encoding="utf-8")))
    declared = Ledger(earlier.run / "ledger.sqlite", read_only=True).entries("plan")[0].payload
    assert plan.digest == declared["digest"] == earlier.findings["plan"]
    assert plan.to_json() == declared["plan"]


def test_its_file_is_the_same_plan_where_it_says_its_schema(
    earlier: Earlier, tmp_path: Path
) -> None:
    """What an earlier file leaves out it meant as it was then; without a schema it is of today."""
    text = (HERE / "plan.toml").read_text(encoding="utf-8")
    file = tmp_path / "plan.toml"
    file.write_text(f'schema = "unsilent/plan/1"\n{text}', encoding="utf-8")
    assert read_plan(file).digest == earlier.findings["plan"]
    today = read_plan(HERE / "plan.toml")
    assert not today.earlier
    assert today.digest != earlier.findings["plan"]
    assert (today.monitor.items, today.probes.sampling) == ("like-these", "matrix")


def test_plans_of_every_kind_have_the_digests_that_they_had(earlier: Earlier) -> None:
    plans = json.loads((earlier.folder / "plans.json").read_text(encoding="utf-8"))
    assert len(plans) == 32
    for each in plans:
        assert parse_plan({"schema": "unsilent/plan/1", **each["given"]}).digest == each["digest"]
        # The same words without a schema are another plan: they mean something else today.
        assert parse_plan(each["given"]).digest != each["digest"]
