"""Verify a pack, offline: nothing but the file, and the signer's key and a noted head if known.

Every check that can run does, and each names what it found altered. What no check can see is a
record forged as a whole by whoever holds the key: for that, compare the key's fingerprint, and the
ledger's head with one that was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from unsilent import __version__
from unsilent.errors import EvidenceError, InputError, UnsilentError
from unsilent.evidence import container
from unsilent.evidence.derived import derived
from unsilent.evidence.entries import chain_faults, from_lines
from unsilent.evidence.keys import fingerprint, known_key
from unsilent.evidence.pack import FINDINGS, LEDGER, MANIFEST, PLAN, SCHEMA, SIGNATURE, parse_json
from unsilent.evidence.record_faults import record_faults, text_faults
from unsilent.evidence.replayed import cost_faults, plan_faults, replayed_faults
from unsilent.evidence.shapes import plan_fits, shape_faults
from unsilent.evidence.signature import named_signer, signed
from unsilent.findings import Findings
from unsilent.ledger import GENESIS, Entry
from unsilent.ledger.events import RoundJudged
from unsilent.ledger.run_view import KeptEntries, RunView
from unsilent.plan import MonitoringPlan, parse_plan

_LONGEST = 300
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,64}")
_HEAD = re.compile(r"sha256:[0-9a-f]{64}")


def shown(text: str) -> str:
    """A stranger's text for a terminal: one line of printable signs, and not a long one."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST])
    return plain if len(text) <= _LONGEST else f"{plain}…"


@dataclass(frozen=True)
class Fault:
    """Something that was altered: where, and what is wrong with it."""

    where: str
    what: str

    def line(self) -> str:
        """The fault as one line, with nothing in it that a terminal would obey."""
        return shown(f"{self.where}: {self.what}")


