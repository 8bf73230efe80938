"""What complaints say: out of the ledger, out of a pack unless it is asked for, and erasable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.evidence.tamper import resealed
from tests.serve.run_maker import RunMaker
from unsilent.errors import InputError
from unsilent.evidence import container, write_pack
from unsilent.evidence.verify import verify_bytes
from unsilent.governance.recording import close_action, complain, open_action
from unsilent.governance.texts import FOLDER, LONGEST, read

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET = "Mr Miller of ward 3 was told the wrong dose"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunMaker:
    made = RunMaker(tmp_path_factory.mktemp("texts") / "ward").judged(1, 2).ended()
    complain(made.folder, made.ledger, about="unsafe", by="Nurse", text=SECRET, mode="SF-1")
    return made


@pytest.fixture(scope="module")
def bare(run: RunMaker) -> bytes:
    return write_pack(run.folder, run.folder / "bare.zip", KEY).read_bytes()


def test_the_ledger_holds_a_digest_that_nobody_can_guess(run: RunMaker) -> None:
    (entry,) = run.ledger.entries("complaint")
    stored = b"".join(each.read_bytes() for each in run.folder.glob("ledger.sqlite*"))
    assert b"Miller" not in stored
    assert hashlib.sha256(SECRET.encode()).hexdigest() not in entry.payload["digest"]
    found = read(run.folder, entry.payload["digest"])
    assert found is not None
    assert found.text == SECRET
    (file,) = (run.folder / FOLDER).iterdir()
    assert file.stat().st_mode & 0o077 == 0
    again = complain(run.folder, run.ledger, about="unsafe", by="Nurse", text=SECRET)
    assert again.payload["digest"] != entry.payload["digest"]


def test_a_pack_holds_it_only_if_it_is_asked_for(
    run: RunMaker, bare: bytes, tmp_path: Path
) -> None:
    assert b"Miller" not in bare
    files = container.from_bytes(bare)
    assert not any(name.startswith(FOLDER) for name in files)
    record = json.loads(files["governance.json"])
    assert record["complaints"]["counts"]["complaints"] >= 1
    assert record["complaints"]["each"][0]["digest"].startswith("sha256:")
    assert verify_bytes(bare).good

    whole = write_pack(run.folder, tmp_path / "whole.zip", KEY, complaint_texts=True).read_bytes()
    (entry, *_) = run.ledger.entries("complaint")
    name = f"{FOLDER}/{entry.index}.json"
    assert json.loads(container.from_bytes(whole)[name])["text"] == SECRET
    assert verify_bytes(whole).good

    def reworded(files: dict[str, bytes], _: object) -> str:
        files[name] = files[name].replace(b"wrong dose", b"right dose")
        return name

    altered, _ = resealed(whole, KEY, reworded, None)  # type: ignore[arg-type]
    assert name in {fault.where for fault in verify_bytes(altered).faults}

    (run.folder / FOLDER / f"{entry.payload['digest'][7:39]}.json").unlink()
    assert read(run.folder, entry.payload["digest"]) is None, "erased, and the entry stays"


def test_a_record_that_is_not_the_ledgers_is_named(bare: bytes) -> None:
    def hidden(files: dict[str, bytes], _: object) -> str:
        record = json.loads(files["governance.json"])
        record["complaints"]["each"] = []
        files["governance.json"] = (json.dumps(record, indent=2, sort_keys=True) + "\n").encode()
        return "governance.json"

    altered, _ = resealed(bare, KEY, hidden, None)  # type: ignore[arg-type]
    assert {fault.where for fault in verify_bytes(altered).faults} == {"governance.json"}


def test_evidence_of_an_action_may_be_a_file_that_stays(run: RunMaker, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"what was done")
    opened = open_action(run.ledger, 1, what="retrain", owner="Eve", by="Dan")
    closed = close_action(run.ledger, opened.index, evidence="report 7", by="Eve", file=file)
    assert closed.payload["digest"] == f"sha256:{hashlib.sha256(b'what was done').hexdigest()}"
    for again in (opened.index, 1, 999):
        with pytest.raises(InputError):
            close_action(run.ledger, again, evidence="x", by="Eve")


@pytest.mark.parametrize(
    "change",
    [{"by": " "}, {"by": "a" * 121}, {"mode": "SF-99"}, {"text": "a" * (LONGEST + 1)}],
)
def test_a_complaint_that_cannot_be_is_refused(run: RunMaker, change: dict[str, str]) -> None:
    size = run.ledger.size
    with pytest.raises(InputError):
        complain(run.folder, run.ledger, **{"about": "other", "by": "Nurse", **change})  # type: ignore[arg-type]
    assert run.ledger.size == size
