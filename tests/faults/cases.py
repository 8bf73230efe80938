"""Runs one federation with one fault, and says which promises it broke."""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import signal
import time
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

import unsilent.engines.flower.transport as exchange
from tests.engines.flower.in_process import collect_no_garbage
from tests.engines.flower.wire import AGREE, BOXES, KEYS, NAME, OBSERVE, SHARES, UNMASK
from tests.faults import killing
from tests.faults.federation import (
    CLIENTS,
    ROUNDS,
    YEARS,
    Case,
    Fault,
    Network,
    plan,
    set_clock,
)
from unsilent.client.cache import Kept
from unsilent.engines.flower.monitored_strategy import monitor_strategy
from unsilent.engines.flower.server import federate
from unsilent.ledger import Ledger
from unsilent.release import PrivacyEvent, epsilon
from unsilent.server.monitor import Monitor

STAGES = ("train", NAME, KEYS, SHARES, BOXES, OBSERVE, AGREE, UNMASK)
PATIENCE_S = 120.0
_RESTARTS = 3

_STEPS: dict[Case, int] = {}
_EXPECTED: dict[Case, Any] = {}


def run_case(case: Case, folder: Path) -> dict[str, Any]:
    """Run it; what was monitored and missed, and the promises that were broken (none is right)."""
    folder.mkdir(parents=True)
    rehearsed, left = 1, None
    if case.fault.what in ("app", "server"):
        # How many steps there are is known from the same run without the fault.
        fault = replace(case.fault, node=1)
        rehearsed = _steps(replace(case, name="rehearsal", fault=fault), folder)
        left = min(rehearsed - 1, int(case.fault.point * rehearsed))
    whole = folder / "whole"
    whole.mkdir()
    deaths = _server(case, whole, left=left)
    broken = list(broken_promises(case, whole, deaths, _expected(case, folder)))
    ledger = Ledger(whole / "run" / "ledger.sqlite")
    return {
        "case": case.to_json(),
        "broken": broken,
        "steps": [left, rehearsed],
        "judged": sorted({e.payload["round"] for e in ledger.entries("findings")}),
        "missed": {str(e.payload["round"]): e.payload["reason"] for e in ledger.entries("missed")},
    }


def warm_up(folder: Path, servers: Iterable[str] = ("strategy", "federation")) -> None:
    """Run the servers here, so that what they import and compute is there in all forks."""
    collect_no_garbage()
    for server in servers:
        aggregation = "secure-sum" if server == "strategy" else "plain"
        own = folder / server
        own.mkdir(parents=True)
        _serve(Case("warm-up", Fault(), server, aggregation), own, None, monitored=True)


def _steps(case: Case, folder: Path) -> int:
    """The steps of the process that a fault kills; the same for any point and client."""
    case = replace(case, fault=replace(case.fault, point=0.0))
    if case not in _STEPS:
        rehearsal = folder / "rehearsal"
        rehearsal.mkdir()
        _server(case, rehearsal, left=None)
        _STEPS[case] = int((rehearsal / "steps").read_text())
    return _STEPS[case]


def _expected(case: Case, folder: Path) -> Any:
    """What training must give: without a fault, or with the same fault in it; of an app of a
    user's own, without monitoring too."""
    concerns = case.fault.stage == "train" or case.fault.what in ("late", "twin")
    same = replace(case, name="expected", fault=case.fault if concerns else Fault())
    monitored = case.server == "federation"
    if same not in _EXPECTED:
        bare = folder / "expected"
        bare.mkdir()
        # A client that never answers changes the same however far it came.
        _server(same, bare, left=0 if concerns else None, monitored=monitored)
        _EXPECTED[same] = trained(bare)
    return _EXPECTED[same]


def _server(case: Case, folder: Path, *, left: int | None, monitored: bool = True) -> int:
    """Run the server to its end in a process of its own; how often it was killed."""
    for deaths in range(_RESTARTS):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _serve(case, folder, left if deaths == 0 else None, monitored)
                code = 0
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(code)
        deadline = time.monotonic() + PATIENCE_S
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise TimeoutError(f"{case.name}: the server hangs")
            time.sleep(0.005)
        if ended[1] == 0:
            return deaths
        if not os.WIFSIGNALED(ended[1]):
            raise RuntimeError(f"{case.name}: the server failed")
    raise RuntimeError(f"{case.name}: the server never came to its end")


