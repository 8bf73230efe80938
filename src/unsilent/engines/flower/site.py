"""A client's site from Flower's context: nothing that a server sends is in it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from flwr.app import Context

from unsilent.client.site import Site

SIMULATION = "UNSILENT_SIMULATION"
"""Environment variable of simulated clients: the folder that holds theirs."""

_REMEDY = (
    "Start its SuperNode with --node-config 'store=\"FOLDER\"', or set UNSILENT_SIMULATION to a "
    "folder for a simulation."
)


def site_of(context: Context) -> Site:
    """Where a message is answered: the node's config, and whether it is simulated.

    A client is simulated, which decides that its noise is seeded, where its node has no ``store``
    and either the environment says so or the process is a worker of Flower's simulation.
    """
    settings = context.node_config
    number, store = settings.get("partition-id", -1), settings.get("store")
    number = _whole(number)
    if store:
        return Site(number, Path(str(store)), settings, remedy=_REMEDY)
    own = f"{max(number, 0):04d}"
    if SIMULATION in os.environ:
        folder = Path(os.environ[SIMULATION]) / "clients" / own
    elif _in_worker():
        folder = Path(tempfile.gettempdir()) / f"unsilent-{context.run_id}" / own
    else:
        return Site(number, None, settings, remedy=_REMEDY)
    return Site(number, folder, settings, simulated=True, remedy=_REMEDY)


def _whole(number: object) -> int:
    """A node's number; an owner may have written it as text. -1 if it is none."""
    try:
        return int(str(number))
    except ValueError:
        return -1


def _in_worker() -> bool:
    """Whether this process is a worker of Ray, in which Flower's simulation runs its clients."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return False
    return bool(ray.get_runtime_context().worker.mode == ray.WORKER_MODE)
