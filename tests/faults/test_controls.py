"""The fault injection's own checks: each promise, broken by hand, is reported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import broken_promises, trained
from tests.faults.federation import Case, Fault
from unsilent.ledger import Ledger

CASE = Case("warm-up", Fault(), "strategy", "secure-sum")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which nothing went wrong."""
    out = tmp_path_factory.mktemp("whole")
    root = Path(__file__).parents[2]
    code = "import sys; from pathlib import Path; from tests.faults.cases import warm_up; "
    subprocess.run(
        [sys.executable, "-c", f"{code} warm_up(Path(sys.argv[1]), ['strategy'])", str(out)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        check=True,
    )
    return out / "strategy"


def spend_twice(run: Path) -> None:
    path = run / "nodes" / "3" / "budget.json"
    budget = json.loads(path.read_text())
    budget["releases"].append(budget["releases"][0])
    path.write_text(json.dumps(budget))


def release_unbooked(run: Path) -> None:
    path = run / "nodes" / "3" / "budget.json"
    budget = json.loads(path.read_text())
    budget["releases"] = budget["releases"][:1]
    path.write_text(json.dumps(budget))


def send_another_release(run: Path) -> None:
    path = run / "wire.jsonl"
    lines = path.read_text().splitlines()
    last = json.loads(next(line for line in lines if "observe" in line))
    path.write_text("\n".join([*lines, json.dumps({**last, "body": "another"})]))


def tell_a_secret(run: Path) -> None:
    path = run / "wire.jsonl"
    path.write_text(path.read_text().replace('"leaks": false', '"leaks": true', 1))


def lose_an_entry(run: Path) -> None:
    path = run / "acknowledged"
    path.write_text(path.read_text() + "sha256:lost\n")


def train_otherwise(run: Path) -> None:
    path = run / "trained.json"
    found = json.loads(path.read_text())
    found["arrays"][0] = "00" + found["arrays"][0][2:-2] + "ff"
    path.write_text(json.dumps(found))


def book_a_round_twice(run: Path) -> None:
    ledger = Ledger(run / "run" / "ledger.sqlite")
    ledger.append("privacy_event", ledger.entries("privacy_event")[0].payload)


def sum_something_else(run: Path) -> None:
    ledger = Ledger(run / "run" / "ledger.sqlite")
    payload = dict(ledger.entries("sum")[0].payload)
    ledger.append("sum", {**payload, "vector": [payload["vector"][0] + 1, *payload["vector"][1:]]})


CONTROLS: list[tuple[Callable[[Path], None], str]] = [
    (spend_twice, "client 3 spent rounds [1, 2, 3, 1]"),
    (release_unbooked, "2 releases that it did not book"),
    (send_another_release, "2 different releases"),
    (tell_a_secret, "told the server what it must not"),
    (lose_an_entry, "1 ledger entries are lost"),
    (train_otherwise, "training gave something else"),
    (book_a_round_twice, "the server booked rounds"),
    (sum_something_else, "is not that of 6 releases"),
]


def test_a_whole_run_breaks_none(whole: Path) -> None:
    assert list(broken_promises(CASE, whole, 0, trained(whole))) == []


@pytest.mark.parametrize(("doctor", "words"), CONTROLS, ids=[c[0].__name__ for c in CONTROLS])
def test_a_broken_promise_is_reported(
    doctor: Callable[[Path], None], words: str, whole: Path, tmp_path: Path
) -> None:
    expected = trained(whole)
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    doctor(run)
    assert any(words in each for each in broken_promises(CASE, run, 0, expected))
