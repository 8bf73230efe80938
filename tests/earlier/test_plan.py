"""An earlier plan still reads as the plan that it was: its digest binds ledgers, budgets, packs."""

from __future__ import annotations

import json

from tests.earlier.conftest import HERE, Ask, Earlier
from tests.earlier.test_pack import JUDGED_AGAIN
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.release.layout import Layout
from unsilent.release.layout_before import digest_before


def test_its_digest_is_the_one_that_was_declared(earlier: Earlier) -> None:
    plan = parse_plan(json.loads((earlier.run / "plan.json").read_text(encoding="utf-8")))
    declared = Ledger(earlier.run / "ledger.sqlite", read_only=True).entries("plan")[0].payload
    assert plan.digest == declared["digest"] == earlier.findings["plan"]
    assert plan.to_json() == declared["plan"]


def test_its_file_is_still_valid_and_the_same_plan(earlier: Earlier, ask: Ask) -> None:
    assert earlier.findings["plan"] in ask("plan", "check", HERE / "plan.toml")


def test_plans_of_every_kind_have_the_digests_that_they_had(earlier: Earlier) -> None:
    plans = json.loads((earlier.folder / "plans.json").read_text(encoding="utf-8"))
    assert len(plans) == 32
    for each in plans:
        plan = parse_plan(each["given"])
        assert plan.digest == each["digest"]
        if JUDGED_AGAIN[earlier.version]:
            earlier_layout = Layout.from_plan(plan, model=False)
            assert earlier_layout.digest == each["layout"]
            assert Layout.of_release(plan, each["layout"]) == earlier_layout
        else:
            assert digest_before(plan) == each["layout"]
