"""One line around a strategy: after planned rounds its clients are asked, and it trains as it did.

The strategy's own methods run as they are; only what goes in and comes out of them is looked at.
Whatever goes wrong in monitoring is a missed round with its reason, never the user's exception.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from unsilent.errors import UnsilentError
from unsilent.files import write_whole
from unsilent.findings import write_findings
from unsilent.flower.arrays import load_arrays, save_arrays
from unsilent.flower.measuring import find
from unsilent.flower.monitoring import Monitoring
from unsilent.flower.run_folder import NOT_MONITORED, open_folder
from unsilent.flower.undisturbed import undisturbed
from unsilent.gate_keeper import Gate
from unsilent.ledger import Ledger
from unsilent.monitor import Monitor
from unsilent.plan import MonitoringPlan, read_plan

S = TypeVar("S", bound=Strategy)
T = TypeVar("T")

_LOG = logging.getLogger("unsilent.flower")


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
            rounds, arrays, metrics and random numbers are what they were.
        plan: A plan file, looked for beside the app's modules and in the current folder, or a plan.
        out: The run's folder, ``runs/NAME`` of the plan by default: ledger and findings.
        loss: Name of the aggregated loss that the run shows today; by default the first metric
            that contains ``loss``, evaluation's before training's.
        accuracy: Name of its accuracy; by default the first that contains ``acc``.
        accept_underpowered: Monitor by a plan all the same that can reach no verdict in any mode;
            by default such a plan is refused before anything is booked, and the run goes on
            without monitoring.
    """
    metrics = {"loss": loss, "acc": accuracy}
    _Watch(strategy, plan, out, metrics, accept_underpowered)
    return strategy