def _serve(case: Case, folder: Path, left: int | None, monitored: bool) -> None:
    for name in ("_run_id", "_node_id", "_task_id"):
        setattr(TaskIdentity, name, 1)
    logging.getLogger("flwr").setLevel(logging.CRITICAL)
    logging.getLogger("unsilent.run").setLevel(logging.CRITICAL)
    _fast_clock()
    if case.fault.what == "server-clock":
        set_clock(YEARS if case.fault.point else -YEARS)
    declared, out = plan(case, folder), folder / "run"
    out.mkdir(exist_ok=True)
    killing.install(folder / "acknowledged")
    at_server = case.fault.what == "server"
    grid: Any = Network(case, folder, monitored=monitored, left=None if at_server else left)
    if at_server:
        killing.watch(out, left, folder / "killed")
    random.seed(1)
    if case.server == "federation":
        monitor = Monitor(declared, Ledger(out / "ledger.sqlite"))
        federate(grid, declared, monitor, out, report=lambda *told: None)
    else:
        strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
        if monitored:
            strategy = monitor_strategy(strategy, declared, out=out)
        result = strategy.start(
            grid, initial_arrays=ArrayRecord([np.zeros(3, np.float32)]), num_rounds=ROUNDS
        )
        found = {
            "arrays": [array.data.hex() for array in result.arrays.values()],
            "metrics": {n: dict(m) for n, m in result.train_metrics_clientapp.items()},
        }
        (folder / "trained.json").write_text(json.dumps(found, sort_keys=True))
    (folder / "steps").write_text(str(killing.steps() if at_server else grid.steps or 1))


def _fast_clock() -> None:
    """Waiting for an answer that does not come takes no time: nobody else is going to answer."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 30 * seconds

    exchange.time = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)  # type: ignore[assignment]


def trained(folder: Path) -> Any:
    """What training gave, byte for byte."""
    path = folder / "trained.json"
    if path.is_file():
        return json.loads(path.read_text())
    models = [(folder / "run" / f"global-{n}.safetensors").read_bytes() for n in range(ROUNDS + 1)]
    ledger = Ledger(folder / "run" / "ledger.sqlite")
    return models, [entry.payload for entry in ledger.entries("system")]


def broken_promises(case: Case, folder: Path, deaths: int, expected: Any) -> Iterator[str]:
    """The promises that this run broke."""
    ledger = Ledger(folder / "run" / "ledger.sqlite")
    ledger.verify()
    entries = ledger.entries()
    if case.fault.what in ("app", "node", "silent", "server") and not (folder / "killed").exists():
        yield "the fault never happened"
    if (deaths > 0) != (case.fault.what == "server"):
        yield f"the server died {deaths} times"
    if trained(folder) != expected:
        yield "training gave something else"
    acknowledged = (folder / "acknowledged").read_text().split()
    kept = [Ledger(path) for path in folder.glob("run*/ledger.sqlite")]
    lost = set(acknowledged) - {entry.hash for each in kept for entry in each.entries()}
    if lost:
        yield f"{len(lost)} ledger entries are lost"
    known = {e.payload["round"] for e in entries if e.kind in ("findings", "missed")}
    if known != set(range(1, ROUNDS + 1)):
        yield f"of rounds {sorted(known)} alone it is known what became of them"
    spent = [e.payload["round"] for e in entries if e.kind == "privacy_event"]
    if len(spent) != len(set(spent)):
        yield f"the server booked rounds {spent}"
    reasons = [e.payload["reason"] for e in entries if e.kind == "missed"]
    if not all(reasons):
        yield "a round was missed without a reason"
    yield from _spending(case, folder)
    yield from _sums(folder, entries)
    wire = [json.loads(line) for line in (folder / "wire.jsonl").read_text().splitlines()]
    if any(line["leaks"] for line in wire):
        yield "a client told the server what it must not"
    sent = defaultdict(set)
    for line in wire:
        if line["kind"] == OBSERVE and line["body"]:
            sent[line["node"], line["round"]].add(line["body"])
    for (node, number), bodies in sent.items():
        if len(bodies) > 1:
            yield f"node {node} sent {len(bodies)} different releases in round {number}"
    judged = {e.payload["round"] for e in entries if e.kind == "findings"}
    if 1 not in judged and case.fault.round > 1 and deaths == 0:
        yield "round 1 was missed, in which nothing went wrong"
    if ROUNDS not in judged and case.fault.round < ROUNDS and case.fault.what in ("app", "node"):
        yield f"round {ROUNDS} was missed, in which nothing went wrong"


def _spending(case: Case, folder: Path) -> Iterator[str]:
    """Each client books each round once, and nothing leaves that is not booked."""
    declared = plan(case, folder)
    for own in sorted((folder / "nodes").iterdir()):
        path = own / "budget.json"
        if not path.is_file():
            continue
        made = json.loads(path.read_text())["releases"]
        rounds = [each["event"]["round"] for each in made]
        if len(rounds) != len(set(rounds)):
            yield f"client {own.name} spent rounds {rounds}"
        cost = epsilon([PrivacyEvent.from_json(e["event"]) for e in made], declared.privacy.delta)
        if cost > declared.privacy.epsilon * (1 + 1e-9):
            yield f"client {own.name} spent epsilon {cost:.3f}"
        unbooked = len(list(own.glob("release-*.bin"))) - len(rounds)
        if unbooked not in (0, 1):
            yield f"client {own.name} has {unbooked} releases that it did not book"


def _sums(folder: Path, entries: list[Any]) -> Iterator[str]:
    """Each sum is that of as many clients' releases as it says."""
    for entry in entries:
        if entry.kind != "sum":
            continue
        number, clients = entry.payload["round"], entry.payload["clients"]
        paths = sorted((folder / "nodes").glob(f"*/release-{number}-*.bin"))
        vectors = [Kept.from_bytes(path.read_bytes()).release().vector for path in paths]
        total = np.array(entry.payload["vector"])
        if not any(
            np.array_equal(sum(chosen), total)
            for chosen in itertools.combinations(vectors, clients)
        ):
            yield f"the sum of round {number} is not that of {clients} releases"


