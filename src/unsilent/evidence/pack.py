"""Write a pack: from a finished run's folder to one signed file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unsilent.evidence import container, facts
from unsilent.evidence.derived import derived
from unsilent.evidence.entries import no_number, once_each, to_lines
from unsilent.evidence.keys import fingerprint, public_hex, sign
from unsilent.evidence.record_faults import text_name
from unsilent.evidence.signer import signer_words
from unsilent.files import write_whole
from unsilent.governance import texts
from unsilent.ledger import GENESIS, Entry, Ledger
from unsilent.ledger.events import event_of
from unsilent.ledger.location import ledger_of
from unsilent.ledger.people import ComplaintRecorded
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.report.page import page
from unsilent.report.source import Run, read_run

SCHEMA = "unsilent/evidence/1"
MANIFEST, SIGNATURE, SIGNER = "manifest.json", "signature.json", "signer.md"
LARGEST_JSON = 64 * 2**20
"""Bytes of JSON that are read at once: as objects they take up to 25 times as much."""
PLAN, FINDINGS, LEDGER, REPORT = "plan.json", "findings.json", "ledger.jsonl", "report.html"


def write_pack(
    folder: Path,
    out: Path,
    key: Ed25519PrivateKey,
    *,
    name: str | None = None,
    complaint_texts: bool = False,
) -> Path:
    """Write the pack of a run and return its path.

    Args:
        folder: The run's folder, with plan, findings and ledger.
        out: The file to write, whole or not at all.
        key: Signs the manifest.
        name: Whose key it is, as they say; the pack repeats it as no more than that.
        complaint_texts: Put in what complaints say, too: private data, of people who complained
            to somebody else than the pack's reader.

    Raises:
        InputError, FindingsError, LedgerError: Names the file of the run that is missing, damaged,
            or not of this run.
    """
    run = read_run(folder)
    ledger = ledger_of(folder)
    ledger.verify()
    made = datetime.now(UTC).replace(microsecond=0)
    data = pack_bytes(
        run, ledger, folder, key, name=name, made=made, complaint_texts=complaint_texts
    )
    write_whole(out, data)
    return out


def pack_bytes(
    run: Run,
    ledger: Ledger,
    folder: Path,
    key: Ed25519PrivateKey,
    *,
    name: str | None = None,
    made: datetime,
    complaint_texts: bool = False,
) -> bytes:
    """The pack of a run as bytes: the same for the same run, key, name and time."""
    entries = ledger.entries()
    public = public_hex(key)
    # The manifest goes first, so that a reader who opens the file sees what it holds.
    files: dict[str, bytes] = {
        PLAN: facts.dumps(run.plan.to_json()),
        FINDINGS: run.findings.text().encode(),
        LEDGER: to_lines(entries),
        **derived(run.plan, run.findings, RunView(KeptEntries(entries)), made),
        "software.json": facts.dumps(facts.software(run.plan.planned)),
        "models.json": facts.dumps(facts.models(run.plan, folder)),
        "data.json": facts.dumps(facts.data_cards(run.plan)),
        "validation.json": facts.dumps(facts.validation(run.plan)),
        REPORT: page(run, made).encode(),
        SIGNER: signer_words(public, name),
        **(_texts(folder, entries) if complaint_texts else {}),
    }
    return seal(
        files,
        key,
        {
            "schema": SCHEMA,
            "name": run.findings.name,
            "signer": {"fingerprint": fingerprint(public), "name": name},
            "plan": run.plan.digest,
            "made": made.isoformat(timespec="seconds"),
            "unsilent": facts.software()["unsilent"],
            "ledger": {"entries": len(entries), "head": entries[-1].hash if entries else GENESIS},
        },
    )


def _texts(folder: Path, entries: Sequence[Entry]) -> dict[str, bytes]:
    """What complaints say, of those whose text was kept and not erased since."""
    found: dict[str, bytes] = {}
    for entry in entries:
        event = event_of(entry) if entry.kind == ComplaintRecorded.kind else None
        if isinstance(event, ComplaintRecorded) and event.digest is not None:
            sealed = texts.read(folder, event.digest)
            if sealed is not None:
                found[text_name(entry)] = sealed.to_bytes()
    return found


def seal(
    files: Mapping[str, bytes], key: Ed25519PrivateKey, facts_of_it: Mapping[str, Any]
) -> bytes:
    """The container with a manifest of the files and the key's signature of it."""
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    }
    manifest = facts.dumps({**facts_of_it, "files": listed})
    signature = facts.dumps(
        {"algorithm": "Ed25519", "public_key": public_hex(key), "signature": sign(key, manifest)}
    )
    return container.to_bytes({MANIFEST: manifest, SIGNATURE: signature, **files})


def parse_json(data: bytes) -> Any:
    """JSON of a pack's file. Raises ValueError if it is none, or says one thing twice."""
    if len(data) > LARGEST_JSON:
        raise ValueError
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=once_each, parse_constant=no_number
        )
    except RecursionError:
        raise ValueError from None
