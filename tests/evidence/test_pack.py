"""What a pack holds, and that it says no more than the record."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unsilent.errors import InputError, LedgerError
from unsilent.evidence import container, write_pack
from unsilent.ledger import Ledger


def test_everything_a_stranger_needs_is_there(pack: bytes) -> None:
    assert set(container.from_bytes(pack)) == {
        "manifest.json",
        "signature.json",
        "signer.md",
        "plan.json",
        "findings.json",
        "ledger.jsonl",
        "privacy.json",
        "cohort.json",
        "incidents.json",
        "decisions.json",
        "governance.json",
        "field_map.json",
        "summary.md",
        "software.json",
        "models.json",
        "data.json",
        "validation.json",
        "report.html",
    }


def test_the_ledger_is_whole_and_in_order(pack: bytes, run_folder: Path) -> None:
    lines = container.from_bytes(pack)["ledger.jsonl"].decode().splitlines()
    entries = Ledger(run_folder / "ledger.sqlite").entries()
    assert [json.loads(line) for line in lines] == [vars(entry) for entry in entries]


def test_the_cohort_names_missed_rounds_with_their_reason(pack: bytes) -> None:
    cohort = json.loads(container.from_bytes(pack)["cohort.json"])
    missed = {each["round"]: each["missed"] for each in cohort["rounds"] if each["missed"]}
    assert missed == {3: "18 of 20 needed releases arrived"}
    assert [each["clients"] for each in cohort["rounds"]] == [24, 24, None, 24, 24]


def test_the_summary_tells_unknown_from_healthy(pack: bytes) -> None:
    summary = container.from_bytes(pack)["summary.md"].decode()
    assert "| SF-1 Amplified bias | ✖ FAILURE" in summary
    assert "| SF-2 Confidence miscalibration | ∅ NOT PLANNED | – – |" in summary
    assert "not a claim of compliance" in summary
    assert "A. Person: told the ward" in summary


def test_no_machine_and_no_client_is_named(pack: bytes, run_folder: Path) -> None:
    for name, data in container.from_bytes(pack).items():
        assert str(run_folder).encode() not in data, name


def test_a_run_without_ledger_or_with_a_damaged_one_gives_no_pack(
    tmp_path: Path, run_folder: Path, key: Ed25519PrivateKey
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("plan.json", "findings.json"):
        (bare / name).write_bytes((run_folder / name).read_bytes())
    with pytest.raises(InputError, match="no such file"):
        write_pack(bare, tmp_path / "pack.zip", key)
    (bare / "ledger.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(LedgerError):
        write_pack(bare, tmp_path / "pack.zip", key)
    assert not (tmp_path / "pack.zip").exists()
