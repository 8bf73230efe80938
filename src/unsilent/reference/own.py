"""What a client of the reference federation makes and keeps of its own, round by round.

A round that is repeated after a break begins from what was kept before it, so that it ends with the
same bytes: what the last two rounds kept is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unsilent.files import write_whole
from unsilent.models.base import Adapter
from unsilent.models.personalization import Personalization, shared_part, whole

_ROUNDS = 2
"""The round that is made, and the one before, from which it is made again."""


@dataclass(frozen=True)
class Shelf:
    """Adapters of one kind in a client's folder, by round.

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
        newest = sorted(self._rounds())[-_ROUNDS:]
        for path in self.folder.glob(f"{self.name}-*"):
            if _number(path) not in newest:
                path.unlink()

    def _rounds(self) -> Iterator[int]:
        for path in self.folder.glob(f"{self.name}-*.json"):
            if json.loads(path.read_text(encoding="utf-8")) == self.origin:
                yield _number(path)

    def _path(self, round_number: int, kind: str) -> Path:
        return self.folder / f"{self.name}-{round_number}.{kind}"


class Own:
    """A client's rounds under a method of personalization.

    Args:
        method: The plan's.
        folder: The client's own.
        origin: Plan and run.
        start: The adapter that the federation started from, whole.
        tune: From a round, its new global adapter, whole, and the client's own of the round before,
            to its own of this one.
        reference_round: The round whose beginning behaviour is compared with; 0 for none.
    """

    def __init__(
        self,
        method: Personalization,
        folder: Path,
        origin: dict[str, str],
        start: Callable[[], Adapter],
        tune: Callable[[int, Adapter, Adapter], Adapter],
        reference_round: int = 0,
    ) -> None:
        self._method = method
        self._start = start
        self._tune = tune
        self._stayed = Shelf(folder, "stayed", origin)
        self._models = Shelf(folder, "own", origin)
        self._begun = Shelf(folder, "begun", origin)
        self._reference_round = reference_round

    def begin(self, round_number: int, given: Adapter) -> Adapter:
        """The whole adapter that a round's training begins from, which the server's is part of.

        A lasting model of the client's own is brought up to the round before, if no one has asked
        for it: what it becomes does not depend on which rounds are monitored.
        """
        begun = self.whole(round_number, given)
        if self._method.splits and round_number == self._reference_round:
            self._begun.keep(round_number, begun)
        before = round_number - 1
        if self._method.lasting and before and not self._models.holds(before):
            self.personal(before, begun)
        return begun

    def end(self, round_number: int, trained: Adapter) -> Adapter:
        """What of the trained adapter leaves the client; what stays is kept."""
        if self._method.splits:
            self._stayed.keep(round_number, trained)
        return shared_part(self._method, trained)

    def whole(self, round_number: int, given: Adapter) -> Adapter:
        """The server's adapter with what stayed on the client before this round."""
        return whole(
            self._method,
            given,
            lambda: self._stayed.before(round_number, given.base) or self._start(),
        )

    def reference(self, given: Adapter) -> Adapter:
        """The whole adapter that behaviour is compared with, of which the server's is part."""
        if not self._method.splits:
            return given
        # Who did not take part in that round had nothing of its own by then.
        begun = self._begun.before(self._reference_round + 1, given.base)
        return begun or self.whole(1, given)

    def personal(self, round_number: int, aggregated: Adapter) -> Adapter:
        """The client's own adapter of a round, from the new global one, whole."""
        if not self._method.lasting:
            return self._tune(round_number, aggregated, aggregated)
        last = self._models.before(round_number, aggregated.base) or self._start()
        made = self._tune(round_number, aggregated, last)
        self._models.keep(round_number, made)
        return made


def _number(path: Path) -> int:
    return int(path.stem.rsplit("-", 1)[-1])
