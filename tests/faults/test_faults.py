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

from tests.faults.cases import STAGES, suite

if not hasattr(os, "fork"):
    pytest.skip("processes cannot be forked here", allow_module_level=True)

SEED, COUNT = 1, 40
SHORT = (2, 5, 7, 8, 9, 11, 12, 14, 16, 19, 22, 25, 29, 30, 32, 33, 34, 36)
"""Of each process, each kind of fault and each exchange one at least."""
SUITE = dict(enumerate(suite(SEED, COUNT)))
NAMES = [
    pytest.param(case.name, marks=() if number in SHORT else pytest.mark.long)
    for number, case in SUITE.items()
]
HARMLESS = [
    each
    for each, case in zip(NAMES, SUITE.values(), strict=True)
    if case.fault.what in ("app", "late", "twin", "raise")
]


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
    memory: Path | None, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, dict[str, Any]]:
    """The cases that are asked for, in a process that has no thread and no model library."""
    root = Path(__file__).parents[2]
    out = memory if memory is not None else tmp_path_factory.mktemp("faults")
    own = [item for item in request.session.items if item.path == Path(__file__)]
    asked = [getattr(item, "callspec", None) for item in own]
    chosen = [each.params.get("case") for each in asked if each]
    names = [case.name for case in SUITE.values() if case.name in chosen]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.run", str(SEED), str(COUNT), str(out)],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": str(root / "src"),
            "OMP_NUM_THREADS": "1",
            "NAMES": "\n".join(names),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    return {case["case"]["name"]: case for case in cases}


def test_the_short_form_has_every_kind() -> None:
    short = [SUITE[number] for number in SHORT]
    assert {case.fault.what for case in short} == {case.fault.what for case in SUITE.values()}
    assert set(STAGES) <= {case.fault.stage for case in short}
    servers = [(case.server, case.aggregation) for case in short if case.fault.what == "server"]
    assert len(set(servers)) == 4


@pytest.mark.parametrize("case", NAMES)
def test_every_promise_is_kept(case: str, results: dict[str, dict[str, Any]]) -> None:
    assert results[case]["broken"] == []


@pytest.mark.parametrize("case", HARMLESS)
def test_one_lost_client_costs_no_round(case: str, results: dict[str, dict[str, Any]]) -> None:
    """The plan allows for one: whenever its app dies, all rounds are judged."""
    found = results[case]
    assert (found["judged"], found["missed"]) == ([1, 2, 3], {})
