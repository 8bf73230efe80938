"""A pack of a run whose gate decided on what no mode caused: a missed round, a person's word."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.serve.run_maker import RunMaker
from unsilent.evidence import write_pack
from unsilent.evidence.verify import verify
from unsilent.server.gate_keeper import decisions, overrule


def test_a_decision_without_a_mode_is_no_fault(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    run = RunMaker(tmp_path / "run").judged(1).missed(2)
    overrule(run.ledger, 1, reason="the names were wrong", by="Ada")
    run.judged(3).ended()
    causes = [cause for made in decisions(run.ledger) for cause in made.caused_by]
    assert sum(cause.code is None for cause in causes) == 2
    found = verify(write_pack(run.folder, tmp_path / "pack.zip", key))
    assert found.faults == ()
    assert found.rounds == 2
