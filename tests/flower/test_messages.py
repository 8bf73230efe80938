"""What travels between server and clients, and what of a failure does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from unsilent.errors import BudgetError, InputError, UnsilentError
from unsilent.flower import messages
from unsilent.models.base import Adapter

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
    assert set(answer.content.config_records[messages.ANSWER]) == {messages.FAILED}
    assert SECRET in (tmp_path / "error.log").read_text()


@pytest.mark.parametrize(("kind", "code"), [(BudgetError, 1), (InputError, 2)])
def test_the_line_of_our_own_errors_travels(
    kind: type[UnsilentError], code: int, log: Callable[..., Path], tmp_path: Path
) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise kind("the budget is spent", where="privacy.epsilon", remedy="Stop.")

    answer = messages.guarded(handle, log)(question(), context())
    found = answer.content.config_records[messages.ANSWER]
    assert found == {
        messages.FAILED: "privacy.epsilon: the budget is spent. Stop.",
        "exit_code": code,
    }
    assert not (tmp_path / "error.log").exists()


def test_an_interrupt_is_not_answered_for(log: Callable[..., Path]) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        messages.guarded(handle, log)(question(), context())


def test_where_a_clients_folder_lies_stays_on_the_client(
    log: Callable[..., Path], tmp_path: Path
) -> None:
    def handle(message: Message, context: Context) -> Message:
        raise BudgetError("spent", where=str(tmp_path / "budget.json"))

    answer = messages.guarded(handle, log)(question(), context())
    told = answer.content.config_records[messages.ANSWER][messages.FAILED]
    assert told == "the client's folder/budget.json: spent"


@pytest.mark.parametrize("store", ["/home/ada/store", None])
def test_where_other_files_of_a_client_lie_is_told_in_simulation_alone(
    store: str | None, log: Callable[..., Path]
) -> None:
    path = "/home/ada/wards/probes.jsonl:7"

    def handle(message: Message, context: Context) -> Message:
        raise InputError("no answer", where=path, remedy=f"Mend {path}.")

    node = context()
    if store:
        node.node_config["store"] = store
    answer = messages.guarded(handle, log)(question(), node)
    told = answer.content.config_records[messages.ANSWER][messages.FAILED]
    shown = "probes.jsonl:7" if store else path
    assert told == f"{shown}: no answer. Mend {shown}."
