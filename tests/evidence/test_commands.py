"""``unsilent evidence``, ``verify`` and ``aware``."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unsilent.cli import app
from unsilent.evidence import facts
from unsilent.ledger.events import ParityChecked
from unsilent.ledger.location import open_ledger


def _run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.usefixtures("few_draws")
def test_from_a_run_to_a_checked_pack(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    entry = json.loads(_run("aware", str(run), "--by", "B. Person", "--note", "informed", "--json"))
    key = tmp_path / "keys" / "own.pem"
    told = json.loads(_run("evidence", str(run), "--key", str(key), "--json"))
    assert key.stat().st_mode & 0o777 == 0o600
    found = json.loads(_run("verify", told["pack"], "--key", told["public_key"], "--json"))
    assert found["good"]
    assert found["signer"] == told["fingerprint"]
    assert found["head"] == entry["hash"]
    monkeypatch.setattr(facts, "entry_points", lambda group: ())
    again = json.loads(_run("evidence", str(run), "--key", str(key), "--json"))
    assert again["public_key"] == told["public_key"], "the key is made once"


def test_an_altered_pack_exits_with_one_and_names_it(pack: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(pack.replace(b'"verdict": "failure"', b'"verdict": "healthy"', 1))
    out = _run("verify", str(path), code=1)
    assert "ALTERED findings.json" in out
    assert "NOTHING ALTERED" not in out


def test_a_name_and_a_note_are_needed(run_folder: Path) -> None:
    result = CliRunner().invoke(app, ["aware", str(run_folder), "--by", " ", "--note", "x"])
    assert result.exit_code != 0


@pytest.mark.usefixtures("published_validation")
def test_a_pack_with_an_entry_of_parity_is_whole(run_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    digest = "sha256:" + "a" * 64
    open_ledger(run).record(
        ParityChecked(
            "same", "host:80", "base", digest, None, None, 40, digest, 1.0, 0.5, 0.1, 40, 0, 0.07
        )
    )
    key = tmp_path / "own.pem"
    told = json.loads(_run("evidence", str(run), "--key", str(key), "--json"))
    assert json.loads(_run("verify", told["pack"], "--json"))["good"]
