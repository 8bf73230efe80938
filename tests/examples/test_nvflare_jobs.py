"""FLARE's example jobs: without their patch nothing of monitoring is left, and their plans hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from unsilent.files import find
from unsilent.plan import read_plan
from unsilent.probes.shipping import shipped_fields

JOBS = Path(__file__).parents[2] / "examples" / "nvflare"


@pytest.mark.parametrize("name", ["digits", "headlines"])
def test_two_lines_are_all_that_a_job_has_of_monitoring(name: str, tmp_path: Path) -> None:
    job = tmp_path / name
    shutil.copytree(JOBS / name, job)
    command = ["git", "apply", "--reverse", "two-lines.patch"]
    quiet = {"GIT_CEILING_DIRECTORIES": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run(command, cwd=job, check=True, env=quiet, capture_output=True)
    left = {path.name for path in job.glob("*.py") if "unsilent" in path.read_text()}
    assert left <= {"monitoring.py"}
    added = [line for line in (job / "two-lines.patch").read_text().splitlines() if line[:1] == "+"]
    calls = [line for line in added if "monitor_" in line and "import" not in line]
    assert len(calls) == 2


def test_the_plan_with_a_file_of_its_own_ships_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(JOBS / "digits")
    assert list(shipped_fields(read_plan(Path("plan.toml")), find)) == ["probes.task"]


def test_the_language_models_plan_can_be_read() -> None:
    assert read_plan(JOBS / "headlines" / "plan.toml").planned == ("SF-1", "SF-6")
