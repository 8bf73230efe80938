"""A planned round that never comes is an entry that says why, and never two."""

# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp.strategy import (
    DifferentialPrivacyServerSideFixedClipping,
    FedAvg,
    Result,
    Strategy,
)

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.small_app import NODES, ROUNDS, START, begin, run, said, score, small_app
from tests.engines.flower.small_app import small_plan as planned
from unsilent.flower import monitor_client, monitor_strategy
from unsilent.ledger import Ledger

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)


class OwnLoop(FedAvg):
    """Uses nothing of the strategy's."""

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        for _ in range(num_rounds):
            grid.send_and_receive(
                Message(
                    RecordDict({"arrays": initial_arrays}), dst_node_id=node, message_type="train"
                )
                for node in grid.get_node_ids()
            )
        result = Result()
        result.arrays = initial_arrays
        return result


class Rounds(FedAvg):
    """Its rounds have the numbers that are given; some are aggregated past the strategy."""

    def __init__(self, numbers: range, elsewhere: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.numbers, self.elsewhere = numbers, elsewhere

    def start(self, grid: Any, initial_arrays: Any, num_rounds: int = 3, **kw: Any) -> Any:
        arrays: Any = initial_arrays
        for number in self.numbers:
            asked = self.configure_train(number, arrays, ConfigRecord(), grid)
            replies = grid.send_and_receive(asked)
            if number in self.elsewhere:
                arrays = FedAvg.aggregate_train(self, number, replies)[0]
            else:
                arrays = self.aggregate_train(number, replies)[0]
        result = Result()
        result.arrays = arrays
        return result


WAYS: dict[str, tuple[Any, tuple[int, ...], int, dict[int, str]]] = {
    "own loop": (OwnLoop, (3,), 3, {3: "neither configure_train nor aggregate_train"}),
    "resumed": (lambda: Rounds(range(3, 6)), (1, 3), 5, {1: "it began with round 3"}),
    "elsewhere": (
        lambda: Rounds(range(1, 4), (1,)),
        (1, 3),
        3,
        {1: "by the strategy's aggregate_train"},
    ),
    "elsewhere, the last": (
        lambda: Rounds(range(1, 4), (3,)),
        (1, 3),
        3,
        {3: "by the strategy's aggregate_train"},
    ),
    "left out": (lambda: Rounds(range(1, 5, 2)), (2, 3), 4, {2: "aggregate_train"}),
    "fewer rounds": (FedAvg, (1, 3, 4), 4, {4: "it ended after round 3"}),
    "no training": (lambda: FedAvg(fraction_train=0.0), (3,), 3, {3: "aggregated no arrays"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_missed_with_the_reason(way: str, tmp_path: Path) -> None:
    made, monitored, rounds, missing = WAYS[way]
    plan = planned(
        tmp_path,
        monitor={"rounds": list(monitored)},
        federation={"clients": NODES, "rounds": rounds},
    )
    run(made(), tmp_path, plan=plan, rounds=3)
    found = said(tmp_path / "run")
    assert list(found) == sorted(monitored)
    for number, reason in found.items():
        assert missing.get(number, "findings") in reason
    written = (tmp_path / "run" / "findings.json").is_file()
    # Where rounds are still to come and one was judged, the run may be gone on with.
    assert written == ("findings" in found.values() and way != "fewer rounds")


def entries(out: Path) -> int:
    return len(Ledger(out / "ledger.sqlite").entries("missed"))


def test_a_run_that_is_gone_on_with_says_it_once_and_judges_what_then_comes(
    tmp_path: Path,
) -> None:
    plan = planned(
        tmp_path, monitor={"rounds": [1, 5, 9]}, federation={"clients": NODES, "rounds": 9}
    )
    grid = begin(tmp_path / "nodes", monitor_client(small_app(), score), agreed=plan)
    for numbers, missing in ((range(1, 4), 2), (range(4, 7), 2), (range(7, 9), 2)):
        strategy = monitor_strategy(Rounds(numbers), plan, out=tmp_path / "run")
        strategy.start(grid, ArrayRecord([START]))  # type: ignore[arg-type]
        assert entries(tmp_path / "run") == missing
    assert said(tmp_path / "run") == {
        1: "findings",
        5: "findings",
        9: "the run did not come to it: it ended after round 3",
    }


def test_a_run_that_is_interrupted_has_missed_nothing_yet(tmp_path: Path) -> None:
    class Interrupted(FedAvg):
        def aggregate_train(self, server_round: int, replies: Any) -> Any:
            if server_round == 2:
                raise KeyboardInterrupt
            return super().aggregate_train(server_round, replies)

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(), tmp_path)
    assert said(tmp_path / "run") == {}


def test_a_strategy_without_start_says_it_at_the_end_of_its_life(tmp_path: Path) -> None:
    strategy = monitor_strategy(FedAvg(), planned(tmp_path), out=tmp_path / "run")
    grid: Any = begin(tmp_path / "nodes", small_app())
    strategy.configure_train(1, ArrayRecord([START]), ConfigRecord(), grid)
    assert said(tmp_path / "run") == {}
    del strategy
    gc.collect()
    assert said(tmp_path / "run")[ROUNDS].endswith("it ended after round 1")


AT_EXIT = """
import sys
from pathlib import Path
from flwr.app import ArrayRecord, ConfigRecord
from flwr.supercore.task_identity import TaskIdentity
from flwr.serverapp.strategy import FedAvg
from tests.engines.flower.small_app import START, begin, small_plan
from unsilent.flower import monitor_strategy
for name in ("_run_id", "_node_id", "_task_id"):
    setattr(TaskIdentity, name, 1)
folder = Path(sys.argv[1])
strategy = monitor_strategy(FedAvg(), small_plan(folder), out=folder / "run")
idle = monitor_strategy(FedAvg(), small_plan(folder), out=folder / "idle")
strategy.configure_train(1, ArrayRecord([START]), ConfigRecord(), begin(folder / "nodes"))
"""


def test_it_is_said_when_the_process_ends_and_of_a_strategy_that_was_used(tmp_path: Path) -> None:
    command = [sys.executable, "-c", AT_EXIT, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert said(tmp_path / "run")[ROUNDS].endswith("it ended after round 1")
    assert not (tmp_path / "idle").exists()


def double(strategy: Strategy, plan: Any, out: Path) -> Strategy:
    return monitor_strategy(monitor_strategy(strategy, plan, out=out), plan, out=out)


def around(strategy: Strategy, plan: Any, out: Path) -> Strategy:
    inner = monitor_strategy(strategy, plan, out=out)
    wrapped = DifferentialPrivacyServerSideFixedClipping(inner, 0.0, 1e9, NODES)
    return monitor_strategy(wrapped, plan, out=out)


class Forwards(FedAvg):
    def __init__(self, inner: Strategy) -> None:
        super().__init__()
        self.inner = inner

    def start(self, *args: Any, **kwargs: Any) -> Result:
        return self.inner.start(*args, **kwargs)


def forwards(strategy: Strategy, plan: Any, out: Path) -> Strategy:
    return monitor_strategy(Forwards(monitor_strategy(strategy, plan, out=out)), plan, out=out)


@pytest.mark.parametrize("lines", [double, around, forwards], ids=lambda lines: lines.__name__)
def test_two_lines_for_one_run_monitor_it_once(lines: Any, tmp_path: Path) -> None:
    plan, out = planned(tmp_path), tmp_path / "run"
    grid: Any = begin(tmp_path / "nodes", monitor_client(small_app(), score), agreed=plan)
    found = lines(FedAvg(), plan, out).start(grid, ArrayRecord([START]))
    assert found.arrays.to_numpy_ndarrays()[0] == pytest.approx(2.5 * ROUNDS)
    kinds = [e.kind for e in Ledger(out / "ledger.sqlite").entries()]
    assert (kinds.count("sum"), kinds.count("findings"), kinds.count("missed")) == (1, 1, 0)
    assert not (tmp_path / "run.1").exists()


def test_two_lines_with_plans_of_their_own_are_two_runs(tmp_path: Path) -> None:
    """Whose clients agreed to one of them."""
    plan, other = planned(tmp_path), planned(tmp_path, monitor={"rounds": [2]})
    grid: Any = begin(tmp_path / "nodes", monitor_client(small_app(), score), agreed=plan)
    strategy = monitor_strategy(FedAvg(), plan, out=tmp_path / "run")
    strategy = monitor_strategy(strategy, other, out=tmp_path / "other")
    found = strategy.start(grid, ArrayRecord([START]))
    assert found.arrays is not None
    assert said(tmp_path / "run") == {ROUNDS: "findings"}
    assert "not agreed" in said(tmp_path / "other")[2]


def test_a_strategy_that_is_started_twice_is_two_runs(tmp_path: Path) -> None:
    plan, out = planned(tmp_path), tmp_path / "run"
    grid: Any = begin(tmp_path / "nodes", monitor_client(small_app(), score), agreed=plan)
    strategy = monitor_strategy(FedAvg(), plan, out=out)
    first = strategy.start(grid, ArrayRecord([START]))
    again = strategy.start(grid, ArrayRecord([START]))
    assert first.arrays is not again.arrays
    for each in (first, again):
        assert each.arrays.to_numpy_ndarrays()[0].tolist() == [2.5 * ROUNDS] * 3
    assert said(tmp_path / "run.1") == {ROUNDS: "findings"}
    assert "another run of the same plan" in said(out)[ROUNDS]


def test_a_folder_that_cannot_be_opened_is_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with caplog.at_level(logging.WARNING, "unsilent.run"):
        run(FedAvg(), tmp_path)
    (line,) = [each.message for each in caplog.records if each.name == "unsilent.run"]
    assert line.startswith("this run is not monitored: ")
    assert "holds no run" in line
    assert "holds no run" in (tmp_path / "run" / "not-monitored.txt").read_text()


def test_a_result_that_cannot_be_held_back_is_returned_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Number(FedAvg):
        def start(self, *args: Any, **kwargs: Any) -> Any:
            super().start(*args, **kwargs)
            return 7

    plan = planned(tmp_path, gate={"action": "hold", "open_after": 1})
    with caplog.at_level(logging.WARNING, "unsilent.run"):
        assert run(Number(), tmp_path, plan=plan) == 7
    assert any("has no arrays to replace" in each.message for each in caplog.records)


def test_a_run_without_a_model_to_hold_back_goes_back_to_where_it_started(tmp_path: Path) -> None:
    """Its gate saw no round, and promoted none."""
    plan = planned(tmp_path, gate={"action": "hold", "open_after": 1})
    found = run(OwnLoop(), tmp_path, plan=plan)
    assert found.arrays.to_numpy_ndarrays()[0].tolist() == START.tolist()