class _Watch:
    """What stands around a strategy's methods."""

    def __init__(
        self,
        strategy: Strategy,
        plan: str | Path | MonitoringPlan,
        out: str | Path | None,
        metrics: dict[str, str | None],
        accept_underpowered: bool,
    ) -> None:
        self._given = plan
        self._accepted = accept_underpowered
        self._wanted = out
        self._metrics = metrics
        self._run: Monitoring | None = None
        self._gate: Gate | None = None
        self._out = Path()
        self._tried = False
        self._round = 0
        self._asked: list[Message] = []
        self._shown: MetricRecord | None = None
        self._configure = strategy.configure_train
        self._aggregate = strategy.aggregate_train
        self._evaluate = strategy.aggregate_evaluate
        self._start = strategy.start
        # On the object itself: a subclass's own ``start``, ``super()`` and checks of its class
        # find what they found before.
        for name in ("configure_train", "aggregate_train", "aggregate_evaluate", "start"):
            object.__setattr__(strategy, name, getattr(self, name))

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """The strategy's messages, noted."""
        self._round = server_round
        start = self._quietly(lambda: self._begin(server_round, arrays, grid))
        start = arrays if start is None else start
        self._asked = list(self._configure(server_round, start, config, grid))
        return self._asked

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The strategy's result, and after a planned round the monitoring of those who trained."""
        arrived = list(replies)
        trained = self._trained(arrived)
        arrays, metrics = self._aggregate(server_round, arrived)
        self._shown = metrics
        if self._planned(server_round):
            self._quietly(lambda: self._observe(server_round, arrays, trained))
            self._quietly(lambda: self._decide(server_round, arrays))
        return arrays, metrics

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """The strategy's result; loss and accuracy are noted as what the run shows."""
        metrics = self._evaluate(server_round, replies)
        self._quietly(lambda: self._note(server_round, metrics))
        return metrics

    def start(self, *args: Any, **kwargs: Any) -> Result:
        """The strategy's run; where the gate holds back, its result is the promoted adapter."""
        result = self._start(*args, **kwargs)
        promoted = self._quietly(self._promoted)
        if promoted is not None:
            result.arrays = promoted
        return result

    def _planned(self, server_round: int) -> bool:
        found = self._run
        return found is not None and server_round in found.plan.monitoring_rounds

    def _begin(self, server_round: int, arrays: ArrayRecord, grid: Grid) -> ArrayRecord | None:
        """Open the run's folder in the first round; returns the arrays that the gate goes back to.

        None if it goes back to none.
        """
        if not self._tried:
            self._tried = True
            self._run = self._open(grid)
            self._gate = Gate(self._run.plan, self._run.monitor.ledger)
        if self._run is None or self._gate is None:
            return None
        if server_round == self._run.plan.reference_round:
            save_arrays(self._reference, arrays)
        if not self._gate.decides:
            return None
        if not self._global(0).is_file():
            save_arrays(self._global(0), arrays)
        start = self._gate.begin(server_round)
        return None if start == server_round - 1 else load_arrays(self._global(start))

    def _open(self, grid: Grid) -> Monitoring:
        given = self._given
        plan = given if isinstance(given, MonitoringPlan) else read_plan(find(given))
        self._out = Path(self._wanted or Path("runs") / plan.name).absolute()
        open_folder(plan, self._out)
        monitor = Monitor(
            plan, Ledger(self._out / "ledger.sqlite"), accept_underpowered=self._accepted
        )
        return Monitoring(grid, plan, monitor, self._out, lambda *told: None)

    def _observe(self, server_round: int, arrays: ArrayRecord | None, trained: list[int]) -> None:
        run = self._run
        if run is None or run.monitor.judged(server_round):
            return
        if arrays is None:
            run.monitor.miss(server_round, "the strategy aggregated no arrays")
        else:
            nodes = _chosen(run.plan, trained, server_round)
            base = run.plan.reference_round == 0
            reference = None if base else load_arrays(self._reference)
            run.observe(server_round, nodes, arrays, reference)
        self._finish(server_round)

    def _decide(self, server_round: int, arrays: ArrayRecord | None) -> None:
        """Let the gate decide what becomes of the round's arrays."""
        if self._gate is None or not self._gate.decides:
            return
        if arrays is not None:
            # Before the gate decides: a person may name any round that it decided about.
            save_arrays(self._global(server_round), arrays)
        self._gate.close(server_round)

    def _promoted(self) -> ArrayRecord | None:
        """The arrays that the gate lets clients use; None if it decides nothing."""
        if self._gate is None or not self._gate.decides:
            return None
        return load_arrays(self._global(self._gate.standing.promoted_round))

    def _note(self, server_round: int, metrics: MetricRecord | None) -> None:
        """What the run itself shows after a round, if it shows both."""
        loss, accuracy = self._value(metrics, "loss"), self._value(metrics, "acc")
        if self._run is None or loss is None or accuracy is None:
            return
        self._run.monitor.system(server_round, loss, accuracy)
        self._finish(server_round)

    def _finish(self, server_round: int) -> None:
        """Write the findings once the last planned round is over: a run with them is finished."""
        run = self._run
        if run is None or server_round < run.plan.monitoring_rounds[-1]:
            return
        if any(map(run.monitor.judged, run.plan.monitoring_rounds)):
            write_findings(self._out / "findings.json", run.monitor.findings())

    def _value(self, evaluated: MetricRecord | None, part: str) -> float | None:
        """A metric that the run shows, evaluation's before training's; None if it has none."""
        for record in (evaluated, self._shown):
            for name, value in (record or {}).items():
                wanted = self._metrics[part]
                fits = name == wanted if wanted else part in name.lower()
                if fits and isinstance(value, int | float) and np.isfinite(value):
                    return float(value)
        return None

    def _trained(self, replies: list[Message]) -> list[int]:
        """The nodes whose training came back whole, as the transport knows them."""
        asked = {sent.metadata.message_id: sent.metadata.dst_node_id for sent in self._asked}
        nodes = [
            asked.get(reply.metadata.reply_to_message_id)
            for reply in replies
            if not reply.has_error()
        ]
        return sorted({node for node in nodes if node is not None})

    @property
    def _reference(self) -> Path:
        return self._out / "reference.arrays"

    def _global(self, round_number: int) -> Path:
        return self._out / f"global-{round_number}.arrays"

    def _quietly(self, work: Callable[[], T]) -> T | None:
        """Do work of monitoring; if it fails the round is missed, and training goes on."""
        try:
            with undisturbed():
                return work()
        except UnsilentError as error:
            self._miss(error.line())
        except Exception as error:  # the boundary: nothing of ours ends the user's run
            self._miss(f"the monitor failed ({type(error).__name__})")
        return None

    def _miss(self, reason: str) -> None:
        """Record a missed round, in the ledger if there is one."""
        _LOG.warning("round %d is not monitored: %s", self._round, reason)
        try:
            if self._run is not None:
                self._run.monitor.miss(self._round, reason)
            else:
                folder = Path(self._wanted or "runs").absolute()
                write_whole(folder / NOT_MONITORED, f"{reason}\n".encode())
        except (UnsilentError, OSError) as error:
            _LOG.warning("nor can that be recorded (%s)", type(error).__name__)


def _chosen(plan: MonitoringPlan, trained: list[int], server_round: int) -> list[int]:
    """As many of those who trained as the plan says take part, drawn anew for each round."""
    count = max(1, plan.taking_part)
    if len(trained) <= count:
        return trained
    random = np.random.default_rng([plan.seed, server_round])
    return [trained[index] for index in sorted(random.choice(len(trained), count, replace=False))]
