"""A pack of plans that followed one another: both are shown, and each handover is judged again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.evidence.conftest import CLIENTS, sum_of
from tests.evidence.tamper import Files, rehashed, resealed
from unsilent.evidence import container, facts
from unsilent.evidence.entries import from_lines
from unsilent.evidence.pack import write_pack
from unsilent.evidence.verify import verify_bytes
from unsilent.findings import write_findings
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.report.page import page
from unsilent.report.source import read_run
from unsilent.server.monitor import Monitor
from unsilent.server.run_folder import succeed_in


def plan(before: MonitoringPlan | None = None, **changes: Any) -> MonitoringPlan:
    told = {} if before is None else {"follows": before.digest, "last": before.federation.rounds}
    return parse_plan(
        {
            "name": "ward" if before is None else "ward-2",
            "federation": {"clients": CLIENTS, "rounds": 2 if before is None else 4},
            "monitor": {
                "min_cohort": 20,
                "alpha": 0.02,
                "control": changes.get("control", "horizon"),
            },
            "privacy": {"epsilon": 8.0},
            "versions": {"alpha": 0.05, "epsilon": 14.0, **told},
            "modes": {
                "amplified_bias": {"tolerance": changes.get("tolerance", 0.1), "clip": 0.5},
                "adaptation_misalignment": {"tolerance": 0.1, "clip": 0.3},
            },
        }
    )


def run_in(folder: Path, first: MonitoringPlan, second: MonitoringPlan) -> Path:
    """Two rounds under each plan, the server begun again for each."""
    folder.mkdir(parents=True)
    for version, of in enumerate((first, second)):
        monitor = Monitor(of, Ledger(folder / "ledger.sqlite"), accept_underpowered=True)
        if version:
            succeed_in(of, folder, version)
        else:
            (folder / "plan.json").write_text(json.dumps(of.to_json()), encoding="utf-8")
        for number in of.monitoring_rounds:
            monitor.spend(number)
            monitor.judge(number, sum_of(of, number))
        write_findings(folder / "findings.json", monitor.findings())
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    first = plan()
    return run_in(tmp_path_factory.mktemp("versions") / "run", first, plan(first, tolerance=0.2))


def packed(folder: Path, key: Ed25519PrivateKey) -> bytes:
    """The pack, without the replay of recorded federations, which takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "validation", lambda plan: {"rows": []})
        return write_pack(folder, folder.parent / "evidence.zip", key).read_bytes()


@pytest.fixture(scope="module")
def pack(folder: Path, key: Ed25519PrivateKey) -> bytes:
    return packed(folder, key)


def test_a_pack_of_both_verifies_and_shows_both(pack: bytes, folder: Path) -> None:
    seen = verify_bytes(pack)
    assert seen.good, [fault.line() for fault in seen.faults]
    assert seen.rounds == 4
    files = container.from_bytes(pack)
    told = json.loads(files["versions.json"])
    assert [(v["first_round"], v["last_round"], v["goes_on"]) for v in told] == [
        (1, 2, False),
        (3, None, False),
    ]
    assert told[1]["plan"] == json.loads(files["plan.json"])
    html = page(read_run(folder))
    for each in told:
        assert each["digest"] in html and each["digest"] in files["summary.md"].decode()
    assert "4 monitoring rounds judged, 0 missed" in files["summary.md"].decode()
    assert "Version 1, rounds 1 to 2" in html and "Version 2, since round 3" in html


def test_one_question_over_two_plans_verifies_too(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    first = plan(control="open-ended")
    where = run_in(tmp_path / "run", first, plan(first, control="open-ended"))
    seen = verify_bytes(packed(where, key))
    assert seen.good, [fault.line() for fault in seen.faults]
    found = read_run(where).findings
    assert found.versions[1].goes_on and found.findings[0].windows[0].first == 1


Alter = Callable[[dict[str, Any]], None]


def _more_alpha(payload: dict[str, Any]) -> None:
    payload["plan"]["monitor"]["alpha"] = 0.04


def _other_total(payload: dict[str, Any]) -> None:
    payload["plan"]["versions"]["alpha"] = 0.4


def _goes_on(payload: dict[str, Any]) -> None:
    payload["goes_on"] = True


def _skips(payload: dict[str, Any]) -> None:
    payload["plan"]["versions"]["last"] = payload["round"] = 1


def _of_another(payload: dict[str, Any]) -> None:
    payload["plan"]["versions"]["follows"] = payload["follows"] = f"sha256:{'0' * 64}"


def _cheaper(payload: dict[str, Any]) -> None:
    payload["plan"]["privacy"]["epsilon"] = 13.9


def _endless(payload: dict[str, Any]) -> None:
    payload["plan"]["federation"]["rounds"] = 2**31


@pytest.mark.parametrize(
    "alter", [_more_alpha, _other_total, _goes_on, _skips, _of_another, _cheaper, _endless]
)
def test_a_handover_that_breaks_a_rule_is_named_whoever_signs(
    alter: Alter, pack: bytes, key: Ed25519PrivateKey
) -> None:
    def change(files: Files, random: Random) -> str:
        entries = list(from_lines(files["ledger.jsonl"]))
        place = next(n for n, e in enumerate(entries) if e.kind == "plan_followed")
        payload = json.loads(json.dumps(entries[place].payload))
        alter(payload)
        if "endless" not in alter.__name__:
            # An insider makes the digest fit, and the pack's plan and findings as well.
            made = parse_plan(payload["plan"])
            payload["digest"] = made.digest
            files["plan.json"] = json.dumps(made.to_json()).encode()
            found = json.loads(files["findings.json"])
            found["plan"] = made.digest
            files["findings.json"] = json.dumps(found).encode()
        entries[place] = replace(entries[place], payload=payload)
        files["ledger.jsonl"] = rehashed(entries)
        return f"ledger entry {entries[place].index}"

    altered, named = resealed(pack, key, change, Random(1))
    faults = verify_bytes(altered).faults
    assert any(fault.where == named for fault in faults), [fault.line() for fault in faults]


def test_two_plans_that_follow_one_are_named(pack: bytes, key: Ed25519PrivateKey) -> None:
    def change(files: Files, random: Random) -> str:
        entries = list(from_lines(files["ledger.jsonl"]))
        place = next(n for n, e in enumerate(entries) if e.kind == "plan_followed")
        entries.insert(place + 1, entries[place])
        files["ledger.jsonl"] = rehashed(entries)
        return f"ledger entry {place + 2}"

    altered, named = resealed(pack, key, change, Random(1))
    assert any(fault.where == named for fault in verify_bytes(altered).faults)
