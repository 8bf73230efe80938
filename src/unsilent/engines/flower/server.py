"""The reference federation's server in Flower: it waits for the nodes, and hands them over."""

from __future__ import annotations

import time
from pathlib import Path

from flwr.serverapp import Grid

from unsilent.engines.flower.transport import GridTransport
from unsilent.errors import RunError
from unsilent.models import Adapter
from unsilent.plan import MonitoringPlan
from unsilent.reference import federation
from unsilent.server.monitor import Monitor
from unsilent.server.transport import Report

_NODES_TIMEOUT_S = 120.0
_POLL_S = 0.1


def federate(
    grid: Grid, plan: MonitoringPlan, monitor: Monitor, out: Path, *, report: Report
) -> Adapter:
    """Run all rounds that the folder does not hold yet, as ``reference.federation.federate``.

    Raises:
        RunError: No nodes connected, or as there.
    """
    nodes = _nodes(grid, plan.federation.clients)
    transport = GridTransport(grid)
    return federation.federate(transport, nodes, plan, monitor, out, report=report)


def _nodes(grid: Grid, wanted: int) -> list[int]:
    deadline = time.monotonic() + _NODES_TIMEOUT_S
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) >= wanted:
            return nodes[:wanted]
        if time.monotonic() > deadline:
            raise RunError(
                f"{len(nodes)} of {wanted} clients are connected",
                where="federation.clients",
                remedy="Start the missing SuperNodes, or set num-supernodes to that number.",
            )
        time.sleep(_POLL_S)
