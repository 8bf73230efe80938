"""What happens to a run's folder when a run begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from unsilent.engines.flower.run import run_plan
from unsilent.errors import InputError, RunError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.run_folder import open_folder


def plan(seed: int = 0) -> MonitoringPlan:
    return parse_plan({"seed": seed, "modes": {"amplified_bias": {"tolerance": 0.1}}})


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.mark.parametrize("there", [True, False])
def test_a_new_run_holds_its_plan(there: bool, out: Path) -> None:
    if there:
        out.mkdir()
    open_folder(plan(), out)
    assert listed(out) == {"plan.json"}
    assert json.loads((out / "plan.json").read_text()) == plan().to_json()


def test_an_unfinished_run_of_the_same_plan_goes_on(out: Path) -> None:
    open_folder(plan(), out)
    (out / "state.json").write_text("{}")
    (out / "ledger.sqlite").write_text("kept")
    open_folder(plan(), out)
    assert listed(out) == {"plan.json", "state.json", "ledger.sqlite"}
    assert (out / "ledger.sqlite").read_text() == "kept"
    assert listed(out.parent) == {"run"}


def test_what_a_run_that_never_began_left_is_no_obstacle(out: Path) -> None:
    out.mkdir()
    (out / ".plan.json.123.part").write_text("{")
    (out / "not-monitored.txt").write_text("no such plan")
    open_folder(plan(), out)
    assert json.loads((out / "plan.json").read_text()) == plan().to_json()


def test_a_finished_run_is_kept_beside(out: Path) -> None:
    for number in (1, 2, 3):
        open_folder(plan(), out)
        (out / "findings.json").write_text(str(number))
    open_folder(plan(), out)
    assert listed(out) == {"plan.json"}
    assert listed(out.parent) == {"run", "run.1", "run.2", "run.3"}
    for number in (1, 2, 3):
        assert (out.with_name(f"run.{number}") / "findings.json").read_text() == str(number)


def test_a_run_of_another_plan_is_kept_beside_too(out: Path) -> None:
    open_folder(plan(seed=1), out)
    (out / "state.json").write_text("{}")
    open_folder(plan(seed=2), out)
    assert listed(out) == {"plan.json"}
    assert json.loads((out / "plan.json").read_text())["seed"] == 2
    assert listed(out.with_name("run.1")) == {"plan.json", "state.json"}


def test_a_folder_of_something_else_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty and holds no run") as caught:
        open_folder(plan(), out)
    assert caught.value.exit_code == 2
    assert listed(out) == {"thesis.txt"}


def test_a_file_is_refused(out: Path) -> None:
    out.write_text("not a folder")
    with pytest.raises(InputError, match="not a folder"):
        open_folder(plan(), out)
    assert out.read_text() == "not a folder"


def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file") as caught:
        run_plan(plan(), tmp_path / "file" / "run")
    assert "\n" not in caught.value.line()


HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_run_in_one_folder(out: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out.with_name(".run.lock"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process is running here"):
            run_plan(plan(), out)
        assert not out.exists()
