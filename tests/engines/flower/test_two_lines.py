"""A monitored app trains bit for bit as it did, whatever becomes of the monitoring."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import fixedclipping_mod
from flwr.serverapp.strategy import (
    DifferentialPrivacyClientSideFixedClipping,
    DifferentialPrivacyServerSideFixedClipping,
    FedAdam,
    FedAvg,
    FedProx,
    Result,
    Strategy,
)

from tests.engines.flower.in_process import InProcess, enter_run
from tests.engines.flower.wire import OBSERVE
from unsilent.client.local import local_view
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.messages import ANSWER
from unsilent.errors import ItemError
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.items import Item, ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.plan import MonitoringPlan, parse_plan

NODES, ROUNDS = 4, 3
SECRET = "the patient wrote: it hurts"
PROBES = [
    Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2]) for n in range(16)
]


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


def plan(folder: Path, **changes: Any) -> MonitoringPlan:
    """Confidence is measured on the task's probes, after the first and the last round."""
    write_items(folder / "probes.jsonl", PROBES)
    data: dict[str, Any] = {
        "name": "two-lines",
        "federation": {"clients": NODES, "rounds": ROUNDS},
        "monitor": {"rounds": [1, 3], "min_cohort": 2, "timeout": 20.0},
        "privacy": {"aggregation": "plain", "epsilon": 20.0},
        "modes": {"confidence_miscalibration": {"tolerance": 0.1, "clip": 0.4}},
        "probes": {"task": str(folder / "probes.jsonl"), "items": 16},
    }
    for section, values in changes.items():
        data[section] = {**data.get(section, {}), **values}
    return parse_plan(data)


def app(name: str = "FedAvg") -> ClientApp:
    """An app that draws from all random states there are, and keeps what it drew."""
    made = ClientApp()

    # Around training alone: of an evaluation this mod of Flower's makes an error.
    @made.train(mods=[fixedclipping_mod] if name == "client DP" else [])
    def train(message: Message, context: Context) -> Message:
        (weights,) = message.content["arrays"].to_numpy_ndarrays()
        drawn = random.random() + np.random.normal() + float(torch.rand(()))
        seen = context.state.get("seen", ConfigRecord({"drawn": []}))
        seen["drawn"] = [*seen["drawn"], drawn]
        context.state["seen"] = seen
        trained = ArrayRecord([weights + np.float32(drawn + context.node_id)])
        metrics = MetricRecord({"train_loss": drawn, "num-examples": 3 + context.node_id})
        content = RecordDict({"arrays": trained, "metrics": metrics})
        return Message(content=content, reply_to=message)

    @made.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        (weights,) = message.content["arrays"].to_numpy_ndarrays()
        metrics = {"eval_loss": float(weights.mean()), "eval_acc": 0.5, "num-examples": 2}
        return Message(RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)

    return made


def score(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    """Draws from all random states, too."""
    random.random(), np.random.normal(), torch.rand(3)
    torch.manual_seed(1)
    shift = 0.0 if arrays is None else float(np.tanh(arrays.to_numpy_ndarrays()[0]).mean())
    return [[0.5 - 0.3 * shift, 0.5 + 0.3 * shift] for _ in items]


class Own(FedAvg):
    """A user's strategy that has a run of its own, as Flower's examples write it."""

    def start(self, *args: Any, **kwargs: Any) -> Result:
        self.notes: list[int] = []
        return super().start(*args, **kwargs)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        self.notes.append(server_round)
        return super().aggregate_train(server_round, replies)


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "FedAvg": FedAvg,
    "half": lambda: FedAvg(fraction_train=0.5),
    "FedProx": lambda: FedProx(proximal_mu=0.1),
    "FedAdam": FedAdam,
    "own": Own,
    "DP": lambda: DifferentialPrivacyServerSideFixedClipping(FedAvg(), 1.0, 1.0, NODES),
    "client DP": lambda: DifferentialPrivacyClientSideFixedClipping(FedAvg(), 1.0, 1.0, NODES),
}


