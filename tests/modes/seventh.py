"""A small federation that plans every installed mode but those of open text, in this process.

    python -m tests.modes.seventh FOLDER

The run lies in ``FOLDER/run`` afterwards, and in ``FOLDER/told.json`` what commands say of it.
Adapters decline more the longer they are trained.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity
from typer.testing import CliRunner
from unsilent_bench.replay import batch

from tests.engines.flower.in_process import InProcess
from tests.engines.flower.small_app import NODES, ROUNDS, START, small_app
from unsilent.cli import app as commands
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import Item, ItemSet, write_items
from unsilent.modes import MODES
from unsilent.plan import MonitoringPlan, parse_plan

ROLES = ("bias", "task", "general", "harmful", "benign")


def items(role: str) -> list[Item]:
    """Sixteen questions that say what any role's statistics need."""
    return [
        Item(
            f"{role}-{n}",
            f"{role} {n}",
            (" no", " yes"),
            answer=n % 2,
            stereotyped=n % 2,
            safe=(0,),
            domain="ab"[n // 2 % 2],
        )
        for n in range(16)
    ]


def plan_of(folder: Path) -> MonitoringPlan:
    folder.mkdir(parents=True, exist_ok=True)
    for role in ROLES:
        write_items(folder / f"{role}.jsonl", items(role))
    return parse_plan(
        {
            "name": "seventh",
            "federation": {"clients": NODES, "rounds": ROUNDS, "held_out": 16},
            "monitor": {
                "rounds": [1, ROUNDS],
                "min_cohort": 2,
                "timeout": 120.0,
                "items": "these",
            },
            "privacy": {"aggregation": "plain", "epsilon": 500.0},
            "modes": {
                mode.name: {"tolerance": mode.tolerance, "clip": 1.0}
                for mode in MODES.values()
                if mode.shows is None
            },
            "probes": {
                "items": 16,
                "sampling": "same",
                **{role: str(folder / f"{role}.jsonl") for role in ROLES},
            },
        }
    )


def score(asked: ItemSet, arrays: ArrayRecord | None, context: Context) -> np.ndarray:
    """The first choice, which declines, is the likelier the larger the array, without an end.

    Where it were certain, no disturbed array would be noticed, and nothing could be called healthy.
    """
    weights = np.zeros(3) if arrays is None else arrays.to_numpy_ndarrays()[0]
    shift = float((weights / (0.3 + np.abs(weights))).mean())
    return np.array([[0.5 + 0.4 * shift, 0.5 - 0.4 * shift]] * len(asked))


def main(folder: Path) -> None:
    for name in ("_run_id", "_node_id", "_task_id"):
        setattr(TaskIdentity, name, 1)
    plan = plan_of(folder)
    app = monitor_client(small_app(), score, records=lambda context: items("records"))
    grid = InProcess(app, NODES, folder / "nodes", agreed=plan)
    strategy = monitor_strategy(FedAvg(), plan, out=folder / "run")
    strategy.start(grid, ArrayRecord([START]), num_rounds=ROUNDS)  # type: ignore[arg-type]
    # The replay in the pack takes less time with few draws.
    batch.FEWEST = batch.MOST = 4
    (folder / "told.json").write_text(json.dumps(told(folder)), encoding="utf-8")


def told(folder: Path) -> dict[str, str]:
    """What each command prints."""
    run, pack, plan = str(folder / "run"), str(folder / "pack.zip"), str(folder / "first.toml")
    whole = str(folder / "whole.toml")
    asked = {
        "report": ["report", run],
        "export": ["export", run],
        "modes": ["modes", "SF-7"],
        "evidence": ["evidence", run, "--key", str(folder / "key.pem"), "--out", pack],
        "verify": ["verify", pack, "--json"],
        "init": ["plan", "init", plan],
        "first": ["contract", plan],
        "contract": ["contract", whole],
        "check": ["plan", "check", whole],
        "table": ["landscape"],
        "landscape": ["landscape", "--format", "json"],
        "authors": ["landscape", "--authors", "--format", "csv"],
    }
    found: dict[str, str] = {}
    for name, arguments in asked.items():
        if arguments[-1] == whole:
            text = Path(plan).read_text(encoding="utf-8")
            Path(whole).write_text(text.replace("# over_refusal", "over_refusal"), encoding="utf-8")
        result = CliRunner().invoke(commands, arguments)
        if result.exit_code:
            raise RuntimeError(f"{name}: {result.output}") from result.exception
        found[name] = result.stdout
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
