"""Which runs there are: folders with a ledger, found anew each time that someone asks.

A run is looked up by its key among those found. No path is ever made from what a browser sent.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

from unsilent.errors import InputError, UnsilentError
from unsilent.ledger.location import LEDGER_FILE, URL_FILE
from unsilent.serve.reading import RunReader

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST = 1000
"""Runs that are shown of one folder; a folder of more is cut off at that many, by name."""
_FRESH_SECONDS = 0.5
_CHECK_AT_ONCE = 1000


class Places:
    """The runs that a dashboard shows.

    Args:
        places: Run folders, and folders of run folders.

    Attributes:
        left_out: How many runs were left out when they were last looked for: those of a folder
            that holds more than are shown.

    Raises:
        InputError: One of them is no folder.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        for place in places:
            if not place.is_dir():
                raise InputError(
                    "no such folder",
                    where=str(place),
                    remedy="`unsilent demo` makes a run in runs/demo; give that, or runs.",
                )
        self._places = [place.resolve() for place in places]
        self.left_out = 0
        self._readers: dict[Path, RunReader] = {}
        self._states: dict[Path, tuple[float, str]] = {}
        self._lock = Lock()

    def runs(self) -> Mapping[str, RunReader]:
        """The runs by key, in the order of their places and names."""
        found: dict[str, RunReader] = {}
        with self._lock:
            for folder in dict.fromkeys(self._folders()):
                key = _key(folder)
                number = 2
                while key in found:
                    key = f"{_key(folder)}~{number}"
                    number += 1
                reader = self._readers.get(folder)
                if reader is None:
                    reader = self._readers[folder] = RunReader(folder)
                found[key] = reader
        return found

    def state(self, keys: Sequence[str] = ()) -> str:
        """Names what there is to see of these runs, or of all: another text if anything is new."""
        runs = self.runs()
        chosen = [key for key in keys if key in runs] if keys else list(runs)
        parts = [f"{key}={self._mark(runs[key])}" for key in chosen]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self, keys: Sequence[str] = ()) -> None:
        """Check the hash chain of one of these runs a little further, if one is unchecked."""
        runs = self.runs()
        for reader in (runs[key] for key in keys or runs if key in runs):
            try:
                chain = reader.check(_CHECK_AT_ONCE)
            except UnsilentError:
                continue
            if not chain.whole and chain.fault is None:
                return

    def _mark(self, reader: RunReader) -> str:
        """A run's own mark. Many pages that follow a run ask its ledger once."""
        now = time.monotonic()
        asked, mark = self._states.get(reader.folder, (0.0, ""))
        if not mark or now - asked > _FRESH_SECONDS:
            mark = reader.mark()
            self._states[reader.folder] = (now, mark)
        return mark

    def _folders(self) -> list[Path]:
        found: list[Path] = []
        left_out = 0
        for place in self._places:
            if _holds_ledger(place):
                found.append(place)
                continue
            try:
                inside = sorted(place.iterdir())
            except OSError:
                continue
            runs = [each for each in inside if _holds_ledger(each)]
            found += runs[:_MOST]
            left_out += len(runs[_MOST:])
        self.left_out = left_out
        return found


def _holds_ledger(folder: Path) -> bool:
    try:
        return any((folder / name).exists() for name in (LEDGER_FILE, URL_FILE))
    except OSError:
        return False


def _key(folder: Path) -> str:
    """The folder's name where it is plain, else a name made from its hash."""
    if _PLAIN.fullmatch(folder.name):
        return folder.name
    return f"run-{hashlib.sha256(folder.name.encode(errors='surrogateescape')).hexdigest()}"