def run(grid: InProcess, strategy: Strategy) -> tuple[dict[str, Any], list[Any], tuple[Any, ...]]:
    """What a run gives: arrays and metrics, all messages of the app's own, and random states."""
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    result = strategy.start(
        grid,  # type: ignore[arg-type]
        initial_arrays=ArrayRecord([np.zeros((2, 3), np.float32)]),
        num_rounds=ROUNDS,
        evaluate_fn=lambda number, arrays: MetricRecord({"drawn": random.random()}),
    )
    gave = {
        "arrays": [array.data for array in result.arrays.values()],
        "train": {n: dict(m) for n, m in result.train_metrics_clientapp.items()},
        "evaluate": {n: dict(m) for n, m in result.evaluate_metrics_clientapp.items()},
        "server": {n: dict(m) for n, m in result.evaluate_metrics_serverapp.items()},
        "state": {node: repr(context.state) for node, context in grid.contexts.items()},
    }
    own = [
        (m.metadata.message_type, m.metadata.group_id, repr(m.content), _data(m.content))
        for m in (*grid.sent, *grid.received)
        if "unsilent" not in m.metadata.message_type
    ]
    numbers = np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    return gave, own, (random.getstate(), numbers, torch.get_rng_state().tolist())


def _data(content: RecordDict) -> list[bytes]:
    return [a.data for record in content.array_records.values() for a in record.values()]


def unmonitored(folder: Path, name: str = "FedAvg") -> Any:
    return run(InProcess(app(name), NODES, folder / "plain"), STRATEGIES[name]())


def missed(out: Path) -> dict[int, str]:
    entries = Ledger(out / "ledger.sqlite").entries("missed")
    return {entry.payload["round"]: entry.payload["reason"] for entry in entries}


def judged(out: Path) -> list[int]:
    return [e.payload["round"] for e in Ledger(out / "ledger.sqlite").entries("findings")]


@pytest.mark.parametrize("name", STRATEGIES)
def test_training_is_bit_for_bit_what_it_was(name: str, tmp_path: Path) -> None:
    share = 0.5 if name == "half" else 1.0
    declared = plan(tmp_path, federation={"participation": share, "clients": NODES, "rounds": 3})
    grid = InProcess(monitor_client(app(name), score), NODES, tmp_path / "nodes", agreed=declared)
    # A half of so few clients shows nothing; what is tested here is that training does not mind.
    strategy = monitor_strategy(
        STRATEGIES[name](), declared, out=tmp_path / "run", accept_underpowered=True
    )
    assert run(grid, strategy) == unmonitored(tmp_path, name)
    assert judged(tmp_path / "run") == [1, 3]
    assert missed(tmp_path / "run") == {}


