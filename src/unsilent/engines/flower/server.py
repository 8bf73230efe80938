"""The reference federation's server: FedAvg over adapters, and a monitoring round where planned.

After each round its state is on disk, whole or not at all, so that a run that was killed goes on
with the next round. What a client releases comes from the client's own disk when it is asked
again, so a round that is repeated costs nothing twice. A monitoring round that fails is recorded
as missed, and training goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Message
from flwr.serverapp import Grid

from unsilent.engines.flower import messages
from unsilent.engines.flower.exchange import Report
from unsilent.engines.flower.messages import PROMOTE, START
from unsilent.engines.flower.monitoring import Monitoring
from unsilent.errors import RunError
from unsilent.files import write_whole
from unsilent.models import Adapter, average
from unsilent.plan import MonitoringPlan
from unsilent.server.gate_keeper import Gate
from unsilent.server.monitor import Monitor

TIMING = "timing.json"
"""In the run's folder: the seconds that each round trained and measured. It never enters the
findings, whose bytes do not depend on the machine."""

_NODES_TIMEOUT_S = 120.0
_TRAINING_TIMEOUT_S = 6 * 3600.0
_POLL_S = 0.1


def federate(
    grid: Grid,
    plan: MonitoringPlan,
    monitor: Monitor,
    out: Path,
    *,
    report: Report,
) -> Adapter:
    """Run all rounds that the folder does not hold yet; returns the last global adapter.

    Raises:
        RunError: No client could train or measure, or no nodes connected.
        InputError: What the plan names is unusable for the clients.
    """
    return _Federation(grid, plan, monitor, out, report).run()


class _Federation:
    """One run: who takes part, what they are asked, and what is kept."""

    def __init__(
        self, grid: Grid, plan: MonitoringPlan, monitor: Monitor, out: Path, report: Report
    ) -> None:
        self._grid = grid
        self._plan = plan
        self._monitor = monitor
        self._out = out
        self._gate = Gate(plan, monitor.ledger)
        self._monitoring = Monitoring(grid, plan, monitor, out, report)

    def run(self) -> Adapter:
        nodes = self._enrol()
        resumed = _resume(self._out)
        if resumed is None:
            resumed = 0, self._start(nodes[0])
            resumed[1].save(self._path(0))
            self._save(*resumed)
        done, adapter = resumed
        for round_number in range(done + 1, self._plan.federation.rounds + 1):
            chosen = _participants(self._plan, nodes, round_number)
            began = time.monotonic()
            adapter = self._begin(round_number, chosen, adapter)
            adapter = self._train(round_number, chosen, adapter)
            # Before the gate decides: a person may name any round that it decided about.
            adapter.save(self._path(round_number))
            trained = time.monotonic()
            planned = round_number in self._plan.monitoring_rounds
            if planned and not self._monitor.judged(round_number):
                number = self._plan.reference_round
                reference = None if number == 0 else self._global(number - 1, adapter.base)
                self._monitoring.observe(round_number, chosen, adapter, reference)
            if planned and self._gate.close(round_number) is not None:
                self._promote(round_number, chosen, adapter)
            self._save(round_number, adapter)
            _note_time(self._out, round_number, trained - began, time.monotonic() - trained)
        return adapter

    def _enrol(self) -> list[int]:
        """The nodes in their clients' order: node ids are drawn anew for each run."""
        nodes = _nodes(self._grid, self._plan.federation.clients)
        answers = self._monitoring.enrol(nodes)
        members = self._monitoring.members
        if len(answers.good) < len(nodes):
            raise answers.failure()
        if len({member.number for member in members.values()}) < len(nodes):
            raise RunError(
                "two nodes are the same client",
                where="federation.clients",
                remedy="Give each SuperNode a partition-id of its own.",
            )
        return sorted(nodes, key=lambda node: members[node].number)

    def _start(self, node: int) -> Adapter:
        """Ask one client for the adapter to start from: the server itself holds no model."""
        asked = {node: {"round": 0, **self._monitoring.shipped}}
        answers = self._monitoring.exchange(START, asked, "start: load the model")
        if node not in answers.good:
            raise answers.failure()
        reply = answers.good[node]
        return messages.adapter_of(reply.content, str(_values(reply)["base"]))

    def _begin(self, round_number: int, chosen: Sequence[int], adapter: Adapter) -> Adapter:
        """The adapter that a round starts from: the last one, if the gate went back to no other."""
        start = self._gate.begin(round_number)
        standing = self._gate.standing
        if (standing.round, standing.action) == (round_number, "overruled"):
            self._promote(round_number - 1, chosen, adapter)
        return adapter if start == round_number - 1 else self._global(start, adapter.base)

    def _promote(self, round_number: int, chosen: Sequence[int], adapter: Adapter) -> None:
        """Tell clients which adapter to use; ``adapter`` is that of this round.

        Who cannot be told goes on with what it has, and hears it after the next monitoring round.
        """
        number = self._gate.standing.promoted_round
        promoted = adapter if number == round_number else self._global(number, adapter.base)
        requests = {
            node: messages.request(node, PROMOTE, self._monitoring.order, number, promoted)
            for node in chosen
        }
        stage = f"round {round_number}: use the adapter of round {number}"
        self._monitoring.ask(requests, stage, self._plan.monitor.timeout)

    def _global(self, round_number: int, base: str) -> Adapter:
        return Adapter.load(self._path(round_number), base=base)

    def _save(self, round_number: int, adapter: Adapter) -> None:
        """Note that a round is whole: what is on disk without it is made again."""
        state = {"round": round_number, "base": adapter.base}
        write_whole(self._out / "state.json", json.dumps(state).encode())

    def _path(self, round_number: int) -> Path:
        return self._out / f"global-{round_number}.safetensors"

    def _train(self, round_number: int, chosen: Sequence[int], adapter: Adapter) -> Adapter:
        order = self._monitoring.order
        answers = self._monitoring.ask(
            {
                node: messages.request(node, "train", order, round_number, adapter)
                for node in chosen
            },
            f"round {round_number}: train",
            _TRAINING_TIMEOUT_S,
        )
        if not answers.good:
            raise answers.failure()
        trained = list(answers.good.values())
        weights = [float(_metric(reply, "num-examples")) for reply in trained]
        self._monitor.system(
            round_number,
            float(np.average([_metric(reply, "loss") for reply in trained], weights=weights)),
            float(np.average([_metric(reply, "accuracy") for reply in trained], weights=weights)),
        )
        return average(
            [messages.adapter_of(reply.content, adapter.base) for reply in trained], weights
        )


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


def _participants(plan: MonitoringPlan, nodes: list[int], round_number: int) -> list[int]:
    count = max(1, plan.taking_part)
    if count == len(nodes):
        return nodes
    random = np.random.default_rng([plan.seed, round_number])
    return [nodes[index] for index in sorted(random.choice(len(nodes), count, replace=False))]


def _values(reply: Message) -> Any:
    return reply.content.config_records[messages.ANSWER]


def _metric(reply: Message, name: str) -> Any:
    return reply.content.metric_records[messages.METRICS][name]


def _resume(out: Path) -> tuple[int, Adapter] | None:
    """The last whole round of the folder and its global adapter, if there is one."""
    state = out / "state.json"
    if not state.is_file():
        return None
    kept = json.loads(state.read_text(encoding="utf-8"))
    done = int(kept["round"])
    return done, Adapter.load(out / f"global-{done}.safetensors", base=kept["base"])


def _note_time(out: Path, round_number: int, train: float, monitor: float) -> None:
    path = out / TIMING
    noted = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    noted.append({"round": round_number, "train": round(train, 3), "monitor": round(monitor, 3)})
    write_whole(path, (json.dumps(noted) + "\n").encode())
