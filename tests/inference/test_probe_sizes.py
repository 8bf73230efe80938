"""Sizes from the plan: the smallest number whose item sd, as plan check shows it, is small."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unsilent.errors import PlanError
from unsilent.inference.power import power_table
from unsilent.inference.probe_sizes import items_for
from unsilent.plan import MonitoringPlan, parse_plan


def plan(tolerance: float, **more: Any) -> MonitoringPlan:
    modes = {
        "amplified_bias": {"tolerance": tolerance, "clip": 1.5},
        "adaptation_misalignment": {"tolerance": tolerance, "clip": 1.5},
        "fairness_collapse": {"tolerance": tolerance, "clip": 1.5},
    }
    more = {**more, "probes": {"sampling": "same", **more.get("probes", {})}}
    return parse_plan({"monitor": {"items": "these"}, "modes": modes, **more})


def test_closed_form() -> None:
    # sd 0.3 over items: 0.3 / sqrt(n) <= 0.25 * 0.1 at n = 144; SF-4 draws from two sets.
    assert items_for(plan(0.1), "SF-1") == 144
    assert items_for(plan(0.1), "SF-4") == 72
    assert items_for(plan(0.1), "SF-1", share=0.5) == 36
    assert items_for(plan(1.0), "SF-1", share=1.0) == 1


@settings(max_examples=6, deadline=None)
@given(st.floats(0.04, 0.5), st.sampled_from(["SF-1", "SF-4"]))
def test_fewest_that_plan_check_agrees_with(tolerance: float, code: str) -> None:
    declared = plan(tolerance)
    enough = items_for(declared, code)
    if not 9 <= enough <= 2000:
        return

    def shown(items: int) -> float:
        rows = power_table(plan(tolerance, probes={"items": items}))
        return next(row.item_sd for row in rows if row.code == code) or 0.0

    limit = 0.25 * tolerance * (1 + 1e-9)
    assert shown(enough) <= limit < shown(enough - 1)


def test_what_has_no_probes_is_refused() -> None:
    with pytest.raises(PlanError, match=r"fairness_collapse.*private records"):
        items_for(plan(0.1), "SF-3")
    with pytest.raises(PlanError, match="not planned"):
        items_for(plan(0.1), "SF-6")
    with pytest.raises(PlanError, match="share of 0"):
        items_for(plan(0.1), "SF-1", share=0)
