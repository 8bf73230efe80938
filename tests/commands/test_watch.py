"""``unsilent watch`` does the next round with an app's clients, and says what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.flower.in_process import InProcess, enter_run
from unsilent.cli import main
from unsilent.engines.flower import watch_run
from unsilent.ledger import Ledger

PLAN = """
name = "watched"
[federation]
clients = 3
rounds = 2
[monitor]
min_cohort = 2
[privacy]
epsilon = 500.0
aggregation = "plain"
[probes]
task = "{probes}"
items = 48
[modes.confidence_miscalibration]
tolerance = 0.2
clip = 0.6
"""
CLIENT = """
import numpy as np
from flwr.app import ArrayRecord
from flwr.clientapp import ClientApp
from unsilent.flower import monitor_client


def score(items, arrays, context):
    assert context.run_config["sharpness"] == 2.0
    by = 0.0 if arrays is None else float(arrays.to_numpy_ndarrays()[0].mean())
    return [[0.5 - by, 0.5 + by] for item in items]


app = monitor_client(
    ClientApp(), score, personalize=lambda arrays, context: ArrayRecord([np.full(2, {by})])
)
"""
PROJECT = """
[project]
name = "sites"
version = "1.0.0"
[tool.flwr.app]
publisher = "us"
[tool.flwr.app.components]
serverapp = "nothing:app"
clientapp = "{module}:app"
[tool.flwr.app.config]
sharpness = 2.0
"""
PROBES = Path(__file__).parents[2] / "examples" / "deployment" / "app" / "ward" / "probes.jsonl"


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of Flower's simulation, which takes seconds to start."""
    enter_run(monkeypatch)

    def simulate(
        main: Any, client: Any, nodes: int, workers: int, folder: Path, gpus: float
    ) -> None:
        monkeypatch.setenv("UNSILENT_SIMULATION", str(folder))
        grid = InProcess(client, nodes, folder)
        for context in grid.contexts.values():
            del context.node_config["store"]
        main(grid)

    monkeypatch.setattr(watch_run, "simulate", simulate)


def made(folder: Path, module: str, by: object = 0.2) -> Path:
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN.format(probes=PROBES))
    (folder / f"{module}.py").write_text(CLIENT.replace("{by}", str(by)))
    (folder / "pyproject.toml").write_text(PROJECT.format(module=module))
    return folder / "plan.toml"


def test_two_calls_are_two_rounds_and_a_third_says_that_none_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = made(tmp_path / "sites", "watched_sites")
    given = [str(plan), "--app", str(plan.parent), "--out", str(tmp_path / "run")]
    given.append("--accept-underpowered")
    assert main(["watch", *given]) == 0
    said = capsys.readouterr().out
    assert "Round 1; 1 of this plan are left" in said
    assert main(["findings", str(tmp_path / "run")]) == 0
    assert main(["watch", *given, "--json"]) == 0
    assert '"round": 2' in capsys.readouterr().out
    assert main(["watch", *given]) == 1
    assert "all 2 rounds of this plan are done" in capsys.readouterr().err
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite", read_only=True)
    assert [entry.payload["round"] for entry in ledger.entries("findings")] == [1, 2]
    clients = sorted((tmp_path / "run" / "clients").iterdir())
    assert [path.name for path in clients] == ["0000", "0001", "0002"]


def test_a_missed_round_is_told_with_its_reason_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = made(tmp_path / "sites", "watched_badly", by="1 / 0")
    given = ["--app", str(plan.parent), "--out", str(tmp_path / "run"), "--accept-underpowered"]
    assert main(["watch", str(plan), *given]) == 1
    assert "the round was missed: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--every", "soon"], "no span of time"),
        (["--app", "."], "no Flower app"),
        (["--superlink", "here", "--json"], "nothing reads it with --superlink"),
        ([], "only UNDETERMINED is within reach"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    given: list[str],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = made(tmp_path / "sites", "watched_not")
    plan.write_text(plan.read_text().replace("500.0", "0.01"))
    monkeypatch.chdir(tmp_path)
    given = given if "--app" in given else [*given, "--app", str(plan.parent)]
    assert main(["watch", str(plan), "--out", str(tmp_path / "run"), *given]) in (1, 2)
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1
    assert not (tmp_path / "run").exists()
