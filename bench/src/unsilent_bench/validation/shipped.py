"""Validations of the refusal measure that come with the benchmark, as the command wrote them.

``unsilent probes validate --out FILE`` writes one; a file here holds its JSON as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from unsilent.errors import InputError

SCHEMA = "unsilent/validation/1"


def shipped() -> dict[str, bytes]:
    """The JSON of each shipped validation by its file's name, in order."""
    folder = files("unsilent_bench.validation") / "data"
    if not folder.is_dir():
        return {}
    found = {each.name: each for each in folder.iterdir() if each.name.endswith(".json")}
    return {name: found[name].read_bytes() for name in sorted(found)}


def parse(text: bytes, *, where: str) -> dict[str, Any]:
    """A validation's data. Raises InputError if it is none, or holds no adapters."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not found.get("adapters"):
        raise InputError(
            "is not the JSON of a validation on adapters",
            where=where,
            remedy="`unsilent probes validate --out FILE` writes one.",
        )
    return found


def read(path: Path) -> bytes:
    """A validation's JSON from a file. Raises InputError if it is none."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="Name another file."
        ) from None
    parse(text, where=str(path))
    return text


def summary(text: bytes) -> Mapping[str, Any]:
    """What the package cites of a validation: its settings and checks, and its digest."""
    found = parse(text, where="validation")
    return {
        "validation": f"sha256:{hashlib.sha256(text).hexdigest()}",
        "settings": found["settings"],
        "checks": found["checks"],
    }