def test_a_plan_that_can_show_nothing_is_refused_and_training_goes_on(tmp_path: Path) -> None:
    declared = plan(tmp_path, privacy={"epsilon": 0.01})
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared)
    strategy = monitor_strategy(FedAvg(), declared, out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    # Nothing was begun, booked or asked.
    assert not Ledger(tmp_path / "run" / "ledger.sqlite").entries()
    assert not list((tmp_path / "nodes").rglob("release-*"))


def test_training_goes_on_as_it_did_under_a_secure_sum(tmp_path: Path) -> None:
    declared = plan(tmp_path, privacy={"aggregation": "secure-sum"})
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared)
    strategy = monitor_strategy(FedAvg(), declared, out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert judged(tmp_path / "run") == [1, 3]


def raises(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    random.random()
    raise ValueError(SECRET)


def ends(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    raise SystemExit(SECRET)


def hangs(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
    time.sleep(60)
    return []


def nonsense(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> Any:
    return [[0.2, float("nan")] for _ in items]


def leaks(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> Any:
    raise ItemError(SECRET)


FAULTY = {
    "raises": (raises, Sentence.APP),
    "leaks": (leaks, Sentence.APP),
    "ends": (ends, Sentence.APP),
    "hangs": (hangs, Sentence.LATE),
    "nonsense": (nonsense, Sentence.NOT_MEASURABLE),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_scorer_that_fails_costs_the_round_and_nothing_else(name: str, tmp_path: Path) -> None:
    faulty, reason = FAULTY[name]
    waits = 0.5 if name == "hangs" else 20.0
    rounds = [1] if name == "hangs" else [1, 3]
    declared = plan(tmp_path, monitor={"timeout": waits, "rounds": rounds})
    grid = InProcess(monitor_client(app(), faulty), NODES, tmp_path / "nodes", agreed=declared)
    strategy = monitor_strategy(FedAvg(), declared, out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert list(missed(tmp_path / "run")) == rounds
    assert reason.text.rstrip(".") in missed(tmp_path / "run")[1]
    travelled = repr([message.content for message in grid.received])
    assert SECRET not in travelled and "ValueError" not in travelled
    assert SECRET not in (tmp_path / "run" / "ledger.sqlite").read_bytes().decode("latin-1")
    if name in ("raises", "leaks", "ends"):
        assert SECRET in (tmp_path / "nodes" / "1" / "error.log").read_text()


def hostile(kind: str, node: int, reply: Message) -> Message | None:
    """Whatever comes back to monitoring's questions is not what was asked for."""
    if "unsilent" not in kind:
        return reply
    told: dict[int, dict[str, Any]] = {
        1: {"client": "one", "identity": 7, "body": 9},
        2: {"client": 1, "identity": b"\0" * 16, "body": b"\xff"},
        3: {"failed": "x\x1b[2J" * 999, "exit_code": "0"},
    }
    reply.content.clear()
    if node in told:
        reply.content[ANSWER] = ConfigRecord(told[node])
    return reply


def silent(kind: str, node: int, reply: Message) -> Message | None:
    return None if kind == OBSERVE else reply


@pytest.mark.parametrize("aggregation", ["plain", "secure-sum"])
@pytest.mark.parametrize("tap", [hostile, silent])
def test_replies_that_are_hostile_or_never_come_cost_the_round_and_nothing_else(
    tap: Any, aggregation: str, tmp_path: Path
) -> None:
    declared = plan(
        tmp_path, monitor={"timeout": 0.3}, privacy={"aggregation": aggregation, "dropout": 0.25}
    )
    grid = InProcess(
        monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared, tap=tap
    )
    strategy = monitor_strategy(FedAvg(), declared, out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert list(missed(tmp_path / "run")) == [1, 3]
    assert all(reason.isprintable() for reason in missed(tmp_path / "run").values())


def test_one_release_that_cannot_be_read_costs_that_clients_part(tmp_path: Path) -> None:
    def one(kind: str, node: int, reply: Message) -> Message:
        if kind == OBSERVE and node == 2:
            reply.content[ANSWER] = ConfigRecord({"body": b"\xff"})
        return reply

    declared = plan(tmp_path, privacy={"aggregation": "plain", "dropout": 0.25})
    grid = InProcess(
        monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared, tap=one
    )
    run(grid, monitor_strategy(FedAvg(), declared, out=tmp_path / "run"))
    assert missed(tmp_path / "run") == {}
    sums = Ledger(tmp_path / "run" / "ledger.sqlite").entries("sum")
    assert [entry.payload["clients"] for entry in sums] == [NODES - 1] * 2


@pytest.mark.parametrize("text", [None, "federation = 1", "\x00", "modes = {}"])
def test_a_plan_that_cannot_be_read_leaves_the_run_alone(text: str | None, tmp_path: Path) -> None:
    declared = tmp_path / "plan.toml"
    if text is not None:
        declared.write_text(text)
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes")
    strategy = monitor_strategy(FedAvg(), declared, out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert str(declared) in (tmp_path / "run" / "not-monitored.txt").read_text()
    assert not any("unsilent" in kind for kind, _ in grid.asked)


def test_a_run_folder_that_is_a_file_leaves_the_run_alone(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=plan(tmp_path))
    strategy = monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert (tmp_path / "run").read_text() == "mine"


def test_clients_that_are_not_monitored_cost_the_round_and_nothing_else(tmp_path: Path) -> None:
    """An app without its line answers as Flower does, with an error."""
    grid = InProcess(app(), NODES, tmp_path / "nodes")
    strategy = monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert "Flower error 2" in missed(tmp_path / "run")[1]


def test_a_client_without_a_folder_says_how_to_give_it_one(tmp_path: Path) -> None:
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=plan(tmp_path))
    for context in grid.contexts.values():
        del context.node_config["store"]
    strategy = monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run")
    assert run(grid, strategy) == unmonitored(tmp_path)
    assert "no folder of its own" in missed(tmp_path / "run")[1]


def test_a_node_that_joins_late_is_asked_from_then_on(tmp_path: Path) -> None:
    declared = plan(tmp_path, privacy={"aggregation": "plain", "dropout": 0.25})
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared)
    late = grid.contexts.pop(NODES)

    class Joins(FedAvg):
        def configure_train(self, server_round: int, *rest: Any) -> Iterable[Message]:
            if server_round == 2:
                grid.contexts[NODES] = late
            return super().configure_train(server_round, *rest)

    run(grid, monitor_strategy(Joins(), declared, out=tmp_path / "run"))
    sums = Ledger(tmp_path / "run" / "ledger.sqlite").entries("sum")
    assert [entry.payload["clients"] for entry in sums] == [NODES - 1, NODES]


def test_two_nodes_with_one_folder_count_as_one_client(tmp_path: Path) -> None:
    declared = plan(tmp_path, privacy={"aggregation": "plain", "dropout": 0.25})
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=declared)
    grid.contexts[2].node_config |= grid.contexts[1].node_config
    run(grid, monitor_strategy(FedAvg(), declared, out=tmp_path / "run"))
    sums = Ledger(tmp_path / "run" / "ledger.sqlite").entries("sum")
    assert [entry.payload["clients"] for entry in sums] == [NODES - 1] * 2


def test_a_second_run_of_a_plan_is_refused_by_its_clients(tmp_path: Path) -> None:
    """What they released for the first would pass for what the second measured."""
    scored: list[int] = []

    def noted(items: ItemSet, arrays: ArrayRecord | None, context: Context) -> list[list[float]]:
        scored.append(context.node_id)
        return score(items, arrays, context)

    grid = InProcess(monitor_client(app(), noted), NODES, tmp_path / "nodes", agreed=plan(tmp_path))
    run(grid, monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run"))
    assert scored
    scored.clear()
    run(grid, monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run"))
    assert judged(tmp_path / "run.1") == [1, 3]
    assert judged(tmp_path / "run") == []
    assert "another run of the same plan" in missed(tmp_path / "run")[1]
    # Refused before anything is measured.
    assert scored == []


def test_a_client_sees_where_it_stood_in_the_round_before(tmp_path: Path) -> None:
    """From its own folder alone: the server sends what it published with the next round."""
    grid = InProcess(monitor_client(app(), score), NODES, tmp_path / "nodes", agreed=plan(tmp_path))
    run(grid, monitor_strategy(FedAvg(), plan(tmp_path), out=tmp_path / "run"))
    published = Ledger(tmp_path / "run" / "ledger.sqlite").entries("findings")[0].payload
    for context in grid.contexts.values():
        view = local_view(Path(str(context.node_config["store"])))
        standing = view.modes[0].standing
        assert standing is not None
        assert standing.round == published["round"] == 1
        effects = {f["code"]: f["effect"] for f in published["findings"]}
        assert standing.effect == pytest.approx(effects[view.modes[0].code], rel=1e-5)
