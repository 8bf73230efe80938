"""One client's rounds under a method: what training begins from, what is sent, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unsilent.models.base import Adapter
from unsilent.models.personalization.adapters import shared_part, whole
from unsilent.models.personalization.protocol import Personalization

KEPT = 2
"""Rounds: the one that is made, and the one before, from which it is made again."""


class Shelf(Protocol):
    """A client's adapters of one kind, by round: those of the last ``KEPT`` that kept one."""

    def before(self, round_number: int, base: str) -> Adapter | None:
        """What the newest round before this one kept, on this base."""
        ...

    def holds(self, round_number: int) -> bool:
        """Whether this round kept something."""
        ...

    def keep(self, round_number: int, adapter: Adapter) -> None:
        """Keep a round's."""
        ...


class Memory:
    """A shelf that ends with the process."""

    def __init__(self) -> None:
        self._kept: dict[int, Adapter] = {}

    def before(self, round_number: int, base: str) -> Adapter | None:
        """What the newest round before this one kept."""
        found = [number for number in self._kept if number < round_number]
        return self._kept[max(found)] if found else None

    def holds(self, round_number: int) -> bool:
        """Whether this round kept something."""
        return round_number in self._kept

    def keep(self, round_number: int, adapter: Adapter) -> None:
        """Keep a round's."""
        self._kept[round_number] = adapter
        self._kept = {number: self._kept[number] for number in sorted(self._kept)[-KEPT:]}


class ClientRounds:
    """A client's rounds, counted from 1.

    Args:
        method: The federation's.
        shelf: Makes the place for what the client keeps, by a name of its kind.
        start: The adapter that the federation started from, whole.
        tune: From a round, its new global adapter, whole, and the client's own of the round before,
            to its own of this one.
        reference_round: The round whose beginning behaviour is compared with; 0 for none.
    """

    def __init__(
        self,
        method: Personalization,
        shelf: Callable[[str], Shelf],
        start: Callable[[], Adapter],
        tune: Callable[[int, Adapter, Adapter], Adapter],
        *,
        reference_round: int = 0,
    ) -> None:
        self._method = method
        self._start = start
        self._tune = tune
        self._stayed, self._own, self._begun = shelf("stayed"), shelf("own"), shelf("begun")
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
        if self._method.lasting and before and not self._own.holds(before):
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
        last = self._own.before(round_number, aggregated.base) or self._start()
        made = self._tune(round_number, aggregated, last)
        self._own.keep(round_number, made)
        return made
