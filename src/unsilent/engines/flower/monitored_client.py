"""One line on a ClientApp: it answers monitoring, and trains as it did.

Messages of the app's own go to the app untouched. What a client was sent to train from and what it
sent back are kept in its own folder, since where each message starts a process nothing else lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from flwr.app import ArrayRecord, Context, Message
from flwr.clientapp import ClientApp

from unsilent.client.functions import Functions, Rows
from unsilent.client.participant import answer
from unsilent.client.site import Site
from unsilent.engines.flower.arrays import PlainArrays, load_arrays, record_of, save_arrays
from unsilent.engines.flower.messages import kind_of, order_in, reply
from unsilent.engines.flower.model_record import both_models, records_in
from unsilent.engines.flower.site import site_of
from unsilent.errors import UnsilentError
from unsilent.items import Item, ItemSet
from unsilent.messages import MONITORING
from unsilent.open_text import Writing
from unsilent.preserve import preserve_rng_state

Handler = Callable[[Message, Context], Message]
Score = Callable[[ItemSet, ArrayRecord | None, Context], Rows]
"""Items, an adapter's arrays as the app's strategy sends them (None: the base model, nothing
trained), and the context; returns one row of probabilities an item, one number a choice."""
Records = Callable[[Context], Iterable[Item]]
"""The client's held-out private records, each with an answer."""
TrainedOn = Callable[[Context], Iterable[Item]]
"""Records that the client trained on, each with an answer; a few dozen are enough."""
Personalize = Callable[[ArrayRecord, Context], ArrayRecord]
"""From the newly aggregated arrays to the client's own."""
TrainingRecord = Callable[[Context], object]
"""What private training recorded of its noise, as ``release.training_record`` reads it."""

LabelAnswers = Callable[[ItemSet, Context], Sequence[bool | None]]
"""What people at the client say of written answers."""


def monitor_client(
    app: ClientApp,
    score: Score,
    *,
    records: Records | None = None,
    personalize: Personalize | None = None,
    arrays: str | None = None,
    trained_on: TrainedOn | None = None,
    training_record: TrainingRecord | None = None,
    live: Records | None = None,
    label: LabelAnswers | None = None,
) -> ClientApp:
    """A ClientApp that also answers monitoring.

    ``app = monitor_client(app, score)``, before or after its functions are registered; also around
    an app made from a ``client_fn``.

    Args:
        app: The app. Its messages, results, random numbers and state are what they were.
        score: ``score(items, arrays, context)`` returns a row of probabilities for each item, one
            number a choice: under the adapter that ``arrays`` is, None being the base model.
            ``PeftScore`` is one for transformers with peft. One that compares choices by a plan's
            ``model.likelihood`` has a method ``under(likelihood)`` that returns the score to use;
            one with a method ``hashes(context)`` tells the content hashes that a plan may expect,
            and one with ``write(items, arrays, writing, context)`` writes an answer to each
            prompt, as modes of open text need.
        records: ``records(context)`` returns the client's held-out private items, each with an
            answer. Without it modes that need records cannot be planned, and no failure is called
            silent or loud.
        personalize: ``personalize(arrays, context)`` returns the client's own arrays from the newly
            aggregated ones: by training on, or from a file. By default they are what the client's
            own training in this round returned.
        arrays: Name of the model's record in the messages that train, where they hold several
            ArrayRecords and the model's is neither called ``arrays`` nor alone in its shapes.
        trained_on: ``trained_on(context)`` returns records that the client trained on. That its
            own adapter is not worse on them is part of the evidence that ``score`` measures it.
        training_record: ``training_record(context)`` returns what private training (DP-SGD)
            recorded of its noise, of all steps so far: ``{"phases": [{"noise_multiplier": …,
            "sample_rate": …, "steps": …}]}``, or opacus' ``accountant.history``. A plan that
            declares ``privacy.training`` is answered only if its epsilon is no more than that.
        live: ``live(context)`` returns the labelled items that came in since the last monitoring
            round, if any. Only a plan whose ``[performance]`` asks for live records needs it.
        label: ``label(answers, context)`` returns for each written answer, an item with its
            ``attributes["text"]``, whether people at the client see in it what its ``rubric``
            names, or None. Only a plan whose labels of open text are the sites' needs it.

    ``score`` is asked three times more on a dozen items: whether it answers by the arrays that it
    is given. A mode is HEALTHY only where it does; see ``unsilent local`` at the client if not.
    """
    return MonitoredClientApp(
        app, score, records, personalize, arrays, trained_on, training_record, live, label
    )


