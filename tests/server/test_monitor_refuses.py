"""What ``plan check`` refuses, a monitor refuses too, before anything is booked."""

import pytest

from unsilent.errors import PlanError
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.server.monitor import Monitor


def plan(**changes):
    return parse_plan(
        {
            "federation": {"clients": 30, "rounds": 2},
            "monitor": {"min_cohort": 20},
            "privacy": {"epsilon": 8.0, "aggregation": "plain"},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
        }
        | changes
    )


UNUSABLE = {
    "too few take part": plan(
        federation={"clients": 30, "rounds": 2, "participation": 0.5},
    ),
    "noise too small to be drawn": plan(privacy={"epsilon": 1e6, "aggregation": "plain"}),
}
HOPELESS = plan(privacy={"epsilon": 0.01, "aggregation": "plain"})


@pytest.mark.parametrize("why", UNUSABLE)
def test_a_plan_whose_sums_could_not_be_judged_is_refused(why, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for accept in (False, True):
        with pytest.raises(PlanError):
            Monitor(UNUSABLE[why], ledger, accept_underpowered=accept)
    assert not ledger.entries()


def test_a_plan_without_any_verdict_in_reach_is_refused_unless_accepted(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    with pytest.raises(PlanError, match="only UNDETERMINED is within reach"):
        Monitor(HOPELESS, ledger)
    assert not ledger.entries()
    Monitor(HOPELESS, ledger, accept_underpowered=True).spend(1)
    # What has begun goes on.
    Monitor(HOPELESS, ledger).spend(2)
    assert len(ledger.entries("privacy_event")) == 2
