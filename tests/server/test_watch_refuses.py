"""What a watch could only answer by a number that says nothing is refused before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.server.watching import SITES, Sites, leaning, open_watch, watch_plan
from unsilent.errors import InputError, PlanError, RunError
from unsilent.messages import ADAPTER, OBSERVE, Order
from unsilent.server.run_folder import open_folder
from unsilent.server.watch import Watch

NODES = list(range(SITES))
FAIR = {"fairness_collapse": {"tolerance": 0.05, "clip": 0.3}}
ALIGNED = {"adaptation_misalignment": {"tolerance": 0.1, "clip": 0.3}}

REFUSED: dict[str, tuple[bool, dict[str, Any], str]] = {
    "a mode on what is sent, and nothing is": (False, {"modes": FAIR}, "none is sent"),
    "a mode on a round's training": (True, {"modes": ALIGNED}, "a watch trains nothing"),
    "the reference is the model itself": (
        True,
        {"modes": FAIR, "monitor": {"reference": "round:1"}},
        "which is that model",
    ),
    "a reference that is never sent": (
        False,
        {"monitor": {"reference": "round:1"}},
        "no model is sent",
    ),
    "a gate": (True, {"gate": {"action": "hold"}}, "nothing is aggregated"),
    "a cap of rounds a client": (
        False,
        {
            "privacy": {"rounds_per_client": 1},
            "federation": {"participation": 0.5},
            "monitor": {"min_cohort": 2},
        },
        "does not know which clients",
    ),
    "some rounds only": (False, {"monitor": {"rounds": [2]}}, "each round of a watch"),
    "no verdict in reach": (False, {"privacy": {"epsilon": 0.01}}, "only UNDETERMINED"),
    "no sum in reach": (
        False,
        {"privacy": {"aggregation": "secure-sum", "dropout": 0.9}},
        "no honest client is left|drop out",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_plan_is_refused_before_there_is_a_folder(why: str, tmp_path: Path) -> None:
    sends, changes, says = REFUSED[why]
    with pytest.raises(PlanError, match=says):
        Watch(watch_plan(tmp_path, **changes), tmp_path / "run", sends=sends)
    assert not (tmp_path / "run").exists()


def test_a_training_runs_folder_is_no_watch_and_the_other_way_round(tmp_path: Path) -> None:
    plan = watch_plan(tmp_path)
    open_folder(plan, tmp_path / "trained")
    with pytest.raises(RunError, match="that trains"):
        Watch(plan, tmp_path / "trained", sends=False)
    open_watch(plan, tmp_path / "watched").round(Sites(tmp_path, leaning(0.02), plan), NODES)
    with pytest.raises(InputError, match="holds a watch"):
        open_folder(plan, tmp_path / "watched")
    # By another plan the folder is kept beside, as any run's.
    open_folder(watch_plan(tmp_path, name="other"), tmp_path / "watched")
    assert (tmp_path / "watched.1" / "watch.json").is_file()
    assert not (tmp_path / "watched" / "watch.json").exists()


def test_a_client_does_not_take_what_was_not_sent_for_the_base(tmp_path: Path) -> None:
    """Also of a server that is no watch of ours."""
    plan = watch_plan(
        tmp_path,
        modes={"fairness_collapse": {"tolerance": 0.05, "clip": 0.3}},
    )
    asked: list[Any] = []

    def score(items: Any, arrays: Any) -> Any:
        asked.append(arrays)
        return [[0.5, 0.5] for _ in items]

    sites = Sites(tmp_path, leaning(0.1), plan, score=score)
    order = Order(_text(plan), "run", 1, {}, {ADAPTER: {}})
    (answer,) = sites.ask(OBSERVE, {0: order}, lambda n, total: None, 1.0).values()
    assert answer.failed and asked == []
    full = Order(_text(plan), "run", 1, {}, {ADAPTER: {"lean": np.zeros(3, np.float32)}})
    assert sites.ask(OBSERVE, {1: full}, lambda n, total: None, 1.0)[1].failed


def _text(plan: Any) -> str:
    import json

    return json.dumps(plan.to_json())
