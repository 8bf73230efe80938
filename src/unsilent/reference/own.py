"""What a client of the reference federation keeps of its own, on its disk.

A round that is repeated after a break begins from what was kept before it, so that it ends with the
same bytes: what the last two rounds kept is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unsilent.files import write_whole
from unsilent.models.base import Adapter
from unsilent.models.personalization.rounds import KEPT


@dataclass(frozen=True)
class Folder:
    """Adapters of one kind in a client's folder, by round: a ``Shelf``.

    Attributes:
        folder: The client's own.
        name: Of the kind; no other of the folder's files begins with it and a dash.
        origin: Plan and run: what another run left is not read.
    """

    folder: Path
    name: str
    origin: dict[str, str]

    def before(self, round_number: int, base: str) -> Adapter | None:
        """What the newest round before this one kept, on this base."""
        found = [number for number in self._rounds() if number < round_number]
        return Adapter.load(self._path(max(found), "safetensors"), base=base) if found else None

    def holds(self, round_number: int) -> bool:
        """Whether this round kept something."""
        return round_number in set(self._rounds())

    def keep(self, round_number: int, adapter: Adapter) -> None:
        """Keep a round's; what is too old to be asked for again is deleted."""
        note = self._path(round_number, "json")
        # A note that outlived its adapter would vouch for the next one.
        note.unlink(missing_ok=True)
        adapter.save(self._path(round_number, "safetensors"))
        write_whole(note, json.dumps(self.origin).encode())
        newest = sorted(self._rounds())[-KEPT:]
        for path in self.folder.glob(f"{self.name}-*"):
            if _number(path) not in newest:
                path.unlink()

    def _rounds(self) -> Iterator[int]:
        for path in self.folder.glob(f"{self.name}-*.json"):
            if json.loads(path.read_text(encoding="utf-8")) == self.origin:
                yield _number(path)

    def _path(self, round_number: int, kind: str) -> Path:
        return self.folder / f"{self.name}-{round_number}.{kind}"


def _number(path: Path) -> int:
    return int(path.stem.rsplit("-", 1)[-1])
