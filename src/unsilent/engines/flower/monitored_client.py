"""One line on a ClientApp: it answers monitoring, and trains as it did.

Messages of the app's own go to the app untouched. What a client was sent to train from and what it
sent back are kept in its own folder, since where each message starts a process nothing else lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, Context, Message
from flwr.clientapp import ClientApp

from unsilent.client.agreement import probe_folder
from unsilent.client.observer import SystemChange
from unsilent.engines.flower import answering, measuring, messages
from unsilent.engines.flower.answering import Order, folder_of, log_of
from unsilent.engines.flower.arrays import load_arrays, save_arrays
from unsilent.engines.flower.measuring import Functions, Personalize, Records, Score
from unsilent.engines.flower.messages import ADAPTER, MASKS, NAME, OBSERVE, REFERENCE
from unsilent.engines.flower.model_record import both_models, records_in
from unsilent.engines.flower.shipping import Shipped, shipped_in
from unsilent.engines.flower.undisturbed import time_limit, undisturbed
from unsilent.errors import NoArraysError, UnsilentError
from unsilent.modes.base import AdapterRole, Statistic

Handler = Callable[[Message, Context], Message]

_START, _LOCAL = "start.arrays", "local.arrays"


def monitor_client(
    app: ClientApp,
    score: Score,
    *,
    records: Records | None = None,
    personalize: Personalize | None = None,
    arrays: str | None = None,
) -> ClientApp:
    """A ClientApp that also answers monitoring.

    ``app = monitor_client(app, score)``, before or after its functions are registered; also around
    an app made from a ``client_fn``.

    Args:
        app: The app. Its messages, results, random numbers and state are what they were.
        score: ``score(items, arrays, context)`` returns a row of probabilities for each item, one
            number a choice: under the adapter that ``arrays`` is, None being the base model.
            ``PeftScore`` is one for transformers with peft.
        records: ``records(context)`` returns the client's held-out private items, each with an
            answer. Without it modes that need records cannot be planned, and no failure is called
            silent or loud.
        personalize: ``personalize(arrays, context)`` returns the client's own arrays from the newly
            aggregated ones: by training on, or from a file. By default they are what the client's
            own training in this round returned.
        arrays: Name of the model's record in the messages that train, where they hold several
            ArrayRecords and the model's is neither called ``arrays`` nor alone in its shapes.
    """
    return MonitoredClientApp(app, Functions(score, records, personalize), arrays)


class MonitoredClientApp(ClientApp):
    """A ClientApp around another; only monitoring's questions are answered here."""

    def __init__(self, app: ClientApp, functions: Functions, arrays: str | None = None) -> None:
        super().__init__()
        self._arrays = arrays
        self._app = app
        self._functions = functions

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer a question of monitoring, or let the app handle its message."""
        kind = message.metadata.message_type
        handle = self._handler(kind)
        if handle is not None:
            with undisturbed():
                return messages.guarded(handle, log_of)(message, context)
        if kind.partition(".")[0] != "train":
            return self._app(message, context)
        # Read before the app does: it may put its results into the same record.
        sent = _records_of(message)
        reply = self._app(message, context)
        if isinstance(reply, Message) and not reply.has_error():
            with undisturbed():
                _keep(context, *both_models(sent, _records_of(reply), self._arrays))
        return reply

    def train(self, *args: Any, **kwargs: Any) -> Callable[[Handler], Handler]:
        """Register with the app."""
        return self._app.train(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Callable[[Handler], Handler]:
        """Register with the app."""
        return self._app.evaluate(*args, **kwargs)

    def query(self, *args: Any, **kwargs: Any) -> Callable[[Handler], Handler]:
        """Register with the app."""
        return self._app.query(*args, **kwargs)

    def lifespan(
        self,
    ) -> Callable[[Callable[[Context], Iterator[None]]], Callable[[Context], Iterator[None]]]:
        """Register with the app; monitoring's questions do not enter its lifespan."""
        return self._app.lifespan()

    def _handler(self, kind: str) -> Handler | None:
        if kind == OBSERVE:
            return self._observe
        if kind == NAME:
            return answering.name_client
        return answering.mask_client if kind in MASKS else None

    def _observe(self, message: Message, context: Context) -> Message:
        """Measure the personalized behaviour; reply with one release, masked if so planned."""
        order = answering.order_of(message, context)
        shipped = shipped_in(order.values)
        base = probe_folder(order.plan, order.owner, dict(shipped))
        observer = answering.observer_of(order, context)
        made = observer.begin(order.round)
        if made is None:
            statistics, system = self._measured(message, context, order, shipped, base)
            answering.keep_findings(order, context)
            made = observer.release(order.round, statistics, system)
        return answering.sent(message, context, order.plan, made)

    def _measured(
        self,
        message: Message,
        context: Context,
        order: Order,
        shipped: Shipped,
        base: Path | None,
    ) -> tuple[list[Statistic], SystemChange]:
        """All planned modes under the adapters that came and those that are kept here."""
        folder = folder_of(context)
        aggregated = message.content.array_records[ADAPTER]
        reference = message.content.array_records.get(REFERENCE)
        needed = measuring.adapters_needed(self._functions, order.text)
        # A function that hangs would hold up training after the server has gone on.
        with time_limit(order.plan.monitor.timeout):
            adapters = self._adapters(needed, folder, aggregated, reference, context)
            return measuring.measure(self._functions, order.text, adapters, context, shipped, base)

    def _adapters(
        self,
        needed: Collection[AdapterRole],
        folder: Path,
        aggregated: ArrayRecord,
        reference: ArrayRecord | None,
        context: Context,
    ) -> dict[AdapterRole, ArrayRecord | None]:
        """Those that the planned modes need: an app may have no others."""
        found: dict[AdapterRole, ArrayRecord | None] = {
            "reference": reference,
            "global": aggregated,
        }
        if "personalized" in needed:
            found["personalized"] = measuring.personalized(self._functions, aggregated, context)
            if found["personalized"] is None:
                found["personalized"] = found["local"] = _kept(folder / _LOCAL)
        if "start" in needed:
            found["start"] = _kept(folder / _START)
        if "local" in needed and "local" not in found:
            found["local"] = _kept(folder / _LOCAL)
        return found


def _records_of(message: Message) -> dict[str, ArrayRecord]:
    return records_in(message.content) if message.has_content() else {}


def _keep(context: Context, start: ArrayRecord | None, local: ArrayRecord | None) -> None:
    """Keep what a client trained from and to, in its own folder.

    Whatever goes wrong here is no concern of training: a round that needs them is then missed.
    """
    with suppress(UnsilentError, OSError):
        folder = folder_of(context)
        for name, arrays in ((_START, start), (_LOCAL, local)):
            # An older round's would be taken for this one's.
            (folder / name).unlink(missing_ok=True)
            if arrays is not None:
                save_arrays(folder / name, arrays)


def _kept(path: Path) -> ArrayRecord:
    """What was kept of the client's own training. Raises NoArraysError if nothing was."""
    if not path.is_file():
        raise NoArraysError(
            "the client's training in this round left no arrays that are known to be the model's",
            where=path.name,
            remedy="Where messages hold several ArrayRecords, give monitor_client the name of the "
            "model's as arrays=…, or personalize=….",
        )
    return load_arrays(path)
