"""One line around a strategy: after planned rounds its clients are asked, and it trains as it did.

The strategy's own methods are called with what they were given and return what they return; what
goes in and comes out is only looked at. Whatever goes wrong in monitoring is a missed round with
its reason, never the user's exception.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from flwr.app import ArrayRecord, Message
from flwr.serverapp.strategy import Strategy

from unsilent.engines.flower.arrays import RecordFiles, record_of
from unsilent.engines.flower.calls import Call, Noted, aggregated, messages_in, metrics_in
from unsilent.engines.flower.monitored_class import watch
from unsilent.engines.flower.transport import GridTransport
from unsilent.engines.flower.watched_method import STARTED, after, outermost, started
from unsilent.errors import InputError, RunError
from unsilent.files import find
from unsilent.plan import MonitoringPlan
from unsilent.probes.shipping import shipped_fields
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.promises import EngineWords
from unsilent.server.settings import Settings

S = TypeVar("S", bound=Strategy)

_WORDS = EngineWords(
    no_round="it called neither configure_train nor aggregate_train of the strategy",
    no_aggregate="it did not aggregate this round by the strategy's aggregate_train",
    no_transport="neither start nor configure_train was given a grid",
    transport_remedy="Hand the grid to one of them.",
)

_ROUND_UNKNOWN = (
    "its round could not be told from how the strategy's methods were called: name the parameter "
    "server_round"
)

_REPLIES_UNKNOWN = (
    "no replies could be told from how aggregate_train was called: name the parameter replies"
)


def monitor_strategy(
    strategy: S,
    plan: str | Path | MonitoringPlan = "plan.toml",
    *,
    out: str | Path | None = None,
    loss: str | None = None,
    accuracy: str | None = None,
    accept_underpowered: bool = False,
) -> S:
    """The same strategy, whose clients are monitored after the rounds that the plan names.

    ``strategy = monitor_strategy(strategy)``, around whatever else wraps it.

    Args:
        strategy: Any of Flower's Message-API strategies, or a subclass or wrapper of one. Its
            rounds, arrays, metrics and random numbers are what they were, whatever its methods
            call their parameters and return.
        plan: A plan file, looked for beside the app's modules and in the current folder, or a plan.
        out: The run's folder, ``runs/NAME`` of the plan by default: ledger and findings.
        loss: Name of the aggregated loss that the run shows today; by default the first metric
            that contains ``loss``, evaluation's before training's.
        accuracy: Name of its accuracy; by default the first that contains ``acc``.
        accept_underpowered: Monitor by a plan all the same that can reach no verdict in any mode;
            by default such a plan is refused before anything is booked, and the run goes on
            without monitoring.

    Raises:
        InputError: It is no strategy of the Message API, and nothing has begun.
    """
    _refuse_others(strategy)
    metrics = {"loss": loss, "acc": accuracy}
    settings = Settings(
        plan,
        out,
        metrics,
        accept_underpowered,
        RecordFiles(),
        lambda declared: shipped_fields(declared, find),
        _WORDS,
    )
    line = _Watch(settings)
    line.run.quietly(lambda: watch(strategy, line))
    # At the end of the process, or of the strategy: a run without ``start`` ends here.
    mortal = strategy if type(strategy).__weakrefoffset__ else type(strategy)
    weakref.finalize(mortal, line.end)
    return strategy


class _Watch:
    """What stands around a strategy's methods."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = MonitoredRun(settings)
        self._round: int | None = None
        self._sent: ArrayRecord | None = None
        self._asked: list[Message] = []
        self._shown: Mapping[str, Any] | None = None
        self._watches = {
            "configure_train": self._configure,
            "aggregate_train": self._aggregate,
            "aggregate_evaluate": self._evaluate,
            "start": self._start,
        }

    @property
    def run(self) -> MonitoredRun:
        """The run that goes on: that of the watch around this one if it is the same."""
        for other in STARTED.get():
            if other is not self._own and other.where == self._own.where is not None:
                return other
        return self._own

    def call(
        self, name: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call a method with what was given, watched; unwatched within its own watched call."""
        run = self.run
        call = run.quietly(lambda: Call(method, args, kwargs))
        alone = outermost(method, name, run)
        if call is None or alone is None:
            return method(*args, **kwargs)
        return self._watches[name](alone, call)

    def copied(self) -> None:
        """A copy may go on with the run, and is not watched."""
        self.run.copy()

    def end(self) -> None:
        """Nobody is left who could go on with the run."""
        run = self._own
        if run.begun and not run.over:
            run.quietly(run.close)

    def _configure(self, method: Callable[..., Any], call: Call) -> Any:
        """The strategy's messages, noted as they are made."""
        run = self.run
        number = run.quietly(lambda: call.round)
        arrays = run.quietly(lambda: call.arrays)
        _find_grid(run, call)
        if number is None:
            run.note(None, _ROUND_UNKNOWN)
        else:
            start = run.quietly(lambda: run.begin(number, arrays))
            if start is not None:
                arrays = record_of(start)
                call.with_arrays(arrays)
        if number is None or number != self._round:
            self._asked = []
        self._round, self._sent = number, arrays
        result = method(*call.args, **call.kwargs)
        noted = self._asked_by
        return after(result, noted) if inspect.iscoroutine(result) else noted(result)

    def _asked_by(self, result: Any) -> Any:
        """Note the messages of a result, at once if they are there."""
        if isinstance(result, Collection):
            self.run.quietly(lambda: self._asked.extend(messages_in(result)))
            return result
        return Noted(result, self._asked.append) if isinstance(result, Iterable) else result

    def _aggregate(self, method: Callable[..., Any], call: Call) -> Any:
        """The strategy's result, and after a planned round the monitoring of those who trained."""
        run = self.run
        number = run.quietly(lambda: call.round)
        _find_grid(run, call)
        arrived: list[Any] = []
        replies = run.quietly(lambda: call.replies)
        if isinstance(replies, Iterator):
            call.with_replies(Noted(replies, arrived.append))
        elif replies is not None:
            # Taken now: a strategy may empty the list.
            arrived.extend(run.quietly(lambda: messages_in(replies)) or [])
        try:
            result = method(*call.args, **call.kwargs)
        except Exception as error:  # noted, and the user's own again
            run.note(number, f"aggregate_train raised {type(error).__name__}")
            raise

        def look(result: Any) -> Any:
            self._shown = run.quietly(lambda: metrics_in(result))
            heard = None if replies is None else arrived
            run.quietly(lambda: self._ended(run, number, result, heard))
            return result

        return after(result, look)

    def _ended(
        self, run: MonitoredRun, number: int | None, result: Any, arrived: list[Any] | None
    ) -> None:
        if number is None:
            run.note(None, _ROUND_UNKNOWN)
            return
        if arrived is None:
            run.end(number, None, _REPLIES_UNKNOWN, [])
            return
        arrays, why = aggregated(result, self._sent if number == self._round else None)
        run.end(number, arrays, why, self._trained(run, messages_in(arrived)))

    def _evaluate(self, method: Callable[..., Any], call: Call) -> Any:
        """The strategy's result; loss and accuracy are noted as what the run shows."""
        run = self.run
        number = run.quietly(lambda: call.round)

        def look(result: Any) -> Any:
            run.quietly(lambda: self._note(run, run.round if number is None else number, result))
            return result

        return after(method(*call.args, **call.kwargs), look)

    def _start(self, method: Callable[..., Any], call: Call) -> Any:
        """The strategy's run; where the gate holds back, its result is the promoted adapter."""
        if self.run is not self._own:
            return method(*call.args, **call.kwargs)
        if self.run.over:
            self._own = MonitoredRun(self._settings)
        run = self.run
        _find_grid(run, call)
        run.initial = run.quietly(lambda: call.arrays)
        with started(run):
            result = method(*call.args, **call.kwargs)
        return after(result, lambda found: self._close(run, found), lambda: started(run))

    def _close(self, run: MonitoredRun, result: Any) -> Any:
        run.quietly(run.close)
        promoted = run.quietly(run.promoted)
        if promoted is not None:
            run.quietly(lambda: _hold(result, record_of(promoted)))
        return result

    def _note(self, run: MonitoredRun, number: int, result: Any) -> None:
        """What the run itself shows after a round, if it shows both."""
        records = (metrics_in(result), self._shown)
        loss, accuracy = (run.settings.metric(part, records) for part in ("loss", "acc"))
        if loss is not None and accuracy is not None:
            run.shown(number, loss, accuracy)

    def _trained(self, run: MonitoredRun, replies: list[Message]) -> list[int]:
        """The nodes whose training came back whole, as the transport knows them."""
        asked = {sent.metadata.message_id: sent.metadata.dst_node_id for sent in self._asked}
        whole = [reply.metadata for reply in replies if not reply.has_error()]
        nodes = {asked.get(each.reply_to_message_id) for each in whole} - {None}
        if whole and not nodes and isinstance(run.transport, GridTransport):
            # Asked by messages of the run's own making: then nobody but the replies says by whom.
            nodes = {each.src_node_id for each in whole} & set(run.transport.grid.get_node_ids())
        return sorted(node for node in nodes if node is not None)


def _hold(result: Any, promoted: ArrayRecord) -> None:
    """Let a run's result be the promoted arrays. Raises RunError if it holds none to replace."""
    if not hasattr(result, "arrays"):
        raise RunError(
            "the gate holds back, and what start returned has no arrays to replace",
            where="gate",
            remedy="Let it return a flwr.serverapp.strategy.Result.",
        )
    result.arrays = promoted


def _find_grid(run: MonitoredRun, call: Call) -> None:
    """Note what reaches the nodes, where a call holds it."""
    found = run.quietly(lambda: call.grid)
    if found is not None:
        run.transport = GridTransport(found)


def _refuse_others(strategy: Any) -> None:
    """Raise InputError for what is no strategy of the Message API."""
    if isinstance(strategy, type):
        what, remedy = "a class and no strategy", f"Call it: {strategy.__name__}(…)."
    elif _has(strategy, "configure_train") and _has(strategy, "aggregate_train"):
        return
    elif _has(strategy, "aggregate_fit"):
        what = "a strategy of Flower's older interface (flwr.server.strategy)"
        remedy = (
            "Use the one of the same name in flwr.serverapp.strategy, with an app made by "
            "@app.main(); see docs/flower.md. Client apps made from a client_fn may stay."
        )
    else:
        what, remedy = "no strategy", "Give a strategy of flwr.serverapp.strategy."
    raise InputError(f"{type(strategy).__name__} is {what}", where="strategy", remedy=remedy)


def _has(strategy: Any, name: str) -> bool:
    """Whether it has a method; its class is asked first, since a look may be more than a look."""
    return any(callable(getattr(each, name, None)) for each in (type(strategy), strategy))
