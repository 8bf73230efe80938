"""Delivery: each channel is told each entry that is due, once, and remembers how far it is.

What a channel did not take is in the ledger as an ``alert_failed`` entry, and it goes on with the
next. How far each channel is lies in ``alerts.json`` in the run's folder; where a process ended
between telling and noting, an event is told again, under the same key.
"""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from unsilent.alerts.config import AlertsFile, Sink, Word, read_alerts
from unsilent.alerts.state import TOLD, Alert, alert_of
from unsilent.errors import InputError, UnsilentError
from unsilent.files import write_whole
from unsilent.ledger import Ledger
from unsilent.ledger.events import AlertFailed

CURSORS = "alerts.json"

_POLL_S = 2.0


@dataclass(frozen=True)
class Channel:
    """Where events go.

    Attributes:
        name: As the ledger speaks of it.
        sink: What takes an event there.
        on: The words of which an event must be about one.
    """

    name: str
    sink: Sink
    on: tuple[Word, ...]


def channels_of(config: AlertsFile) -> tuple[Channel, ...]:
    """The channels of an alerts file. Raises InputError if one's package or secret is missing."""
    return tuple(Channel(name, table.sink(), table.on) for name, table in config.tables().items())


class Delivery:
    """Tells the channels of one run what is due.

    Args:
        ledger: The run's, to write to.
        folder: Where the channels' places are kept: the run's.
        channels: Whom to tell.
    """

    def __init__(self, ledger: Ledger, folder: Path, channels: tuple[Channel, ...]) -> None:
        self._ledger = ledger
        self._path = folder / CURSORS
        self._channels = channels

    def deliver(self) -> int:
        """Tell all that is due, and return how many times something was told.

        Raises:
            LedgerError: The ledger cannot be read or written.
            InputError: The file of the channels' places is damaged.
        """
        told = 0
        places = self._read()
        for index in self._due(min((places.get(c.name, 0) for c in self._channels), default=0)):
            event = alert_of(self._ledger, self._ledger.entries(since=index - 1, limit=1)[0])
            for channel in self._channels:
                if places.get(channel.name, 0) >= index:
                    continue
                if event.words & set(channel.on):
                    told += self._tell(channel, event)
                places[channel.name] = index
                write_whole(self._path, (json.dumps(places, sort_keys=True) + "\n").encode())
        return told

    def _due(self, since: int) -> list[int]:
        return sorted(e.index for kind in TOLD for e in self._ledger.entries(kind, since))

    def _tell(self, channel: Channel, event: Alert) -> int:
        try:
            channel.sink.send(event)
        except Exception as error:
            # Whatever a receiver's library raises: it must take no other channel its alerts. A
            # system's own text may hold an address.
            reason = error.what if isinstance(error, UnsilentError) else type(error).__name__
            self._ledger.record(AlertFailed(event.round, channel.name, event.index, reason))
            return 0
        return 1

    def _read(self) -> dict[str, int]:
        try:
            data: Any = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            data = None
        if not isinstance(data, dict) or not all(
            isinstance(place, int) for place in cast("dict[str, Any]", data).values()
        ):
            raise InputError(
                "not readable",
                where=str(self._path),
                remedy="Remove it to tell all events again.",
            )
        return cast("dict[str, int]", data)


def alerting(config: Path | None, ledger: Ledger, folder: Path) -> AbstractContextManager[object]:
    """Deliver in the background while a run goes on; nothing without an alerts file.

    Raises InputError if the file or one of its channels is not usable.
    """
    if config is None:
        return nullcontext()
    return BackgroundDelivery(Delivery(ledger, folder, channels_of(read_alerts(config))))


class BackgroundDelivery:
    """Delivers from a thread of its own while a run goes on; nothing that fails reaches the run.

    A context manager: on leaving it what is still due is delivered, for at most ``patience``
    seconds; the rest stays due for ``unsilent alerts send``.
    """

    def __init__(self, delivery: Delivery, patience: float = 60.0) -> None:
        self._delivery = delivery
        self._patience = patience
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="unsilent-alerts", daemon=True)

    def __enter__(self) -> BackgroundDelivery:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(self._patience)

    def _work(self) -> None:
        last = False
        while not last:
            last = self._ended.wait(_POLL_S)
            # The run's own writes meet the same fault and say so; what is due stays due. A thread
            # that ended by it would tell nothing more.
            with suppress(Exception):
                self._delivery.deliver()
