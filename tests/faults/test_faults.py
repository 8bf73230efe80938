"""Whatever is killed, and whenever: nothing is lost, nothing is spent twice, training is the same.

Real processes and real SIGKILLs, at points that a seed draws among all that a process does on disk.
``benchmarks/fault_injection.py`` runs more of them, and kills a deployment's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cases import suite

if not hasattr(os, "fork"):
    pytest.skip("processes cannot be forked here", allow_module_level=True)

SEED, COUNT = 1, 40
CASES = [case.name for case in suite(SEED, COUNT)]


@pytest.fixture(scope="module")
def memory() -> Iterator[Path | None]:
    """A folder in memory, where there is one: the cases write thousands of small files."""
    if not os.access("/dev/shm", os.W_OK):
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def results(
    memory: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """All cases, shared out to two processes that have no thread and no model library."""
    root = Path(__file__).parents[2]
    out = memory if memory is not None else tmp_path_factory.mktemp("faults")
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.run",
                str(SEED),
                str(COUNT),
                str(out),
                str(part),
                "2",
            ],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for part in (0, 1)
    ]
    found: dict[str, dict[str, Any]] = {}
    for process in running:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        for line in output.splitlines():
            case = json.loads(line)
            found[case["case"]["name"]] = case
    return found


@pytest.mark.parametrize("name", CASES)
def test_every_promise_is_kept(name: str, results: dict[str, dict[str, Any]]) -> None:
    assert results[name]["broken"] == []


def test_one_lost_client_costs_no_round(results: dict[str, dict[str, Any]]) -> None:
    """The plan allows for one: whenever its app dies, all rounds are judged."""
    for found in results.values():
        if found["case"]["fault"]["what"] in ("app", "late", "twin", "raise"):
            assert (found["judged"], found["missed"]) == ([1, 2, 3], {}), found["case"]["name"]