class MonitoredClientApp(ClientApp):
    """A ClientApp around another; only monitoring's questions are answered here."""

    def __init__(
        self,
        app: ClientApp,
        score: Score,
        records: Records | None = None,
        personalize: Personalize | None = None,
        arrays: str | None = None,
        trained_on: TrainedOn | None = None,
        training_record: TrainingRecord | None = None,
        live: Records | None = None,
        label: LabelAnswers | None = None,
    ) -> None:
        super().__init__()
        self._app = app
        self._functions = (score, records, personalize, trained_on)
        self._training_record = training_record
        self._live = live
        self._label = label
        self._arrays = arrays

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer a question of monitoring, or let the app handle its message."""
        message_type = message.metadata.message_type
        kind = kind_of(message_type)
        if kind in MONITORING:
            with preserve_rng_state():
                return self._answer(kind, message, context)
        if message_type.partition(".")[0] != "train":
            return self._app(message, context)
        # Read before the app does: it may put its results into the same record.
        sent = _records_of(message)
        reply = self._app(message, context)
        if isinstance(reply, Message) and not reply.has_error():
            with preserve_rng_state():
                _keep(site_of(context), *both_models(sent, _records_of(reply), self._arrays))
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

    def _answer(self, kind: str, message: Message, context: Context) -> Message:
        """Its part in monitoring, measured by the app's functions."""
        site = site_of(context)
        score, records, personalize, trained_on = self._functions
        under = getattr(score, "under", None)
        measure = Functions(
            _bound(score, context),
            records=None if records is None else partial(records, context),
            personalize=None
            if personalize is None
            else lambda arrays: personalize(cast("ArrayRecord", arrays), context),
            kept=partial(_kept, site),
            trained_on=None if trained_on is None else partial(trained_on, context),
            hashes=_hashes_of(score, context),
            plain=lambda arrays: PlainArrays(cast("ArrayRecord", arrays)),
            record=record_of,
            under=None if under is None else lambda word: _bound(under(word), context),
            training_record=None
            if self._training_record is None
            else partial(self._training_record, context),
            live=None if self._live is None else partial(self._live, context),
            write=_writing(score, context),
            label=None if self._label is None else _labelling(self._label, context),
        )
        return reply(message, answer(kind, order_in(message), site, measure))


def _hashes_of(score: Score, context: Context) -> Callable[[], Mapping[str, str]] | None:
    """What a score function can tell of its model, as ``PeftScore`` can."""
    hashes: Callable[[Context], Mapping[str, str]] | None = getattr(score, "hashes", None)
    return None if hashes is None else partial(hashes, context)


def _writing(
    score: Score, context: Context
) -> Callable[[ItemSet, Any, Writing], Sequence[str]] | None:
    """What a score function's model writes, where it can be asked to."""
    write: Callable[[ItemSet, Any, Writing, Context], Sequence[str]] | None
    write = getattr(score, "write", None)
    if write is None:
        return None
    return lambda items, arrays, writing: write(items, arrays, writing, context)


def _labelling(label: LabelAnswers, context: Context) -> Callable[[ItemSet], Sequence[bool | None]]:
    return lambda answers: label(answers, context)


def _bound(score: Score, context: Context) -> Callable[[ItemSet, Any], Rows]:
    """The app's score for one client."""
    return lambda items, arrays: score(items, cast("ArrayRecord | None", arrays), context)


def _records_of(message: Message) -> dict[str, ArrayRecord]:
    return records_in(message.content) if message.has_content() else {}


def _keep(site: Site, start: ArrayRecord | None, local: ArrayRecord | None) -> None:
    """Keep what a client trained from and to, in its own folder.

    Whatever goes wrong here is no concern of training: a round that needs them is then missed.
    """
    with suppress(UnsilentError, OSError):
        for name, arrays in (("start", start), ("local", local)):
            path = _path(site, name)
            # An older round's would be taken for this one's.
            path.unlink(missing_ok=True)
            if arrays is not None:
                save_arrays(path, arrays)


def _kept(site: Site, name: str) -> ArrayRecord | None:
    """What was kept of the client's own training; None if nothing was."""
    path = _path(site, name)
    return load_arrays(path) if path.is_file() else None


def _path(site: Site, name: str) -> Path:
    return site.folder / f"{name}.arrays"