@dataclass(frozen=True)
class Verification:
    """What a verifier learnt.

    Attributes:
        faults: What was altered; none if everything fits.
        name, plan: Of the run, if they could be read.
        signer: The signing key's fingerprint, if the signature is good.
        head: Hash of the newest ledger entry.
        entries, rounds: How many ledger entries there are, and rounds judged again from their sums.
        notes: What could not be checked, and why.
        known: Whether the signer is the one whose key was named.
        signer_name: Whose key the pack says it is: worth as much as the key, nothing by itself.
        public_key: The signing key, if the signature is good.
        key_name: Whose key the reader's own file says it is, if that was named and says so.
    """

    faults: tuple[Fault, ...]
    name: str | None = None
    plan: str | None = None
    signer: str | None = None
    head: str | None = None
    entries: int = 0
    rounds: int = 0
    notes: tuple[str, ...] = ()
    known: bool = False
    signer_name: str | None = None
    public_key: str | None = None
    key_name: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing was found altered since somebody signed it, whoever that was."""
        return not self.faults

    @property
    def verified(self) -> bool:
        """Whether nothing was altered since the signer whose key was named signed it."""
        return self.good and self.known


def verify(path: Path, *, key: str | None = None, head: str | None = None) -> Verification:
    """Check a pack.

    Args:
        path: The file.
        key: The signer's public key, if it is known from elsewhere than the pack: 64 hexadecimal
            digits, its fingerprint, or a file with it.
        head: A ledger head noted earlier; it must be in the pack's chain.

    Raises InputError if the file cannot be read at all, or key or head are none.
    """
    try:
        # Before it is opened: a pipe would be waited for, and a device has no end.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a file", where=str(path), remedy="Name an evidence pack.")
        if status.st_size > container.LARGEST:
            return Verification((Fault("the container", "larger than 512 MiB"),))
        with path.open("rb") as file:
            data = file.read(container.LARGEST + 1)
    except FileNotFoundError:
        raise InputError(
            "no such file", where=str(path), remedy="`unsilent evidence RUN` writes a pack."
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="Name an evidence pack."
        ) from None
    except ValueError:
        raise InputError(
            "not a path", where=repr(str(path)), remedy="Name an evidence pack."
        ) from None
    if not container.looks_like(data):
        raise InputError(
            "no evidence pack, or one whose beginning is gone",
            where=str(path),
            remedy="Name the file that `unsilent evidence` wrote, evidence.zip.",
        )
    return verify_bytes(data, key=key, head=head)


def verify_bytes(data: bytes, *, key: str | None = None, head: str | None = None) -> Verification:
    """As ``verify``, of a pack in memory."""
    named = None if key is None else known_key(key)
    if head is not None and not _HEAD.fullmatch(head):
        raise InputError(
            "not a ledger head",
            where="--head",
            remedy="Give sha256: and its 64 hexadecimal digits, as `unsilent verify` prints it.",
        )
    try:
        files = container.from_bytes(data)
        manifest = _manifest(files)
    except EvidenceError as error:
        return Verification((Fault(error.where, error.what),))
    faults: list[Fault] = []
    signer = told = None
    try:
        signer = signed(files, named)
        told = named_signer(files, manifest, signer)
    except EvidenceError as error:
        faults.append(Fault(error.where, error.what))
    faults += [Fault(*each) for each in _files_faults(files, manifest)]
    record: _Record | None = None
    notes: tuple[str, ...] = ()
    try:
        record, more = _record(files)
        if record is not None:
            more, notes = _record_faults(record, files, manifest, head)
    except Exception:
        # What is read here is a stranger's. Whatever it makes the code that judges stumble over
        # is a fault of the pack; nothing of it can be good, and no traceback says so better.
        more = [Fault(LEDGER, "the record cannot be worked through: it holds what no run writes")]
    faults += [fault for fault in more if fault not in faults]
    return Verification(
        faults=tuple(faults),
        name=_text(manifest, "name"),
        plan=_text(manifest, "plan"),
        signer=None if signer is None else fingerprint(signer),
        head=record.entries[-1].hash if record and record.entries else None,
        entries=len(record.entries) if record else 0,
        rounds=_judged(record) if record else 0,
        notes=notes,
        known=named is not None and signer is not None and named.is_of(signer),
        signer_name=None if told is None else told.name,
        public_key=signer,
        key_name=None if named is None else named.name,
    )


@dataclass(frozen=True)
class _Record:
    """The three files from which everything else follows."""

    plan: MonitoringPlan
    findings: Findings
    entries: tuple[Entry, ...]


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        found = parse_json(files[MANIFEST])
        if found["schema"] != SCHEMA or not isinstance(found["files"], dict):
            raise ValueError
        if datetime.fromisoformat(found["made"]).utcoffset() is None:
            raise ValueError
        if not _VERSION.fullmatch(found["unsilent"]):
            raise ValueError
        return dict(found)
    except KeyError:
        raise EvidenceError("it is missing, or lacks a field", where=MANIFEST) from None
    except (ValueError, TypeError):
        raise EvidenceError(f"not a manifest of {SCHEMA}", where=MANIFEST) from None


def _files_faults(
    files: Mapping[str, bytes], manifest: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Files that differ from the manifest, are missing from the pack, or are not in it."""
    listed: Mapping[str, Any] = manifest["files"]
    present = set(files) - {MANIFEST, SIGNATURE}
    for name in sorted(set(listed) - present):
        yield name, "it is in the manifest and not in the pack"
    for name in sorted(present - set(listed)):
        yield name, "it is in the pack and not in the manifest"
    for name in sorted(present & set(listed)):
        entry = {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
        if listed[name] != entry:
            yield name, "its content is not that of the manifest"


def _record(files: Mapping[str, bytes]) -> tuple[_Record | None, list[Fault]]:
    faults: list[Fault] = []
    plan = findings = entries = None
    for name in (PLAN, FINDINGS, LEDGER):
        try:
            if name == PLAN:
                data = parse_json(files[name])
                if not plan_fits(data):
                    raise EvidenceError("more rounds or clients than are checked", where=name)
                plan = parse_plan(data, where=name, recorded=True)
            elif name == FINDINGS:
                findings = Findings.from_json(parse_json(files[name]))
            else:
                entries = from_lines(files[name])
        except UnsilentError as error:
            faults.append(Fault(error.where or name, error.what))
        except (KeyError, ValueError, TypeError):
            faults.append(Fault(name, "it is missing, or is not what its name says"))
    if plan is None or findings is None or entries is None:
        return None, faults
    return _Record(plan, findings, entries), faults


def _record_faults(
    record: _Record, files: Mapping[str, bytes], manifest: Mapping[str, Any], head: str | None
) -> tuple[list[Fault], tuple[str, ...]]:
    entries, notes = record.entries, []
    chain = [Fault(*each) for each in chain_faults(entries)]
    if chain:
        # What follows rests on the entries; after a false one nothing it says is evidence.
        return chain, ("what follows from the ledger was not checked: its chain is broken",)
    faults: list[Fault] = []
    last = entries[-1].hash if entries else GENESIS
    if manifest.get("ledger") != {"entries": len(entries), "head": last}:
        faults.append(Fault(LEDGER, "its newest entries are not those of the manifest"))
    if head is not None and head not in (GENESIS, *(entry.hash for entry in entries)):
        faults.append(
            Fault(LEDGER, "the noted head is not among its entries: it was cut or redone")
        )
    faults += [Fault(*each) for each in plan_faults(record.plan, record.findings, entries)]
    if manifest.get("plan") != record.plan.digest:
        faults.append(Fault(MANIFEST, "it names another plan"))
    if manifest.get("name") != record.findings.name:
        faults.append(Fault(MANIFEST, "it names another run"))
    if not faults and record.plan.earlier:
        return _of_first_schema(record, manifest)
    absent = record.plan.absent if faults else _absent(record)
    if not faults and not absent:
        faults += [Fault(*each) for each in shape_faults(entries, record.plan)]
    if not faults:
        faults += [Fault(*each) for each in record_faults(record.plan, entries)]
        faults += [Fault(*each) for each in text_faults(files, entries)]
    if faults:
        return faults, ("findings were not recomputed: plan and ledger do not belong together",)
    if absent:
        notes.append(
            f"findings were not recomputed: the mode {' and '.join(absent)} is not installed here; "
            "verify the pack where it is"
        )
    else:
        faults += [Fault(*each) for each in replayed_faults(record.plan, record.findings, entries)]
    if manifest.get("unsilent") == __version__ and not faults:
        made = derived(
            record.plan,
            record.findings,
            RunView(KeptEntries(entries)),
            datetime.fromisoformat(manifest["made"]),
        )
        faults += [
            Fault(name, "it does not follow from plan, findings and ledger")
            for name, content in made.items()
            if files.get(name) != content
        ]
    elif manifest.get("unsilent") != __version__:
        notes.append(
            f"documents that follow from the record were not made again: the pack is of unsilent "
            f"{manifest.get('unsilent')}, this is {__version__}"
        )
    if any(each.oracle for each in record.findings.findings):
        notes.append("the truth beside the findings is a simulation's; no record shows it")
    return faults, tuple(notes)


def _of_first_schema(
    record: _Record, manifest: Mapping[str, Any]
) -> tuple[list[Fault], tuple[str, ...]]:
    """What is checked of a record whose plan is of the first schema: all but its verdicts."""
    notes = (
        "no round was judged again: the plan is of the first schema, whose modes and intervals "
        "were others; verify the pack with the unsilent that wrote it, "
        f"{manifest.get('unsilent')}",
    )
    if record.plan.absent:
        return [], notes
    faults = [Fault(*each) for each in shape_faults(record.entries, record.plan)]
    # What one record can move has changed with the modes, and the price of a release with it.
    if not faults and record.plan.privacy.unit == "client":
        faults += [Fault(*each) for each in cost_faults(record.plan, record.entries)]
    return faults, notes


def _absent(record: _Record) -> tuple[str, ...]:
    """Planned modes that are not installed here, of any plan of the record."""
    if record.plan.versions is None:
        return record.plan.absent
    plans = [each.plan for each in RunView(KeptEntries(record.entries)).versions]
    return tuple(dict.fromkeys(name for plan in plans for name in plan.absent))


def _judged(record: _Record) -> int:
    """How many rounds' findings were made again; none of an earlier plan or an unknown mode."""
    if record.plan.absent or record.plan.earlier:
        return 0
    return sum(e.kind == RoundJudged.kind for e in record.entries)


def _text(manifest: Mapping[str, Any], name: str) -> str | None:
    value = manifest.get(name)
    return value if isinstance(value, str) else None
