"""A workflow that trains nothing: it asks the job's sites for what they have already.

Each job is the next rounds of a watch. Its folder outlives the job, so it lies where the server's
owner says, not in the job's own.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nvflare.apis.client import Client
from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from nvflare.app_common.abstract.model import ModelLearnable, ModelLearnableKey

from unsilent.engines.nvflare.arrays import plain
from unsilent.engines.nvflare.server import GIVEN, read_given
from unsilent.engines.nvflare.transport import Sites, TaskTransport
from unsilent.errors import InputError, UnsilentError
from unsilent.messages import NAME, Arrays, Order
from unsilent.server.run_folder import alone_in
from unsilent.server.watch import NOTHING, Watch, watch

_LOG = logging.getLogger("unsilent.nvflare")

PATIENCE_S = 120.0
"""How long all planned sites are waited for; a round then begins with those that are there."""
_POLL_S = 0.1


class WatchController(Controller):
    """Rounds of monitoring alone. ``watch_recipe`` puts it in the place of a recipe's workflow.

    What is wrong ends the job, with its reason in the server's log: nothing else is done in it.

    Args:
        out: The watch's folder on the server.
        rounds: How many of the plan's rounds the job does at most.
        persistor_id: The component that loads the model that is sent; empty for none.
        accept_underpowered: Whether a plan that can reach no verdict is watched by.
        patience: Seconds to wait for the plan's sites to be there.
    """

    def __init__(
        self,
        out: str,
        rounds: int = 1,
        persistor_id: str = "",
        accept_underpowered: bool = False,
        patience: float = PATIENCE_S,
    ) -> None:
        super().__init__()
        # FLARE reads the arguments off these when it writes the job.
        self.out, self.rounds, self.persistor_id = out, rounds, persistor_id
        self.accept_underpowered, self.patience = accept_underpowered, patience

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Nothing is there to begin with."""

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing is left to end."""

    def process_result_of_unknown_task(
        self, client: Client, task_name: str, client_task_id: str, result: Shareable, fl_ctx: Any
    ) -> None:
        """An answer that came too late counts for nothing."""

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """The job: as many rounds as it is for."""
        try:
            with alone_in(Path(self.out)):
                self._watch(fl_ctx, lambda: abort_signal.triggered)
        except UnsilentError as error:
            self.system_panic(f"this watch did not go on: {error.line()}", fl_ctx)

    def _watch(self, fl_ctx: FLContext, aborted: Callable[[], bool]) -> None:
        engine: Any = fl_ctx.get_engine()
        place = Path(engine.get_workspace().get_app_custom_dir(fl_ctx.get_job_id()))
        plan, shipped = read_given(place / GIVEN)
        watched = Watch(
            plan,
            Path(self.out),
            sends=bool(self.persistor_id),
            ship=lambda plan: shipped,
            accept_underpowered=self.accept_underpowered,
        )
        sites = Sites()
        transport = TaskTransport(self, fl_ctx, sites, aborted)
        # Any question would do, and this one tells nothing that the next one does not ask again.
        asked = Order(json.dumps(plan.to_json()), watched.monitor.run, 0, {}, {})

        def present() -> list[int]:
            """The sites that are there, once all are or patience ends."""
            deadline = time.monotonic() + self.patience
            while (
                len(there := engine.get_clients()) < plan.federation.clients
                and time.monotonic() < deadline
                and not aborted()
            ):
                time.sleep(_POLL_S)
            # In the order of their names: that of registering is another in each job.
            numbers = [sites.number(name) for name in sorted(each.name for each in there)]
            # A site is known long before its script runs, which may take longer than an exchange.
            left = max(deadline - time.monotonic(), _POLL_S)
            orders = dict.fromkeys(numbers, asked)
            answered = transport.ask(NAME, orders, lambda done, total: None, left)
            return [number for number in numbers if number in answered]

        watch(
            watched,
            transport,
            present,
            model=lambda: self._model(engine, fl_ctx),
            rounds=self.rounds,
        )
        missed = watched.missed()
        if missed is not None:
            _LOG.warning("the round was missed: %s", missed)
        _LOG.info("what this watch finds is in %s", self.out)

    def _model(self, engine: Any, fl_ctx: FLContext) -> Arrays:
        """What the recipe's own model is, as its component loads it."""
        if not self.persistor_id:
            return NOTHING
        loader = engine.get_component(self.persistor_id)
        loaded = loader.load(fl_ctx) if loader is not None else None
        found = loaded.get(ModelLearnableKey.WEIGHTS) if isinstance(loaded, ModelLearnable) else {}
        if not found:
            raise InputError(
                "the recipe's model was not loaded",
                where=self.persistor_id,
                remedy="Give the recipe its model or initial_ckpt, or leave sends out.",
            )
        return plain(found)
