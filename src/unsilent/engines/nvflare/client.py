"""One line in a client script: it answers monitoring, and trains as it did.

The script's object for FLARE's Client API is put into another. Tasks of monitoring are answered
there, between two of training, and the script never sees them. What a site was sent to train from
and what it sent back are kept in its own folder, since a script may be started for each task.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType

from unsilent.array_files import ArrayFiles
from unsilent.client.functions import Functions, Rows
from unsilent.client.open_text import Label
from unsilent.client.participant import answer
from unsilent.client.sentences import Sentence
from unsilent.client.site import Site
from unsilent.engines.nvflare.arrays import added, plain
from unsilent.engines.nvflare.messages import ANSWERS, TASK, carried, carrying
from unsilent.engines.nvflare.site import site_of
from unsilent.errors import InputError, MessageError, UnsilentError
from unsilent.items import Item, ItemSet
from unsilent.messages import Answer
from unsilent.preserve import preserve_rng_state
from unsilent.wire import answer_bytes, order_of

_LOG = logging.getLogger("unsilent.nvflare")

Params = Mapping[str, NDArray[Any]]
"""A model's or an adapter's parameters by name, as the job's server sends them."""
Score = Callable[[ItemSet, Params | None], Rows]
"""Items, and the parameters (None: the base model, nothing trained); returns one row of
probabilities an item, one number a choice."""


