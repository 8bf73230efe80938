"""How a monitoring round's releases become one sum: what the server needs, and the plain way.

The masked way is in ``unsilent.server.masked_sum``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from unsilent.errors import ReleaseError, RunError
from unsilent.messages import Answer
from unsilent.release import Release
from unsilent.release.noise import needed_releases
from unsilent.server.monitor import Monitor
from unsilent.server.transport import Answers

Ask = Callable[[str, int, Mapping[int, Mapping[str, Any]], str], Answers]
"""Asks nodes, each with its own values, by the order's kind; the last argument names the stage."""
Measure = Callable[[], Answers]
"""Asks all clients of the round to measure and release."""


class Aggregation(Protocol):
    """What the server needs of a way to sum."""

    def prepare(
        self, round_number: int, identities: Mapping[int, bytes], *, begun: bool = False
    ) -> Collection[int]:
        """Get ready for a round with these nodes; those whose releases can be in its sum.

        ``begun`` says whether clients may have been asked for their releases before.
        """
        ...

    def collect(self, round_number: int, measure: Measure) -> Release:
        """The round's sum. Raises SecureSumError or ReleaseError if there is none."""
        ...


class PlainSum:
    """The server adds the vectors that it receives one by one."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def prepare(
        self, round_number: int, identities: Mapping[int, bytes], *, begun: bool = False
    ) -> Collection[int]:
        """All of them: there is nothing to agree on."""
        return identities.keys()

    def collect(self, round_number: int, measure: Measure) -> Release:
        """The sum of what arrived. Raises RunError, with a client's reason, if too little did."""
        answers = measure()
        if not answers.good:
            raise answers.failure()
        total = self._monitor.sum(round_number, _readable(answers.good.values()))
        needed = needed_releases(self._monitor.plan)
        if total.clients < needed and answers.reasons:
            raise RunError(
                f"{total.clients} of {needed} needed releases arrived in round {round_number} "
                f"({answers.reasons[0].rstrip('.')})",
                where="monitoring",
                remedy="Allow for drop-outs in privacy.dropout.",
            )
        return total


def _readable(replies: Iterable[Answer]) -> Iterator[Release]:
    """The releases that can be read: one that cannot costs its client's part, and not the round."""
    for reply in replies:
        with suppress(ReleaseError):
            yield Release.from_bytes(reply.sent)
