"""The vision example: a narrow client mix is found to fail, and a broader one is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engines.flower.in_process import enter_run
from tests.engines.flower.test_examples import EXAMPLES, run
from unsilent.findings import validate

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    enter_run(monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def provided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with its base and its images, as the provider leaves it."""
    app = tmp_path_factory.mktemp("provided") / "app"
    shutil.copytree(EXAMPLES / "vision", app, ignore=shutil.ignore_patterns("__pycache__"))
    script = spec_from_file_location("provider", app / "visionexample" / "provider.py")
    assert script is not None
    assert script.loader is not None
    module = module_from_spec(script)
    script.loader.exec_module(module)
    module.provide(app, epochs=15)
    return app


def findings(app: Path, to: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    shutil.copytree(app, to / "app")
    where = run(to / "app", 12, monkeypatch, **{"local-epochs": 1}, **changes)
    found = json.loads((where / "runs" / "vision" / "findings.json").read_text())
    validate(found)
    return found


def mode(found: Any, code: str) -> Any:
    return next(each for each in found["findings"] if each["code"] == code)


def test_clients_that_see_half_of_the_classes_fail_beyond_them(
    provided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings(provided, tmp_path, monkeypatch, narrow=True, images=30)
    beyond = mode(found, "SF-5")
    assert beyond["verdict"] == "failure"
    assert beyond["effect"] > 0.2
    metrics = found["system_metrics"]
    assert metrics["loss"]["last"] < metrics["loss"]["first"]


def test_clients_that_see_all_classes_do_not_fail(
    provided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = findings(provided, tmp_path, monkeypatch, images=40, **{"learning-rate": 0.002})
    assert mode(found, "SF-5")["verdict"] in ("healthy", "undetermined")
    assert mode(found, "SF-2")["verdict"] in ("healthy", "undetermined")
    assert mode(found, "SF-1")["verdict"] is None
