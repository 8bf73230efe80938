"""The GitHub Action's step as GitHub runs it: a failing run fails the job, by its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action" / "action.yml").read_text(encoding="utf-8"))
EARLIER = ROOT / "tests" / "earlier" / "695f6a0" / "run"


def gated(run: Path, tmp_path: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """The step's script with a run; inputs that are not given are the action's own."""
    (step,) = ACTION["runs"]["steps"]
    inputs = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    inputs |= {"run": str(run), **{name.replace("_", "-"): value for name, value in given.items()}}
    env = {
        name: inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, value in step["env"].items()
    }
    places = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary"}
    env |= {name: str(tmp_path / place) for name, place in places.items()}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # GitHub's own line for shell: bash.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(
        command, env={**os.environ, **env, "PATH": path}, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


def test_a_failure_fails_the_job_and_is_in_its_summary(tmp_path: Path) -> None:
    done = gated(EARLIER, tmp_path)
    assert done.returncode == 3, done.stderr
    assert '"SF-1": ' in (tmp_path / "output").read_text()
    assert "silent" in (tmp_path / "summary").read_text().lower()


def test_a_folder_without_findings_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = gated(tmp_path / "empty", tmp_path)
    assert done.returncode == 2
    assert "no findings here" in done.stderr


def test_an_input_is_never_code(tmp_path: Path) -> None:
    done = gated(tmp_path / "$(touch owned); touch owned", tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["run", "fail-on", "summary"])
def test_every_input_is_described(name: str) -> None:
    assert ACTION["inputs"][name]["description"]
