"""An earlier pack that somebody changed and signed again does not pass for what it was."""

from __future__ import annotations

import json
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.earlier.conftest import Ask, Earlier
from tests.evidence.tamper import Change, Files, resealed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def entry_changed(files: Files, _: Random) -> str:
    """The reason of the missed round, in the ledger; its hash is as it was."""
    before = files["ledger.jsonl"]
    files["ledger.jsonl"] = before.replace(b"3 of 16 clients", b"1 of 16 clients")
    assert files["ledger.jsonl"] != before
    return "ledger entry"


def plan_changed(files: Files, _: Random) -> str:
    """A tolerance that was raised when the effect was known."""
    before = files["plan.json"]
    files["plan.json"] = before.replace(b'"tolerance": 0.05', b'"tolerance": 0.15')
    assert files["plan.json"] != before
    return "plan.json"


def findings_of_another_plan(files: Files, _: Random) -> str:
    found = json.loads(files["findings.json"])
    found["plan"] = "sha256:" + "1" * 64
    files["findings.json"] = (json.dumps(found, indent=2, ensure_ascii=False) + "\n").encode()
    return "findings.json"


def nothing(files: Files, _: Random) -> str:
    return ""


@pytest.mark.parametrize("change", [entry_changed, plan_changed, findings_of_another_plan])
def test_what_was_changed_is_named(change: Change, earlier: Earlier, ask: Ask) -> None:
    data, named = resealed(earlier.pack.read_bytes(), KEY, change, Random(1))
    earlier.pack.write_bytes(data)
    faults = json.loads(ask("verify", earlier.pack, "--json", code=1))["faults"]
    assert any(fault["where"].startswith(named) for fault in faults)


def test_another_signer_is_seen_by_who_knows_the_first(earlier: Earlier, ask: Ask) -> None:
    data, _ = resealed(earlier.pack.read_bytes(), KEY, nothing, Random(1))
    earlier.pack.write_bytes(data)
    ask("verify", earlier.pack)
    faults = json.loads(ask("verify", earlier.pack, "--key", earlier.key, "--json", code=1))
    assert [fault["where"] for fault in faults["faults"]] == ["signature.json"]
