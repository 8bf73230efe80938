"""Whoever simulates reads why a client failed, from the client's own log."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flwr.app import Context, Message, RecordDict

from tests.engines.flower import wire as messages
from tests.engines.flower.in_process import enter_run
from unsilent.client.sentences import Sentence
from unsilent.engines.flower.run import explained
from unsilent.errors import InputError, ItemError, RunError


def logged(out: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_run(monkeypatch)

    def handle(message: Message, context: Context) -> Message:
        raise error

    asked = messages.request(1, "train", {"plan": "{}"}, 1)
    context = Context(1, 1, {}, RecordDict(), {})
    messages.guarded(handle, lambda _: out / "clients" / "0000" / "error.log")(asked, context)


def test_the_last_error_of_ours_is_told_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time() - 1
    logged(tmp_path, ItemError("an earlier one"), monkeypatch)
    logged(tmp_path, ItemError("no such file", where="a.jsonl", remedy="Mend it."), monkeypatch)
    told = InputError(Sentence.UNUSABLE.text.rstrip("."))
    found = explained(told, tmp_path, began)
    assert (type(found), str(found)) == (InputError, "a.jsonl: no such file. Mend it.")


def test_another_exception_is_told_by_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.time() - 1
    logged(tmp_path, ValueError("ward-a"), monkeypatch)
    found = explained(RunError(f"no client: {Sentence.FAILED.text}"), tmp_path, began)
    assert "error.log" in str(found) and "ward-a" not in str(found)


def test_a_log_of_an_earlier_run_or_of_something_else_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(tmp_path, ItemError("x"), monkeypatch)
    told = RunError(Sentence.FAILED.text)
    assert explained(told, tmp_path, time.time() + 60) is told
    other = RunError("nodes are missing")
    assert explained(other, tmp_path, 0.0) is other
    assert explained(told, tmp_path / "elsewhere", 0.0) is told
