"""What ``plan check`` refuses, a monitor refuses too, before anything is booked."""

import numpy as np
import pytest

from unsilent.errors import PlanError
from unsilent.ledger import Ledger
from unsilent.plan import parse_plan
from unsilent.report.power_report import foresee
from unsilent.server.monitor import Monitor
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.run_folder import NOT_MONITORED
from unsilent.server.settings import Settings


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
    "noise too small to be drawn": plan(privacy={"epsilon": 1e13, "aggregation": "plain"}),
    "no secure sum withstands the drop-outs": plan(
        monitor={"min_cohort": 10}, privacy={"unit": "none", "dropout": 0.5}
    ),
    "more drop out than a sum can miss": plan(privacy={"epsilon": 8.0, "dropout": 0.5}),
    "nobody honest is left": plan(
        monitor={"min_cohort": 5}, privacy={"epsilon": 8.0, "dropout": 0.9}
    ),
}
HOPELESS = plan(privacy={"epsilon": 0.01, "aggregation": "plain"})


@pytest.mark.parametrize("why", UNUSABLE)
def test_a_plan_whose_sums_could_not_be_judged_is_refused(why, tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    with pytest.raises(PlanError) as checked:
        foresee(UNUSABLE[why])
    for accept in (False, True):
        with pytest.raises(PlanError) as refused:
            Monitor(UNUSABLE[why], ledger, accept_underpowered=accept)
        assert refused.value.line() == checked.value.line()
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


def test_the_two_lines_refuse_such_a_plan_before_a_client_is_asked(tmp_path):
    run = MonitoredRun(
        Settings(UNUSABLE["no secure sum withstands the drop-outs"], tmp_path / "run")
    )
    run.transport = Unasked()
    for number in (1, 2):
        assert run.begin(number, {"x": np.zeros(1)}) is None
        run.after_round(number, {"x": np.zeros(1)}, list(range(30)), {})
    run.close()
    assert not Ledger(tmp_path / "run" / "ledger.sqlite").entries()
    assert "withstands" in (tmp_path / "run" / NOT_MONITORED).read_text()


class Unasked:
    """A transport that nobody may use."""

    def ask(self, *given):
        raise AssertionError("a client was asked")
