"""The reference federation's server: FedAvg over adapters, and a monitoring round where planned.

After each round its state is on disk, whole or not at all, so that a run that was killed goes on
with the next round. What a client releases comes from the client's own disk when it is asked
again, so a round that is repeated costs nothing twice. A monitoring round that fails is recorded
as missed, and training goes on.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unsilent.errors import ModelError, RunError
from unsilent.files import find, write_whole
from unsilent.messages import ADAPTER, Answer, Order
from unsilent.models import Adapter, average
from unsilent.plan import MonitoringPlan
from unsilent.probes.shipping import shipped_fields
from unsilent.reference.participant import BASE, METRICS, PROMOTE, START, TRAIN
from unsilent.server.coordinator import Coordinator
from unsilent.server.gate_keeper import Gate
from unsilent.server.monitor import Monitor
from unsilent.server.transport import Report, Transport

TIMING = "timing.json"
"""In the run's folder: the seconds that each round trained and measured. It never enters the
findings, whose bytes do not depend on the machine."""

_TRAINING_TIMEOUT_S = 6 * 3600.0
_LARGEST = 2.0**53
"""Of what a client tells of its training: sums over clients stay finite."""


def federate(
    transport: Transport,
    nodes: Sequence[int],
    plan: MonitoringPlan,
    monitor: Monitor,
    out: Path,
    *,
    report: Report,
) -> Adapter:
    """Run all rounds that the folder does not hold yet; returns the last global adapter.

    Args:
        transport: Reaches the nodes.
        nodes: As many as the plan enrols.
        plan: The plan.
        monitor: Judges, and keeps the ledger.
        out: The run's folder.
        report: Told the stage and how many clients have answered.

    Raises:
        RunError: No client could train or measure, or no nodes connected.
        InputError: What the plan names is unusable for the clients.
    """
    shipped = shipped_fields(plan, find)
    coordinator = Coordinator(transport, plan, monitor, out, report, shipped)
    return _Federation(coordinator, list(nodes), out).run()


class _Federation:
    """One run: who takes part, what they are asked, and what is kept."""

    def __init__(self, coordinator: Coordinator, nodes: list[int], out: Path) -> None:
        self._coordinator = coordinator
        self._nodes = nodes
        self._plan = coordinator.plan
        self._monitor = coordinator.monitor
        self._out = out
        self._gate = Gate(self._plan, self._monitor.ledger)

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
                self._coordinator.observe(
                    round_number,
                    chosen,
                    adapter.tensors,
                    None if reference is None else reference.tensors,
                    {BASE: adapter.base},
                )
            if planned and self._gate.close(round_number) is not None:
                self._promote(round_number, chosen, adapter)
            self._save(round_number, adapter)
            _note_time(self._out, round_number, trained - began, time.monotonic() - trained)
        return adapter

    def _enrol(self) -> list[int]:
        """The nodes in their clients' order: node ids are drawn anew for each run."""
        nodes = self._nodes
        answers = self._coordinator.enrol(nodes)
        members = self._coordinator.members
        if len(answers.good) < len(nodes):
            raise answers.failure()
        if len({member.number for member in members.values()}) < len(nodes):
            raise RunError(
                "two nodes are the same client",
                where="federation.clients",
                remedy="Give each node a client's number of its own.",
            )
        return sorted(nodes, key=lambda node: members[node].number)

    def _start(self, node: int) -> Adapter:
        """Ask one client for the adapter to start from: the server itself holds no model."""
        asked = {node: self._coordinator.order(0, probes=True)}
        timeout = self._plan.monitor.timeout
        answers = self._coordinator.ask(START, asked, "start: load the model", timeout)
        if node not in answers.good:
            raise answers.failure()
        reply = answers.good[node]
        adapter = _received(reply, str(reply.body.get(BASE)))
        if adapter is None:
            raise RunError(
                "a client was asked for an adapter to start from and sent none",
                where="start",
                remedy="See that all clients have this version; adapter.start can name a file.",
            )
        return adapter

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
        asked = dict.fromkeys(chosen, self._order(number, promoted))
        stage = f"round {round_number}: use the adapter of round {number}"
        self._coordinator.ask(PROMOTE, asked, stage, self._plan.monitor.timeout)

    def _order(self, round_number: int, adapter: Adapter) -> Order:
        """An order that hands over an adapter."""
        arrays = {ADAPTER: adapter.tensors}
        return self._coordinator.order(round_number, {BASE: adapter.base}, arrays, probes=True)

    def _global(self, round_number: int, base: str) -> Adapter:
        return Adapter.load(self._path(round_number), base=base)

    def _save(self, round_number: int, adapter: Adapter) -> None:
        """Note that a round is whole: what is on disk without it is made again."""
        state = {"round": round_number, "base": adapter.base}
        write_whole(self._out / "state.json", json.dumps(state).encode())

    def _path(self, round_number: int) -> Path:
        return self._out / f"global-{round_number}.safetensors"

    def _train(self, round_number: int, chosen: Sequence[int], adapter: Adapter) -> Adapter:
        asked = dict.fromkeys(chosen, self._order(round_number, adapter))
        stage = f"round {round_number}: train"
        answers = self._coordinator.ask(TRAIN, asked, stage, _TRAINING_TIMEOUT_S)
        if not answers.good:
            raise answers.failure()
        trained = [each for each in map(partial(_trained, adapter), answers.good.values()) if each]
        if not trained:
            raise RunError(
                "no client could do its part: none sent an adapter that can be averaged",
                where="train",
                remedy="See in the clients' own folders what they trained.",
            )
        weights, losses, accuracies = zip(*(numbers for _, numbers in trained), strict=True)
        self._monitor.system(
            round_number,
            float(np.average(losses, weights=weights)),
            float(np.average(accuracies, weights=weights)),
        )
        return average([local for local, _ in trained], weights)


def _participants(plan: MonitoringPlan, nodes: list[int], round_number: int) -> list[int]:
    count = max(1, plan.taking_part)
    if count == len(nodes):
        return nodes
    random = np.random.default_rng([plan.seed, round_number])
    return [nodes[index] for index in sorted(random.choice(len(nodes), count, replace=False))]


def _trained(sent: Adapter, reply: Answer) -> tuple[Adapter, list[float]] | None:
    """A client's adapter, and how many examples, which loss and which accuracy it tells.

    None if they cannot enter a mean: what one client sends may not end the others' training.
    """
    local = _received(reply, sent.base)
    numbers = [reply.metrics.get(name, math.nan) for name in METRICS]
    if local is None or _shapes(local) != _shapes(sent):
        return None
    # What is no number is not smaller than one.
    whole = all(abs(number) <= _LARGEST for number in numbers) and numbers[0] > 0
    return (local, numbers) if whole else None


def _received(reply: Answer, base: str) -> Adapter | None:
    """The adapter of an answer; None if it holds none that can be read."""
    try:
        return Adapter(base, dict(reply.arrays[ADAPTER]))
    except (KeyError, TypeError, ValueError, ModelError):
        return None


def _shapes(adapter: Adapter) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in adapter.tensors.items()}


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