def suite(seed: int, count: int) -> list[Case]:
    """So many cases: every process at every stage, at points that the seed draws."""
    draw = random.Random(seed)
    found: list[Case] = []
    for what in ("app", "node"):
        for stage in STAGES:
            point = draw.random()
            number = 1 if stage in (NAME, KEYS, SHARES, BOXES) else 2
            found.append(_case(what, stage, number, draw, point))
    for server, aggregation in itertools.product(
        ("federation", "strategy"), ("secure-sum", "plain")
    ):
        for _ in range(3):
            fault = Fault("server", point=draw.random())
            found.append(Case(f"server of a {server}, {aggregation}", fault, server, aggregation))
    for stage in (OBSERVE, UNMASK):
        found.append(_case("silent", stage, 2, draw, 0.0))
    found += [
        Case("scoring raises", Fault("raise")),
        Case("scoring raises, plain", Fault("raise"), aggregation="plain"),
        Case("a node joins late", Fault("late")),
        Case("two nodes with one identity", Fault("twin")),
        Case("a client's clock is ahead", Fault("clock", point=1.0)),
        Case("a client's clock is behind", Fault("clock", point=0.0)),
        Case("the server's clock is behind", Fault("server-clock", point=0.0)),
    ]
    while len(found) < count:
        found.append(_drawn(draw))
    return [
        Case(f"{n:03d} {case.name}", case.fault, case.server, case.aggregation)
        for n, case in enumerate(found[:count])
    ]


def _case(what: str, stage: str, number: int, draw: random.Random, point: float) -> Case:
    node = draw.randint(1, CLIENTS)
    name = f"{what} at {stage.removeprefix('query.unsilent_')}, {point:.2f} of it done"
    return Case(name, Fault(what, stage, number, node, point))


def _drawn(draw: random.Random) -> Case:
    """Any process, any stage, any point."""
    what = draw.choice(["app", "app", "app", "node", "server", "server", "silent"])
    aggregation = draw.choice(["secure-sum", "secure-sum", "plain"])
    server = draw.choice(["federation", "strategy"])
    if what == "server":
        fault = Fault("server", point=draw.random())
        return Case(f"server of a {server}, {aggregation}", fault, server, aggregation)
    stages = STAGES if aggregation == "secure-sum" else ("train", NAME, OBSERVE)
    # The reference federation begins when all have said who they are.
    stage = draw.choice([each for each in stages if (server, each) != ("federation", NAME)])
    first = stage in (NAME, KEYS, SHARES, BOXES)
    number = 1 if first else draw.randint(1, ROUNDS)
    case = _case(what, stage, number, draw, draw.random())
    return Case(case.name, case.fault, server, aggregation)
