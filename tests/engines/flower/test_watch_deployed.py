"""A watch behind a SuperLink ends as its run did: ``flwr run`` says 0 of one that failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unsilent.engines.flower import watch_run
from unsilent.engines.flower.watch_run import watch_deployed
from unsilent.errors import RunError

PROJECT = """
[project]
name = "sites"
version = "1.0.0"
[tool.flwr.app]
publisher = "us"
[tool.flwr.app.components]
serverapp = "nothing:app"
clientapp = "client:app"
"""
FLWR = """#!{python}
import sys
if sys.argv[1] == "run":
    print({began!r})
    print("INFO : the log of its ServerApp")
    sys.exit({code})
assert sys.argv[1:] == ["list", "here", "--run-id", "123456", "--format", "json"], sys.argv
print({listed!r})
"""
BEGAN = "Successfully started run 123456"


def listing(status: str) -> str:
    return json.dumps({"success": True, "runs": [{"run-id": "123456", "status": status}]})


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    app = tmp_path / "app"
    app.mkdir()
    (app / "pyproject.toml").write_text(PROJECT)
    plan = tmp_path / "plan.toml"
    plan.touch()
    monkeypatch.setattr(watch_run, "_ASKED", 1)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    def with_flwr(listed: str, began: str = BEGAN, code: int = 0) -> None:
        tool = tmp_path / "flwr"
        tool.write_text(FLWR.format(python=sys.executable, began=began, code=code, listed=listed))
        tool.chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(python))
            watch_deployed(plan, app, "here", out=None, model=None, rounds=None, every=None)

    return with_flwr


def test_a_run_that_completed_is_shown_as_it_goes(
    watch: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    watch(listing("finished:completed"))
    assert "the log of its ServerApp" in capfd.readouterr().out


@pytest.mark.parametrize("status", ["finished:failed", "finished:stopped", "running"])
def test_a_run_that_ended_otherwise_is_no_success(watch: Callable[..., None], status: str) -> None:
    with pytest.raises(RunError, match=f"run 123456 ended as {status}"):
        watch(listing(status))


@pytest.mark.parametrize("listed", ["", "no JSON", '{"success": false}', '{"runs": []}'])
def test_a_superlink_that_does_not_say_is_no_success(
    watch: Callable[..., None], listed: str
) -> None:
    with pytest.raises(RunError, match="nobody knows"):
        watch(listed)


def test_a_run_that_never_began(watch: Callable[..., None]) -> None:
    with pytest.raises(RunError, match="began no run"):
        watch(listing("finished:completed"), began="Building")
    with pytest.raises(RunError, match="ended with 3"):
        watch(listing("finished:completed"), code=3)
