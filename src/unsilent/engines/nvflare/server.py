"""The server's component: it watches the job's workflow, and after planned rounds asks its sites.

A job travels as JSON, so nothing can be wrapped before it starts: the workflow is watched when the
run begins. Whatever goes wrong in monitoring is a missed round with its reason.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext

from unsilent.engines.nvflare.arrays import plain
from unsilent.engines.nvflare.hold import Hold, refuse_unheld
from unsilent.engines.nvflare.transport import Sites, TaskTransport
from unsilent.engines.nvflare.workflows import watch
from unsilent.errors import InputError
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.server.monitored_run import MonitoredRun
from unsilent.server.promises import EngineWords
from unsilent.server.settings import Settings

_LOG = logging.getLogger("unsilent.nvflare")

GIVEN = "unsilent_monitoring.json"
"""The job's file that carries the plan, and its pinned probes, to the server."""
OUT = "unsilent"
"""The run's folder in the job's own on the server, by default."""

_WORDS = EngineWords(
    no_round="its workflow told of no round",
    no_aggregate="its workflow did not update the model in this round",
    no_transport="no workflow was running",
    transport_remedy="Monitor a FedAvg, FedProx, FedOpt, Scaffold or Cyclic recipe.",
)
_ROUND_UNKNOWN = "its workflow did not say which of its rounds was over"
_NO_LINE = "no site's script trained in this round with the line monitor_client(…) in it"


class ServerMonitor(FLComponent):
    """Monitors the workflows of a job. ``monitor_recipe`` adds it.

    Args:
        out: The run's folder; by default ``unsilent`` in the job's folder on the server.
        loss: Name of the aggregated loss that the run shows today.
        accuracy: Name of its accuracy.
        accept_underpowered: Whether a plan that can reach no verdict is run.
    """

    def __init__(
        self,
        out: str | None = None,
        loss: str | None = None,
        accuracy: str | None = None,
        accept_underpowered: bool = False,
    ) -> None:
        super().__init__()
        # FLARE reads the arguments off these when it writes the job.
        self.out, self.loss, self.accuracy = out, loss, accuracy
        self.accept_underpowered = accept_underpowered
        self._watches: list[_Watch] = []

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Begin with the run, and end with it."""
        if event_type == EventType.START_RUN:
            self._quietly(lambda: self._begin(fl_ctx))
        elif event_type == EventType.END_RUN:
            for each in self._watches:
                self._quietly(each.run.close)

    def _begin(self, fl_ctx: FLContext) -> None:
        engine: Any = fl_ctx.get_engine()
        workspace, job = engine.get_workspace(), fl_ctx.get_job_id()
        out = Path(self.out or Path(workspace.get_run_dir(job)) / OUT).absolute()
        given = Path(workspace.get_app_custom_dir(job)) / GIVEN
        run = MonitoredRun(self._settings(given, out))
        runner: Any = fl_ctx.get_prop(FLContextKey.RUNNER)
        controllers = [each.controller for each in runner.config.workflows]
        holds = run.plan.gate.action != "observe"
        if holds:
            refuse_unheld(controllers, runner.config.handlers)
        _LOG.info("what this job's monitoring finds is in %s", out)
        line = _Watch(run, fl_ctx)
        self._watches.append(line)
        watched = [line.watch(each) for each in controllers]
        if holds:
            line.hold(controllers)
        if not any(watched):
            names = ", ".join(type(each).__name__ for each in controllers)
            run.note(None, f"no workflow of this job is one that is watched ({names})")

    def _settings(self, given: Path, out: Path) -> Settings:
        plan, shipped = read_given(given)
        metrics = {"loss": self.loss, "acc": self.accuracy}
        return Settings(
            plan,
            out,
            metrics,
            self.accept_underpowered,
            ship=lambda plan: shipped,
            words=_WORDS,
        )

    def _quietly(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Exception as error:  # the boundary: nothing of ours ends the user's job
            _LOG.warning("this job is not monitored (%s: %s)", type(error).__name__, error)


class _Watch:
    """What stands beside a job's workflows and is told of their rounds."""

    def __init__(self, run: MonitoredRun, context: FLContext) -> None:
        self.run = run
        self._engine: Any = context.get_engine()
        self._sites = Sites()
        self._trained: dict[str, bool] = {}
        self._newest: int | None = 0

    def watch(self, controller: Any) -> bool:
        """Watch a workflow; whether it is one of those that can be."""
        return watch(controller, _Of(self, controller))

    def hold(self, controllers: list[Any]) -> None:
        """Let workflows save what the gate promotes, and nothing else."""
        held = Hold(self.run, lambda: self._newest)
        for each in controllers:
            held.over(each, self._engine.get_component(each._persistor_id))

    def trained(self, site: str, answers: bool) -> None:
        """Note who trained in this round, and may be asked."""
        self._trained[site] = answers

    def round(
        self, controller: Any, number: int | None, before: object, after: object, metrics: object
    ) -> None:
        """Monitor a round that is over, if it is a planned one."""
        trained, self._trained = self._trained, {}
        self._newest = number
        if number is None:
            self.run.note(None, _ROUND_UNKNOWN)
            return
        self.run.quietly(lambda: self._round(controller, number, before, after, metrics, trained))

    def _round(
        self,
        controller: Any,
        number: int,
        before: object,
        after: object,
        metrics: object,
        trained: dict[str, bool],
    ) -> None:
        run = self.run
        with self._engine.new_context() as context:
            run.transport = TaskTransport(
                controller, context, self._sites, lambda: _aborted(controller, context)
            )
            run.begin(number, None)
            run.begin(number, plain(before))
            # In the order of their names: that of arrival is another in each run.
            nodes = [self._sites.number(name) for name in sorted(trained) if trained[name]]
            arrays = plain(after) if nodes else None
            shown = metrics if isinstance(metrics, Mapping) else {}
            run.after_round(number, arrays, nodes, shown, why=_NO_LINE)


class _Of:
    """One workflow's own line."""

    def __init__(self, owner: _Watch, controller: Any) -> None:
        self._owner, self._controller = owner, controller

    def trained(self, site: str, answers: bool) -> None:
        """As ``_Watch.trained``."""
        self._owner.trained(site, answers)

    def round(self, number: int | None, before: object, after: object, metrics: object) -> None:
        """As ``_Watch.round``."""
        self._owner.round(self._controller, number, before, after, metrics)


def _aborted(controller: Any, context: FLContext) -> bool:
    """Whether the job is being ended: then nobody waits for answers."""
    signals = (getattr(controller, "abort_signal", None), context.get_run_abort_signal())
    return any(each is not None and each.triggered for each in signals)


def given_bytes(plan: MonitoringPlan, shipped: Mapping[str, bytes]) -> bytes:
    """The plan and its pinned probes as the file ``GIVEN``."""
    texts = {name: data.decode() for name, data in shipped.items()}
    return json.dumps({"plan": plan.to_json(), "shipped": texts}).encode()


def read_given(path: Path) -> tuple[MonitoringPlan, dict[str, bytes]]:
    """The plan and its pinned probes. Raises InputError if the file is not there or another's."""
    try:
        found = json.loads(path.read_bytes())
        plan = parse_plan(found["plan"], where=path.name)
        return plan, {str(name): str(text).encode() for name, text in found["shipped"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            "the job carries no plan of monitoring",
            where=path.name,
            remedy="Make the job again by monitor_recipe.",
        ) from None
