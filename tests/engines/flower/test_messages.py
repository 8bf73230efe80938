"""What travels between server and clients, and what of a failure does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tests.engines.flower import wire as messages
from unsilent.client.sentences import Sentence
from unsilent.errors import BudgetError, BudgetSpentError, InputError, RunError, UnsilentError
from unsilent.models.base import Adapter
from unsilent.plan import parse_plan

BASE = "sha256:" + "c" * 64
SECRET = "the patient wrote: it hurts"


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are made inside a run of Flower only, which says who makes them."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def adapter(seed: int = 0) -> Adapter:
    random = np.random.default_rng(seed)
    tensors = {"b": random.normal(size=(2, 3)), "a": random.normal(size=4)}
    return Adapter(BASE, {name: tensor.astype(np.float32) for name, tensor in tensors.items()})


def context() -> Context:
    return Context(
        run_id=1, node_id=7, node_config={"partition-id": 3}, state=RecordDict(), run_config={}
    )


def question(with_adapter: Adapter | None = None) -> Message:
    return messages.request(7, "train", {"plan": "{}", "simulated": True}, 4, with_adapter)


@pytest.fixture
def log(tmp_path: Path) -> Callable[[Context], Path]:
    return lambda context: tmp_path / "error.log"


def test_an_adapter_comes_out_as_it_went_in() -> None:
    asked = question(adapter())
    order = asked.content.config_records[messages.ORDER]
    assert order["base"] == BASE
    assert order["round"] == 4
    assert asked.metadata.dst_node_id == 7
    assert messages.adapter_of(asked.content, BASE).digest == adapter().digest
    answered = messages.answer(asked, {"client": 0}, adapter=adapter(1), metrics={"loss": 0.5})
    assert messages.adapter_of(answered.content, BASE).digest == adapter(1).digest
    assert answered.content.metric_records[messages.METRICS]["loss"] == 0.5


def test_an_adapter_of_numbers_that_are_not_finite_is_refused() -> None:
    asked = question(adapter())
    record = asked.content.array_records[messages.ADAPTER]
    record["a"] = Array(np.array([np.nan], np.float32))
    with pytest.raises(UnsilentError, match="not finite"):
        messages.adapter_of(asked.content, BASE)


def test_a_good_answer_passes_through_the_guard(log: Callable[..., Path], tmp_path: Path) -> None:
    handle = messages.guarded(lambda m, c: messages.answer(m, {"client": 3}), log)
    answer = handle(question(), context())
    assert answer.content.config_records[messages.ANSWER] == {"client": 3}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kind", [ValueError, KeyError, RuntimeError, UnicodeError, ZeroDivisionError]
)
def test_the_text_of_another_exception_stays_on_the_client(
    kind: type[Exception], log: Callable[..., Path], tmp_path: Path
) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise kind(SECRET) from OSError(SECRET)

    answer = messages.guarded(handle, log)(question(), context())
    assert not answer.has_error()
    travelled = repr(answer.content.config_records) + repr(dict(answer.content))
    assert "patient" not in travelled
    assert kind.__name__ not in travelled
    assert str(tmp_path) not in travelled
    found = answer.content.config_records[messages.ANSWER]
    assert found == {messages.FAILED: Sentence.FAILED.text, "exit_code": 1}
    assert SECRET in (tmp_path / "error.log").read_text()


class Crash(BaseException):
    """As a library that is not written in Python raises it."""


@pytest.mark.parametrize("kind", [SystemExit, Crash])
def test_an_exit_or_a_crash_is_answered_for(kind: Any, log: Callable[..., Path]) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise kind(SECRET)

    answer = messages.guarded(handle, log)(question(), context())
    told = answer.content.config_records[messages.ANSWER]
    assert told == {messages.FAILED: Sentence.FAILED.text, "exit_code": 1}


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [(BudgetError, Sentence.BUDGET), (InputError, Sentence.UNUSABLE)],
)
def test_nothing_of_what_our_own_errors_say_travels(
    kind: type[UnsilentError], sentence: Sentence, log: Callable[..., Path], tmp_path: Path
) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise kind(f"unknown field {SECRET!r}", where="/home/ada/wards.jsonl", remedy="Known: x.")

    answer = messages.guarded(handle, log)(question(), context())
    found = answer.content.config_records[messages.ANSWER]
    assert found == {messages.FAILED: sentence.text, "exit_code": sentence.exit_code}
    kept = (tmp_path / "error.log").read_text()
    assert SECRET in kept and "/home/ada/wards.jsonl" in kept


def test_a_spent_budget_is_told_as_one(log: Callable[..., Path]) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise BudgetSpentError("epsilon 7.913 of 8")

    answer = messages.guarded(handle, log)(question(), context())
    assert answer.content.config_records[messages.ANSWER] == {
        messages.FAILED: Sentence.SPENT.text,
        messages.SPENT: True,
        "exit_code": 1,
    }


def test_the_log_keeps_what_came_before_and_stays_small(
    log: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unsilent.client.failures._LONGEST_LOG", 2000)
    number = 0

    def handle(message: Message, context: Context) -> Message:
        raise ValueError(f"failure {number}")

    for _ in range(2):
        number += 1
        messages.guarded(handle, log)(question(), context())
    kept = (tmp_path / "error.log").read_text()
    assert "failure 1" in kept and "failure 2" in kept
    assert (tmp_path / "error.log").stat().st_mode & 0o077 == 0
    for _ in range(30):
        messages.guarded(handle, log)(question(), context())
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"error.log", "error.log.1"}
    assert max(sizes.values()) < 4000


def test_one_entry_of_the_log_is_never_long(log: Callable[..., Path], tmp_path: Path) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise ValueError("x" * 10_000_000 + "the end")

    messages.guarded(handle, log)(question(), context())
    kept = (tmp_path / "error.log").read_text()
    assert len(kept) < 100_000
    assert "ValueError" in kept and "the end" in kept


def test_what_a_server_sent_does_not_rule_the_terminal_that_shows_the_log(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    def handle(message: Message, context: Context) -> Message:
        modes = {"amplified_bias": {"tolerance": 0.1}}
        parse_plan({"modes": modes, "all is well\x1b[2J\x9b\u202e": 1})
        return message

    messages.guarded(handle, log)(question(), context())
    kept = (tmp_path / "error.log").read_text()
    assert "all is well\\x1b[2J\\x9b\\u202e: unknown key" in kept
    assert all(character.isprintable() or character == "\n" for character in kept)


@pytest.mark.parametrize("fault", [ValueError(SECRET), OSError(SECRET), RunError(SECRET)])
def test_a_log_that_cannot_be_written_changes_nothing(fault: Exception) -> None:
    def nowhere(context: Context) -> Path:
        raise fault

    def handle(message: Message, context: Context) -> Message:
        raise InputError(SECRET)

    answer = messages.guarded(handle, nowhere)(question(), context())
    told = answer.content.config_records[messages.ANSWER]
    assert told == {messages.FAILED: Sentence.UNUSABLE.text, "exit_code": 2}


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(), SystemExit(15)])
def test_an_end_of_the_process_is_not_answered_for(
    end: BaseException, log: Callable[..., Path]
) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise end

    with pytest.raises(type(end)):
        messages.guarded(handle, log)(question(), context())
