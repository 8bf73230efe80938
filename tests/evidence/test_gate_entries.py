"""A pack of a gated run is whole, whatever a decision rests on; a changed cause is found."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.serve.run_maker import RunMaker
from unsilent.evidence import write_pack
from unsilent.evidence.shapes import shape_faults
from unsilent.evidence.verify import verify
from unsilent.ledger import GENESIS, Entry
from unsilent.ledger.events import Decision
from unsilent.server.gate_keeper import decisions, override


@pytest.mark.usefixtures("published_validation")
def test_decisions_from_findings_a_missed_round_and_a_persons_word_are_none_of_its_faults(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    run = RunMaker(tmp_path / "run").judged(1, 2).missed(3)
    override(run.ledger, 1, reason="checked by hand", by="A. Person")
    run.judged(4).ended()
    caused = [cause.code for made in decisions(run.ledger) for cause in made.caused_by]
    assert None in caused
    assert "SF-1" in caused
    found = verify(write_pack(run.folder, tmp_path / "pack.zip", key))
    assert found.faults == ()
    assert found.rounds == 3


@pytest.mark.parametrize(
    "cause",
    [
        {"entry": "sha256:1", "code": None, "verdict": "failure"},
        {"entry": "sha256:1", "code": "SF-1", "verdict": None},
        {"entry": "sha256:1", "code": 1, "verdict": "failure"},
        {"entry": None, "code": None, "verdict": None},
        "SF-1",
    ],
)
def test_a_cause_that_no_gate_writes_is_named(cause: Any, tmp_path: Path) -> None:
    made = Decision(1, "hold", 0, False, 0, 0, "x", ())
    payload = {**made.to_payload(), "caused_by": [cause]}
    entry = Entry(7, "2026-01-01T00:00:00+00:00", "gate", payload, GENESIS, GENESIS)
    plan = RunMaker(tmp_path / "run").plan
    assert list(shape_faults([entry], plan)) == [
        ("ledger entry 7", "not a gate entry: its caused_by")
    ]
