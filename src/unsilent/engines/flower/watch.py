"""A ServerApp that trains nothing: it asks the sites for what they have already.

``app = watch_app("plan.toml")`` is a whole server. Its clients are those of a monitored app; where
they never trained, ``personalize`` says what each one's own arrays are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp

from unsilent.alerts.deliver import alerting
from unsilent.array_files import ArrayFiles
from unsilent.engines.flower.arrays import RecordFiles, load_arrays, record_of
from unsilent.engines.flower.transport import GridTransport
from unsilent.errors import InputError, ModelError
from unsilent.files import find
from unsilent.messages import Arrays
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.probes.shipping import shipped_fields
from unsilent.server.run_folder import alone_in
from unsilent.server.watch import Watch, seconds_of, watch

Model = str | Path | Callable[[Context], ArrayRecord]
"""A file of arrays, or a function that gives them: asked anew in each round."""

PATIENCE_S = 120.0
"""How long all planned nodes are waited for; a round then begins with those that are there."""
_POLL_S = 0.1


def watch_app(
    plan: str | Path | MonitoringPlan = "plan.toml",
    *,
    model: Model | None = None,
    rounds: int | None = 1,
    every: str | None = None,
    out: str | Path | None = None,
    ledger: str | None = None,
    alerts: str | Path | None = None,
    accept_underpowered: bool = False,
    patience: float = PATIENCE_S,
) -> ServerApp:
    """A ServerApp whose rounds are monitoring alone.

    Each ``flwr run`` of it is the plan's next round, or as many as ``rounds`` says; in the same
    folder it goes on.

    Args:
        plan: A plan file, looked for beside the app's modules and in the current folder, or a plan.
            Its ``federation.rounds`` are the rounds of the watch.
        model: What is sent to the sites, as ``personalize`` and ``score`` take it: an ``.npz`` or
            ``.safetensors`` file, arrays that a run of this package kept, or a function of the
            context. By default nothing is sent, and each site has its own.
        rounds: How many of the plan's rounds a run does at most; None for all that are left.
        every: The time between two rounds, such as ``"7d"``: each waits until it is due.
        out: The run's folder, ``runs/NAME`` of the plan by default.
        ledger: URL of a database for a new run's ledger, by default a file in ``out``.
        alerts: An alerts file, whose channels are told.
        accept_underpowered: Watch by a plan that can reach no verdict.
        patience: Seconds to wait for the plan's clients to be there.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        declared = plan if isinstance(plan, MonitoringPlan) else read_plan(find(plan))
        folder = Path(out or Path("runs") / declared.name).absolute()
        seconds = None if every is None else seconds_of(every)
        with alone_in(folder):
            watched = open_watch(
                declared,
                folder,
                sends=model is not None,
                ledger=ledger,
                accept_underpowered=accept_underpowered,
            )
            with alerting(None if alerts is None else Path(alerts), watched.ledger, folder):
                watch(
                    watched,
                    GridTransport(grid),
                    lambda: present(grid, declared.federation.clients, patience),
                    model=lambda: model_of(model, context),
                    rounds=rounds,
                    every=seconds,
                )

    return app


def open_watch(
    plan: MonitoringPlan,
    out: Path,
    *,
    sends: bool,
    ledger: str | None = None,
    accept_underpowered: bool = False,
) -> Watch:
    """A watch in a folder, as Flower keeps arrays and ships probes. Raises as ``Watch``."""
    return Watch(
        plan,
        out,
        sends=sends,
        ship=lambda declared: shipped_fields(declared, find),
        ledger=ledger,
        storage=RecordFiles(),
        accept_underpowered=accept_underpowered,
    )


def present(grid: Grid, wanted: int, patience: float = PATIENCE_S) -> list[int]:
    """The nodes that are there, once all are or patience ends."""
    deadline = time.monotonic() + patience
    while len(nodes := sorted(grid.get_node_ids())) < wanted and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return nodes


def model_of(model: Model | None, context: Context | None = None) -> Arrays:
    """What is sent; an empty record for nothing.

    Raises:
        ModelError: A file is not there, cannot be read, or holds no arrays.
        InputError: A function gave no ArrayRecord, or an empty one.
    """
    if model is None:
        return ArrayRecord()
    if isinstance(model, str | Path):
        return _read(find(model))
    given: object = model(context) if context is not None else None
    if not isinstance(given, ArrayRecord) or not given:
        raise InputError(
            "what came back is no ArrayRecord with arrays in it",
            where="model",
            remedy="Return the model's arrays, or leave model out.",
        )
    return given


def _read(path: Path) -> ArrayRecord:
    found: Arrays
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError):
            raise ModelError(
                "arrays that cannot be read", where=str(path), remedy="Save them by numpy.savez."
            ) from None
    else:
        found = ArrayFiles().load(path) if path.suffix == ".safetensors" else load_arrays(path)
    if not found:
        raise ModelError("it holds no arrays", where=str(path), remedy="Name the model's file.")
    return record_of(found)
