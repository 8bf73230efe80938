"""Ways to alter a pack: as someone with a hex editor, and as someone who holds a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from unsilent.evidence import container
from unsilent.evidence.entries import from_lines, to_lines
from unsilent.evidence.pack import MANIFEST, SIGNATURE, SIGNER, seal
from unsilent.ledger import GENESIS, Entry

Files = dict[str, bytes]
Change = Callable[[Files, Random], str]
"""Alters the files; returns the name, or the start of it, that a verifier has to give."""


def flip(data: bytes, random: Random) -> bytes:
    """One bit of the file is another one."""
    changed = bytearray(data)
    changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def resealed(
    pack: bytes, key: Ed25519PrivateKey, change: Change, random: Random
) -> tuple[bytes, str]:
    """The pack after a change by someone who signs again, with the manifest made to fit."""
    files = container.from_bytes(pack)
    facts = json.loads(files.pop(MANIFEST))
    del files[SIGNATURE], facts["files"]
    # Whom the pack names is another matter: see ``test_signer``.
    files.pop(SIGNER, None)
    facts.pop("signer", None)
    named = change(files, random)
    entries = from_lines(files["ledger.jsonl"])
    if named != "ledger.jsonl, cut":
        facts["ledger"] = {"entries": len(entries), "head": entries[-1].hash}
    return seal(files, key, facts), named.removesuffix(", cut")


def rehashed(entries: list[Entry]) -> bytes:
    """Entries numbered and chained anew, as an insider would."""
    previous, chain = GENESIS, []
    for index, entry in enumerate(entries, start=1):
        draft = replace(entry, index=index, previous=previous)
        chain.append(replace(draft, hash=draft.expected_hash()))
        previous = chain[-1].hash
    return to_lines(chain)


def _entries(files: Mapping[str, bytes]) -> list[Entry]:
    return list(from_lines(files["ledger.jsonl"]))


def _pick(entries: list[Entry], random: Random, *kinds: str) -> int:
    return random.choice([i for i, entry in enumerate(entries) if entry.kind in kinds])


def _nudge(payload: Mapping[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = json.loads(json.dumps(payload))
    spot = changed
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    return changed


def change_entry(files: Files, random: Random) -> str:
    """An entry's payload is another one, its hash the old."""
    entries = _entries(files)
    place = random.randrange(len(entries))
    entries[place] = replace(entries[place], payload={**entries[place].payload, "x": 1})
    files["ledger.jsonl"] = to_lines(entries)
    return f"ledger entry {entries[place].index}"


def drop_entry(files: Files, random: Random) -> str:
    """An entry is gone; not the newest, which only the manifest or a noted head can tell."""
    entries = _entries(files)
    gone = entries.pop(random.randrange(len(entries) - 1))
    files["ledger.jsonl"] = to_lines(entries)
    return f"ledger entry {gone.index + 1}"


def cut_newest(files: Files, random: Random) -> str:
    """The newest entries are gone, and the manifest says so no longer."""
    entries = _entries(files)
    files["ledger.jsonl"] = to_lines(entries[: -random.randint(1, 3)])
    return "ledger.jsonl, cut"


def reorder_entries(files: Files, random: Random) -> str:
    """Two entries have changed places."""
    entries = _entries(files)
    first = random.randrange(len(entries) - 1)
    second = random.randrange(first + 1, len(entries))
    entries[first], entries[second] = entries[second], entries[first]
    files["ledger.jsonl"] = to_lines(entries)
    return f"ledger entry {second + 1}"


def back_date(files: Files, random: Random) -> str:
    """An entry says an earlier time, and the chain was made anew."""
    entries = _entries(files)
    place = random.randrange(1, len(entries))
    entries[place] = replace(entries[place], time="2020-01-01T00:00:00.000000+00:00")
    files["ledger.jsonl"] = rehashed(entries)
    return f"ledger entry {place + 1}"


def change_sum(files: Files, random: Random) -> str:
    """A recorded sum is another one, and the chain was made anew: its findings no longer follow."""
    entries = _entries(files)
    place = _pick(entries, random, "sum")
    vector = [3 * number + 5000 for number in entries[place].payload["vector"]]
    entries[place] = replace(entries[place], payload={**entries[place].payload, "vector": vector})
    files["ledger.jsonl"] = rehashed(entries)
    return "ledger entry"


def change_verdict(files: Files, random: Random) -> str:
    """A finding in the ledger is another one, and the chain was made anew."""
    entries = _entries(files)
    place = _pick(entries, random, "findings")
    told = entries[place].payload["findings"][0]["verdict"]
    other = random.choice([v for v in ("failure", "healthy", "undetermined") if v != told])
    payload = _nudge(entries[place].payload, ("findings", 0, "verdict"), other)
    entries[place] = replace(entries[place], payload=payload)
    files["ledger.jsonl"] = rehashed(entries)
    return f"ledger entry {place + 1}"


def drop_cost(files: Files, random: Random) -> str:
    """A release was not paid for, and the chain was made anew."""
    entries = _entries(files)
    place = _pick(entries, random, "privacy_event")
    number = entries[place].payload["round"]
    summed = [e for e in entries if e.kind == "sum" and e.payload["round"] == number]
    del entries[place]
    files["ledger.jsonl"] = rehashed(entries)
    # A missed round has no sum that lacks a cost; then what the ledger adds up to differs.
    return "ledger entry" if summed else "findings.json"


def change_plan(files: Files, random: Random) -> str:
    """The plan's tolerance was raised after the fact."""
    plan = json.loads(files["plan.json"])
    plan["modes"]["amplified_bias"]["tolerance"] = round(random.uniform(0.4, 0.9), 3)
    files["plan.json"] = json.dumps(plan).encode()
    return "plan.json"


def change_findings(files: Files, random: Random) -> str:
    """The published findings say something else than the ledger."""
    found = json.loads(files["findings.json"])
    path = random.choice(
        [
            ("findings", 0, "first_alarm_round"),
            ("privacy", "epsilon_spent"),
            ("system_metrics", "accuracy", "last"),
            ("clients",),
        ]
    )
    files["findings.json"] = json.dumps(_nudge(found, path, 4)).encode()
    return "findings.json"


def change_document(files: Files, random: Random) -> str:
    """A document that follows from the record says something else."""
    names = ("privacy.json", "cohort.json", "incidents.json", "decisions.json", "summary.md")
    name = random.choice(names)
    files[name] = files[name].replace(b"1", b"2", 1) + b"\n"
    return name


def add_file(files: Files, random: Random) -> str:
    """A file that no manifest knows."""
    name = f"note-{random.randrange(1000)}.txt"
    files[name] = b"all is well"
    return name


def drop_file(files: Files, random: Random) -> str:
    """A file is gone."""
    name = random.choice(sorted(files))
    del files[name]
    return name


INSIDE: tuple[Change, ...] = (
    change_entry,
    drop_entry,
    cut_newest,
    reorder_entries,
    back_date,
    change_sum,
    change_verdict,
    drop_cost,
    change_plan,
    change_findings,
    change_document,
)
"""What shows although the one who did it holds the key."""
