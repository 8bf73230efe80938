"""One round of the SecAgg+ that Flower ships, in this process: its own workflow and its own mod.

Messages are handed over as objects, so neither side's protobuf counts; what Flower encodes and
checks within the protocol does.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from clock import Clock, total
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.compat.common import recorddict_compat as compat
from flwr.server import Grid, LegacyContext
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.supercore.task_identity import TaskIdentity
from numpy.typing import NDArray

_COLLECT = 2  # the stage of four in which clients send their vectors
_RANGE = 8.0


def flower_round(
    vectors: NDArray[np.float64], drop_outs: int, shares: int, threshold: int
) -> tuple[Clock, list[Clock], list[Clock]]:
    """Sum vectors by Flower's SecAgg+.

    Args:
        vectors: (clients, length) numbers of magnitude at most 8.
        drop_outs: How many clients, the first ones, fail before they send their vector.
        shares: In how many shares a secret is split, the owner's own included.
        threshold: How many give it.

    Returns:
        What the server took over all four stages; what each client that stayed took over them;
        and what it took for the last two of them, after the keys are shared.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    # Where a server app runs, Flower has set these by now.
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    grid = _Grid(vectors, drop_outs)
    strategy = _Strategy(len(vectors))
    context = LegacyContext(_context(0), strategy=strategy)  # pyright: ignore[reportArgumentType]
    context.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    empty = compat.parameters_to_arrayrecord(ndarrays_to_parameters([]), keep_input=True)
    context.state.array_records[MAIN_PARAMS_RECORD] = empty
    everything = Clock()
    workflow = SecAggPlusWorkflow(shares, threshold, max_weight=1.0, clipping_range=_RANGE)
    everything.run(workflow, cast("Grid", grid), context)
    if strategy.mean is None:
        raise RuntimeError("Flower's SecAgg+ gave no sum")
    np.testing.assert_allclose(strategy.mean, vectors[drop_outs:].mean(axis=0), atol=1e-5)
    stages = list(zip(*grid.clocks, strict=True))
    server = everything.less(grid.transfer, *(clock for stage in grid.clocks for clock in stage))
    stayed = stages[drop_outs:]
    return server, [total(client) for client in stayed], [total(c[_COLLECT:]) for c in stayed]


class _Strategy:
    """Asks all clients, and keeps the mean."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self.mean: NDArray[np.float64] | None = None

    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        return [
            (SimpleNamespace(node_id=node + 1), FitIns(ndarrays_to_parameters([]), {}))
            for node in range(self._clients)
        ]

    def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
        self.mean = parameters_to_ndarrays(results[0][1].parameters)[0]
        return None, {}


class _Grid:
    """Hands messages to the clients one by one, each on a clock of its own."""

    def __init__(self, vectors: NDArray[np.float64], drop_outs: int) -> None:
        self._vectors, self._drop_outs = vectors, drop_outs
        self._contexts = [_context(node + 1) for node in range(len(vectors))]
        self.clocks: list[list[Clock]] = []
        self.transfer = Clock()

    def send_and_receive(
        self, messages: Iterable[Message], timeout: float | None = None
    ) -> list[Message]:
        self.clocks.append([Clock() for _ in self._vectors])
        return [self._reply(message) for message in messages]

    def _reply(self, message: Message) -> Message:
        client = message.metadata.dst_node_id - 1
        if client < self._drop_outs and len(self.clocks) > _COLLECT:
            return Message(Error(code=0, reason="dropped out"), reply_to=message)
        # The mod takes apart what it gets, and the workflow sends one object to all.
        own = self.transfer.run(copy.deepcopy, message)
        train = self.transfer.run(self._trained, client)
        return self.clocks[-1][client].run(secaggplus_mod, own, self._contexts[client], train)

    def _trained(self, client: int) -> Callable[[Message, Context], Message]:
        update = ndarrays_to_parameters([self._vectors[client]])
        result = FitRes(Status(Code.OK, ""), update, num_examples=1, metrics={})
        content = compat.fitres_to_recorddict(result, keep_input=True)
        return lambda message, _: Message(content, reply_to=message)


def _context(node: int) -> Context:
    return Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})
