"""A plan's mode of which traces hold nothing is left out with a line, and the others go on."""

from __future__ import annotations

import logging

import pytest
from unsilent_bench.replay import batch
from unsilent_bench.replay.batch import recorded_only
from unsilent_bench.replay.validation import validation
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.errors import InputError
from unsilent.inference.bands import mode_level
from unsilent.plan import MonitoringPlan, parse_plan


@pytest.fixture(autouse=True)
def recorded_before_erosion(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if traces had been recorded before the last mode was there."""
    monkeypatch.setattr(batch, "CODES", batch.CODES[:5])


def plan(*names: str) -> MonitoringPlan:
    data = PLAN.to_json()
    data["model"]["kind"] = "encoder"
    data["federation"] |= {"clients": 32, "rounds": 10}
    data["modes"] = {
        name: {"tolerance": 0.05, "alpha_weight": w} for w, name in enumerate(names, 1)
    }
    return parse_plan(data)


def test_what_is_left_keeps_its_error(caplog: pytest.LogCaptureFixture) -> None:
    whole = plan("adaptation_misalignment", "alignment_erosion")
    with caplog.at_level(logging.WARNING):
        left = recorded_only(whole)
    assert left.planned == ("SF-4",)
    assert mode_level(left, "SF-4") == pytest.approx(mode_level(whole, "SF-4"))
    assert [record.getMessage() for record in caplog.records] == [
        "SF-6: not in the traces, and left out of the replay"
    ]


def test_a_plan_that_traces_know_whole_is_left_alone() -> None:
    whole = plan("adaptation_misalignment")
    assert recorded_only(whole) is whole


def test_the_others_are_validated() -> None:
    made = Traces(
        tuple(federation("SF-4", dose, 1, clients=32) for dose in ("none", "strong")), "here"
    )
    found = validation(plan("adaptation_misalignment", "alignment_erosion"), made)
    assert {row.mode for row in found} == {"SF-4"}


def test_a_plan_of_such_modes_alone_has_nothing_to_be_held_against() -> None:
    with pytest.raises(InputError, match="traces hold none of the plan's modes"):
        recorded_only(plan("alignment_erosion"))
