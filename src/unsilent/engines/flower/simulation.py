"""Flower's simulation on this machine: a server's main, and clients in Ray's workers."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from unsilent.engines.flower.site import SIMULATION
from unsilent.errors import RunError

_OBJECT_STORE_BYTES = 200 * 2**20
_LEAVING_S = 30.0
"""How long a server is waited for that looks for answers at least every two seconds."""


def simulate(
    main: Callable[[Grid], None],
    client: ClientApp,
    nodes: int,
    workers: int,
    folder: Path,
    gpus: float = 0.0,
) -> None:
    """Run a server's main beside simulated clients; what it raises is raised.

    Args:
        main: What the server does.
        client: What each client runs.
        nodes: How many clients there are.
        workers: How many of them run at once, at most one a core.
        folder: Holds the clients' own folders, in ``clients``.
        gpus: Each client's share of a GPU. With one Ray lets a worker see its own GPU alone, so
            that ``cuda`` means that one; without any all workers see the first.

    Raises:
        RunError: The simulation itself failed.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ[SIMULATION] = str(folder)
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    server = ServerApp()
    faults: list[BaseException] = []
    ended, threads = threading.Event(), list[threading.Thread]()

    @server.main()
    def _(grid: Grid, context: Context) -> None:
        threads.append(threading.current_thread())
        try:
            main(_until(ended, grid))
        except _EndedError:
            pass
        except BaseException as fault:
            faults.append(fault)

    cores = os.cpu_count() or 1
    with warnings.catch_warnings(), _leaving(ended, threads), _plainly():
        warnings.simplefilter("ignore")
        run_simulation(
            server_app=server,
            client_app=client,
            num_supernodes=nodes,
            backend_config={
                "client_resources": {"num_cpus": cores // min(workers, cores), "num_gpus": gpus},
                "init_args": {
                    "num_cpus": cores,
                    "include_dashboard": False,
                    "log_to_driver": False,
                    "logging_level": logging.CRITICAL,
                    "object_store_memory": _OBJECT_STORE_BYTES,
                },
            },
        )
    if faults:
        raise faults[0]


class _EndedError(BaseException):
    """Nothing answers any more. No fault of the run's: nobody is to record it as one."""


def _until(ended: threading.Event, grid: Grid) -> Grid:
    """Let a grid's server stop where it looks for nodes or answers, once there are none."""

    def watched(look: Callable[..., Any]) -> Callable[..., Any]:
        def looking(*args: Any, **kwargs: Any) -> Any:
            if ended.is_set():
                raise _EndedError
            return look(*args, **kwargs)

        return looking

    for name in ("get_node_ids", "push_messages", "pull_messages"):
        setattr(grid, name, watched(getattr(grid, name)))
    return grid


@contextmanager
def _leaving(ended: threading.Event, threads: list[threading.Thread]) -> Generator[None]:
    """Leave no server behind in its thread, however a simulation ends.

    Flower leaves it waiting for answers that cannot come, and the process with it; the run's folder
    would be another's meanwhile.
    """
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(_LEAVING_S)


@contextmanager
def _plainly() -> Generator[None, None, None]:
    """Turn what Flower raises of a simulation that ended by itself into one line."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            "Flower's simulation ended by itself",
            where="simulation",
            remedy="Its log says why: /tmp/ray/session_latest/logs. A machine under load is slow "
            "to start its workers.",
        ) from error
