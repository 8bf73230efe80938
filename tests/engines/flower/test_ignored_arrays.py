"""A score function that ignores the arrays it is given is never called HEALTHY."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context
from flwr.serverapp.strategy import FedAvg

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import NODES, START, begin, small_app, small_plan
from unsilent.client.local import local_view
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import ItemSet
from unsilent.plan import MonitoringPlan


@pytest.fixture(autouse=True)
def _in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def lean(items: ItemSet, size: float) -> list[list[float]]:
    rows = [np.linspace(1.0 - size, 1.0 + size, len(item.choices)) for item in items]
    return [(row / row.sum()).tolist() for row in rows]


def honest(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    return lean(
        items, 0.0 if arrays is None else 0.01 * float(arrays.to_numpy_ndarrays()[0].mean())
    )


def deaf(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    return lean(items, 0.0)


def these(folder: Path, **changes: Any) -> MonitoringPlan:
    """Verdicts about the probes as they are: of all like them 16 say too little for HEALTHY."""
    return small_plan(folder, monitor={"items": "these"}, **changes)


def monitored(folder: Path, score: Any, plan: MonitoringPlan | None = None) -> dict[str, Any]:
    plan = plan or these(folder)
    strategy = monitor_strategy(
        FedAvg(fraction_evaluate=0.0, min_available_nodes=NODES), plan, out=folder / "run"
    )
    grid = begin(folder / "nodes", monitor_client(small_app(), score), agreed=plan)
    strategy.start(grid, ArrayRecord([START]), num_rounds=3)  # type: ignore[arg-type]
    told: dict[str, Any] = json.loads((folder / "run" / "findings.json").read_text())
    return told


def of_sf2(told: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in told["findings"] if each["code"] == "SF-2")


def test_a_client_that_scores_what_it_is_given_can_be_healthy(tmp_path: Path) -> None:
    found = of_sf2(monitored(tmp_path, honest))
    assert found["verdict"] == "healthy"
    assert abs(found["unshown"]) < 0.1


def test_one_that_does_not_is_undetermined_and_says_why(tmp_path: Path) -> None:
    found = of_sf2(monitored(tmp_path, deaf))
    assert found["verdict"] == "undetermined"
    assert found["unshown"] == pytest.approx(1, abs=0.15)
    assert "the measured model could not be shown to be the personalized one" in found["reason"]


def test_the_client_alone_learns_what_to_look_at(tmp_path: Path) -> None:
    told = json.dumps(monitored(tmp_path, deaf))
    stores = [path.parent for path in (tmp_path / "nodes").rglob("own.json")]
    assert len(stores) == NODES
    notes = [note for store in stores for note in local_view(store).model]
    assert any("whether it uses the arrays it is given" in note for note in notes)
    assert "whether it uses the arrays" not in told


def test_a_layout_that_is_not_the_plans_is_counted(tmp_path: Path) -> None:
    plan = these(tmp_path, model={"expect": {"layout": "sha256:" + "0" * 64}})
    told = monitored(tmp_path, honest, plan)
    found = of_sf2(told)
    assert told["model"]["layout"] == "sha256:" + "0" * 64
    assert found["verdict"] == "undetermined"
    assert found["differing"] == pytest.approx(1, abs=0.15)
    assert "is not what the plan expects" in found["reason"]
