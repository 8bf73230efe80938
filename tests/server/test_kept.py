"""A server that was restarted goes on from what was kept, bit for bit, and trusts nothing else."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from unsilent.inference import looks
from unsilent.ledger import Ledger
from unsilent.ledger.events import RoundJudged
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release
from unsilent.release.noise import share_variance
from unsilent.server.kept import kept
from unsilent.server.monitor import Monitor

ROUNDS, CLIENTS = 20, 40


def plan(seed: int = 0) -> MonitoringPlan:
    return parse_plan(
        {
            "seed": seed,
            "federation": {"clients": CLIENTS, "rounds": ROUNDS},
            "monitor": {"items": "these", "min_cohort": 5},
            "probes": {"sampling": "same"},
            "privacy": {"epsilon": 20.0},
            "modes": {"alignment_erosion": {"tolerance": 0.1, "clip": 0.3}},
        }
    )


def sums(of: MonitoringPlan) -> list[Release]:
    layout, rng = Layout.from_plan(of), np.random.default_rng(3)
    variance = float(share_variance(of)) * CLIENTS
    one = layout.encode({**dict.fromkeys(layout.inputs, 0.0), "SF-6": 0.12})
    return [
        Release(
            layout.digest,
            number,
            CLIENTS,
            CLIENTS * one + np.rint(rng.normal(0, variance**0.5, len(one))).astype(np.int64),
            variance,
        )
        for number in of.monitoring_rounds
        if number not in (5, 16)
    ]


def told(ledger: Ledger) -> list[object]:
    return [entry.payload for entry in ledger.entries(RoundJudged.kind)]


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Boundaries are held from nine looks on, and not from 65 on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looks, "SHORT", 8)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run until round 18, judged by one process."""
    looks.forget()
    folder = tmp_path_factory.mktemp("run")
    monitor = Monitor(plan(), Ledger(folder / "ledger.sqlite"), accept_underpowered=True)
    for total in sums(plan())[:16]:
        monitor.judge(total.round, total)
    return folder


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    shutil.copytree(run, tmp_path / "copy")
    looks.forget()
    return tmp_path / "copy"


def go_on(folder: Path) -> Ledger:
    ledger = Ledger(folder / "ledger.sqlite")
    monitor = Monitor(plan(), ledger, accept_underpowered=True)
    for total in sums(plan())[16:]:
        monitor.judge(total.round, total)
    return ledger


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The information of each step of the numerical integration that is made."""
    made: list[float] = []
    step: Callable[..., tuple[float, looks.Density]] = looks.Density.next

    def counted(density: looks.Density, total: float, error: float) -> tuple[float, looks.Density]:
        made.append(total)
        return step(density, total, error)

    monkeypatch.setattr(looks.Density, "next", counted)
    return made


def test_a_restarted_server_goes_on_and_says_the_same(copied: Path, steps: list[float]) -> None:
    bare = copied.with_name("bare")
    shutil.copytree(copied, bare)
    (bare / "ledger.kept").unlink()
    restarted = told(go_on(copied))
    few = len(steps)
    looks.forget()
    assert told(go_on(bare)) == restarted
    # Two rounds, of the boundaries of effect, slope and system metrics: a step each.
    assert 0 < few <= 2 * 3
    assert len(steps) - few > 30


def damaged(folder: Path, how: str) -> None:
    place = folder / "ledger.kept"
    data = bytearray(place.read_bytes())
    if how == "a number changed":
        data[-100] ^= 1
    elif how == "cut short":
        data = data[:-8]
    elif how == "empty":
        data = bytearray()
    elif how == "another version":
        body = bytes(data[:-32]).replace(b'"unsilent": "', b'"unsilent": "9')
        data = bytearray(body + hashlib.sha256(body).digest())
    elif how == "another ledger":
        body = bytes(data[:-32]).replace(b'"hash": "sha256:', b'"hash": "sha256:0')
        data = bytearray(body + hashlib.sha256(body).digest())
    elif how == "other sizes":
        body = bytes(data[:-32]).replace(b'"boundaries": [[', b'"boundaries": [[1')
        data = bytearray(body + hashlib.sha256(body).digest())
    place.write_bytes(data)


@pytest.mark.parametrize(
    "how",
    [
        "a number changed",
        "cut short",
        "empty",
        "another version",
        "another ledger",
        "other sizes",
    ],
)
def test_what_does_not_fit_is_left_aside(copied: Path, how: str) -> None:
    ledger = Ledger(copied / "ledger.sqlite")
    assert kept(ledger, plan().digest)
    damaged(copied, how)
    assert kept(ledger, plan().digest) == ()


def test_it_belongs_to_one_plan(copied: Path) -> None:
    assert kept(Ledger(copied / "ledger.sqlite"), plan(seed=1).digest) == ()


def test_it_belongs_to_one_ledger(copied: Path, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other.sqlite")
    monitor = Monitor(plan(), other, accept_underpowered=True)
    monitor.judge(1, sums(plan())[0])
    shutil.copy(copied / "ledger.kept", tmp_path / "other.kept")
    assert kept(other, plan().digest) == ()