def monitor_client(
    score: Score,
    *,
    records: Callable[[], Iterable[Item]] | None = None,
    personalize: Callable[[Params], Params] | None = None,
    trained_on: Callable[[], Iterable[Item]] | None = None,
    training_record: Callable[[], object] | None = None,
    live: Callable[[], Iterable[Item]] | None = None,
    label: Label | None = None,
    store: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Let a client script answer monitoring, from ``flare.init()`` on.

    ``flare.init(); monitor_client(score)``, once in each process that calls ``flare.init()``. Of
    several ranks the first one answers, inside its ``flare.is_running()`` or
    ``flare.receive()``; on others nothing is changed.

    Args:
        score: ``score(items, params)`` returns a row of probabilities for each item, one number a
            choice: under the model that ``params`` is, None being the base model. ``PeftScore`` is
            one for transformers with peft. One that compares choices by a plan's
            ``model.likelihood`` has a method ``under(likelihood)`` that returns the score to use;
            one with a method ``hashes()`` tells the content hashes that a plan may expect, and
            one with ``write(items, params, writing)`` writes an answer to each prompt, as modes of
            open text need.
        records: ``records()`` returns the site's held-out private items, each with an answer.
            Without it modes that need records cannot be planned, and no failure is called silent
            or loud.
        personalize: ``personalize(params)`` returns the site's own from the newly aggregated ones,
            as NumPy arrays by name. By default they are what its training sent in this round.
        trained_on: ``trained_on()`` returns records that the site trained on. That its own model
            is not worse on them is part of the evidence that ``score`` measures it.
        training_record: ``training_record()`` returns what private training (DP-SGD) recorded of
            its noise; see ``release.training_record``.
        live: ``live()`` returns the labelled items that came in since the last monitoring round,
            if any. Only a plan whose ``[performance]`` asks for live records needs it.
        label: ``label(answers)`` returns for each written answer, an item with its
            ``attributes["text"]``, whether people at the site see in it what its ``rubric`` names,
            or None. Only a plan whose labels of open text are the sites' needs it.
        store: The folder in which each site keeps a folder of its own, where the environment
            variable ``UNSILENT_STORE`` of the site does not say otherwise.
        settings: What the site's owner agrees to: ``plan``, ``model``, ``start``, ``files``,
            ``home-domain``. The site's ``UNSILENT_PLAN`` and so on go before.

    Raises:
        InputError: ``flare.init()`` was not called.
    """
    from nvflare.client.api import get_context

    try:
        context: Any = get_context()
    except RuntimeError:
        context = None
    if context is None or getattr(context, "api", None) is None:
        raise InputError(
            "the Client API is not there yet",
            where="monitor_client",
            remedy="Call flare.init() before.",
        )
    if isinstance(context.api, WatchedApi):
        # A script that is run again in the same process has the same context.
        context.api = context.api.watched
    if str(context.rank or "0") != "0":
        return
    name = context.api.get_site_name()
    site = site_of(name, store, settings or {})
    functions = _functions(site, score, records, personalize, trained_on, training_record)
    functions = replace(functions, live=live, label=label)
    context.api = WatchedApi(context.api, site, functions)


class WatchedApi:
    """FLARE's object for the Client API, which answers monitoring's tasks by itself.

    Args:
        api: FLARE's.
        site: Whose orders are answered.
        functions: By which.
    """

    def __init__(self, api: Any, site: Site, functions: Functions) -> None:
        self.watched = api
        self._site, self._functions = site, functions
        self._begun: object = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.watched, name)

    def is_running(self) -> bool:
        """Whether the job goes on, asked of FLARE; monitoring's tasks are answered meanwhile."""
        while self.watched.is_running():
            if self.watched.get_task_name() != TASK or not self._answered(self.watched.receive()):
                return True
        return False

    def receive(self, timeout: float | None = None) -> FLModel | None:
        """The next model of the job's own, as FLARE gives it."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            model = self.watched.receive(left)
            if model is None or not self._answered(model):
                self._note_start(model)
                return model

    def send(self, model: FLModel, clear_cache: bool = True) -> None:
        """Send what the script sends, and keep what it trained from and to."""
        if not self._is_training():
            self.watched.send(model, clear_cache)
            return
        self._keep(model)
        # The server asks only those whose scripts have this line: others would train on a question.
        marked = isinstance(model.meta, dict) and ANSWERS not in model.meta
        if marked:
            model.meta[ANSWERS] = True
        try:
            self.watched.send(model, clear_cache)
        finally:
            if marked:
                model.meta.pop(ANSWERS, None)

    def _is_training(self) -> bool:
        try:
            return bool(self.watched.is_train())
        except RuntimeError:
            return False

    def _answered(self, model: FLModel | None) -> bool:
        """Answer a task of monitoring; whether it was one."""
        found = None if model is None else carried(model.meta)
        if found is None:
            return False
        with preserve_rng_state():
            body = self._answer(*found)
        try:
            self.watched.send(carrying(body))
        except Exception as error:  # the boundary; where the job is over FLARE says so by itself
            _LOG.warning("an answer of monitoring was not sent (%s)", type(error).__name__)
            # Else the same task would be handed out for ever.
            self.watched.clear()
        return True

    def _answer(self, kind: str, body: bytes) -> bytes:
        """What goes back, whatever happens: nothing of monitoring is raised in the script."""
        try:
            return answer_bytes(answer(kind, order_of(body), self._site, self._functions))
        except MessageError:
            told = Sentence.UNUSABLE
        except Exception as error:  # the boundary
            _LOG.warning("an order of monitoring was not answered (%s)", type(error).__name__)
            told = Sentence.FAILED
        return answer_bytes(Answer(failed=told.text, exit_code=told.exit_code))

    def _note_start(self, model: FLModel | None) -> None:
        """Keep what a site is sent to train from, before the script has it."""
        if model is None or model is self._begun or not model.params or not self._is_training():
            return
        self._begun = model
        with suppress(UnsilentError, OSError), preserve_rng_state():
            for name in ("start", "local"):
                # An older round's would be taken for this one's.
                _path(self._site, name).unlink(missing_ok=True)
            ArrayFiles().save(_path(self._site, "start"), plain(model.params))

    def _keep(self, model: FLModel) -> None:
        """Keep what a site trained to. What goes wrong is no concern of training."""
        self._begun = None
        with suppress(UnsilentError, OSError, ValueError), preserve_rng_state():
            if model.params is None:
                return
            if model.params_type == ParamsType.DIFF:
                # As it was sent: the script may since have written into what it received.
                local = added(_kept(self._site, "start") or {}, model.params)
            else:
                local = plain(model.params)
            ArrayFiles().save(_path(self._site, "local"), local)


def _functions(
    site: Site,
    score: Score,
    records: Callable[[], Iterable[Item]] | None,
    personalize: Callable[[Params], Params] | None,
    trained_on: Callable[[], Iterable[Item]] | None,
    training_record: Callable[[], object] | None,
) -> Functions:
    under = getattr(score, "under", None)
    return Functions(
        score,
        records,
        None if personalize is None else lambda arrays: plain(personalize(arrays)),
        kept=lambda name: _kept(site, name),
        trained_on=trained_on,
        hashes=getattr(score, "hashes", None),
        under=under,
        training_record=training_record,
        write=getattr(score, "write", None),
    )


def _kept(site: Site, name: str) -> Params | None:
    """What was kept of the site's own training; None if nothing was."""
    path = _path(site, name)
    return ArrayFiles().load(path) if path.is_file() else None


def _path(site: Site, name: str) -> Path:
    return site.folder / f"{name}.arrays"
