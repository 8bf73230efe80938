"""An engine calls three methods of a run, and none of them raises into its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.settings import Settings


def plan() -> MonitoringPlan:
    return parse_plan(
        {
            "federation": {"clients": 4, "rounds": 2},
            "monitor": {"rounds": [2], "min_cohort": 2, "reference": "round:1"},
            "privacy": {"aggregation": "plain", "epsilon": 500.0},
            "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
            "gate": {"action": "hold"},
        }
    )


class Silent:
    """A transport over which nobody is reached."""

    def ask(self, kind: str, orders: Any, told: Any, timeout: float) -> dict[int, Any]:
        raise RuntimeError("the patient wrote: it hurts")


def missed(out: Path) -> list[Any]:
    return [entry.payload for entry in Ledger(out / "ledger.sqlite").entries("missed")]


def rounds(run: MonitoredRun, arrays: Any) -> None:
    run.transport = Silent()
    for number in (1, 2):
        assert run.begin(number, arrays) is None
        run.after_round(number, arrays, [1, 2, 3, 4], {"loss": 1.0, "acc": 0.5})
    run.close()


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.zeros(1)])
def test_arrays_that_cannot_be_kept_are_a_missed_round(array: Any, tmp_path: Path) -> None:
    rounds(MonitoredRun(Settings(plan(), tmp_path / "run", accept_underpowered=True)), {"x": array})
    (entry,) = missed(tmp_path / "run")
    assert entry["round"] == 2
    assert "patient" not in str(entry)


def test_a_ledger_that_cannot_be_written_is_no_concern_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MonitoredRun(Settings(plan(), tmp_path / "run", accept_underpowered=True))
    assert run.begin(1, {"x": np.zeros(1)}) is None

    def full(*given: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Ledger, "append", full)
    rounds(run, {"x": np.zeros(1)})


def test_a_folder_that_cannot_be_made_is_no_concern_of_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rounds(MonitoredRun(Settings(plan(), tmp_path / "file" / "run")), {"x": np.zeros(1)})
