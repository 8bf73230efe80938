"""What complaints say: beside the ledger, in files that can be erased.

An entry of the ledger stays for good, and a pack goes to others. So an entry holds only the SHA-256
of a random salt and the text; a file in ``complaints`` in the run's folder holds both. Without the
salt nobody can try texts against the digest. Whoever deletes the file has erased the text, and the
record still says that there was one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unsilent.errors import InputError
from unsilent.files import write_whole

FOLDER = "complaints"
LONGEST = 20_000
"""Characters of a text."""
_SALT_BYTES = 16


@dataclass(frozen=True)
class Sealed:
    """A text with its salt."""

    salt: str
    text: str

    @property
    def digest(self) -> str:
        """What the ledger holds of it."""
        data = bytes.fromhex(self.salt) + self.text.encode()
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def to_bytes(self) -> bytes:
        """The file."""
        data = {"salt": self.salt, "text": self.text}
        return (json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def seal_text(text: str) -> Sealed:
    """A text with a new salt. Raises InputError if it is too long."""
    if len(text) > LONGEST:
        raise InputError(
            f"a text of more than {LONGEST} characters",
            where="complaint",
            remedy="Keep the whole elsewhere, and say where it lies.",
        )
    return Sealed(secrets.token_hex(_SALT_BYTES), text)


def keep(folder: Path, sealed: Sealed) -> None:
    """Keep the text of a complaint, readable by this user only."""
    write_whole(_path(folder, sealed.digest), sealed.to_bytes(), private=True)


def erase(folder: Path, sealed: Sealed) -> None:
    """Erase a text that was kept."""
    _path(folder, sealed.digest).unlink(missing_ok=True)


def read(folder: Path, digest: str) -> Sealed | None:
    """The text with this digest; None if it was erased or changed."""
    try:
        data = _path(folder, digest).read_bytes()
    except OSError:
        return None
    found = parse(data)
    return found if found is not None and found.digest == digest else None


def _path(folder: Path, digest: str) -> Path:
    return folder / FOLDER / f"{digest.removeprefix('sha256:')[:32]}.json"


def parse(data: bytes) -> Sealed | None:
    """A file of ``keep``; None if it is none."""
    try:
        told: Any = json.loads(data)
        salt, text = told["salt"], told["text"]
        bytes.fromhex(salt)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not (isinstance(text, str) and set(told) == {"salt", "text"}):
        return None
    return Sealed(salt, text)
