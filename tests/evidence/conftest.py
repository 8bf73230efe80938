"""A run as a monitor writes it, from made-up clients, and packs of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import Layout, Release
from unsilent.release.noise import share_variance
from unsilent.server.monitor import Monitor

CLIENTS = 24
EFFECTS = {"SF-1": 0.35, "SF-4": 0.0}


def plan_of(rounds: int) -> MonitoringPlan:
    return parse_plan(
        {
            "name": "ward",
            "federation": {"clients": CLIENTS, "rounds": rounds},
            "monitor": {"rounds": "every", "min_cohort": 20},
            "privacy": {"epsilon": 8.0, "delta": 1e-5},
            "modes": {
                "amplified_bias": {"tolerance": 0.1, "clip": 0.5},
                "adaptation_misalignment": {"tolerance": 0.1, "clip": 0.3},
            },
        }
    )


def sum_of(plan: MonitoringPlan, number: int) -> Release:
    """The sum of one round: clients near the effects, discrete noise rounded from a normal."""
    layout = Layout.from_plan(plan)
    random = np.random.default_rng([7, number])
    total = np.zeros(len(layout.names), dtype=np.int64)
    for client in range(CLIENTS):
        own = np.random.default_rng([3, client])
        values = dict.fromkeys(layout.inputs, 0.0)
        for code, effect in EFFECTS.items():
            values[code] = effect + 0.05 * own.standard_normal()
            values[f"{code}.spread"] = 0.02
        values["system.accuracy"] = -0.05
        total += layout.encode(values)
    variance = CLIENTS * float(share_variance(plan))
    noise = np.rint(random.standard_normal(len(total)) * np.sqrt(variance)).astype(np.int64)
    return Release(layout.digest, number, CLIENTS, total + noise, variance)


def write_run(folder: Path, rounds: int) -> Path:
    """A finished run: rounds judged, one missed if there are enough, and a person who knows."""
    plan = plan_of(rounds)
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps(plan.to_json()), encoding="utf-8")
    ledger = Ledger(folder / "ledger.sqlite")
    monitor = Monitor(plan, ledger)
    for number in range(1, rounds + 1):
        monitor.system(number, 0.6 / number, 0.7 + 0.1 * number / rounds)
        monitor.spend(number)
        if number == 3 and rounds > 3:
            monitor.miss(number, "18 of 20 needed releases arrived")
        else:
            monitor.judge(number, sum_of(plan, number))
    ledger.append("aware", {"by": "A. Person", "note": "told the ward", "head": ledger.head})
    write_findings(folder / "findings.json", monitor.findings())
    return folder


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("evidence") / "run", 5)


@pytest.fixture(scope="session")
def pack(run_folder: Path, key: Ed25519PrivateKey) -> bytes:
    """Its validation is the published one: see ``published_validation``."""
    from unsilent.evidence import facts, write_pack

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "entry_points", lambda group: ())
        return write_pack(run_folder, run_folder.parent / "pack.zip", key).read_bytes()


@pytest.fixture(scope="session")
def make_run() -> Callable[[Path, int], Path]:
    return write_run
