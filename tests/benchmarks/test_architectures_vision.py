"""Vision models give the numbers of their own forward pass, base and adapter, or are refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

FOLDER = Path(__file__).parents[2] / "benchmarks"
SAME = ("vit-last-layer", "dinov2", "clip", "swin", "convnext-middle", "mobilenet_v2")
REFUSED = ("deit-with-teacher", "dinov3_vit", "bert", "efficientnet-lora")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(
        "architectures_vision", FOLDER / "architectures_vision.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its data classes are looked up by their module's name.
    monkeypatch.setitem(sys.modules, "architectures_vision", module)
    spec.loader.exec_module(module)
    return module


def test_some_of_each_kind_are_the_same_or_refused(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["architectures_vision.py", "--json", "--only", *SAME, *REFUSED]
    monkeypatch.setattr(sys, "argv", command)
    assert benchmark.main() == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert {name: found[name]["status"] for name in SAME} == dict.fromkeys(SAME, "same")
    assert {name: found[name]["status"] for name in REFUSED} == dict.fromkeys(REFUSED, "refused")
    assert all("\n" not in found[name]["said"] for name in REFUSED)


def test_another_number_would_be_found(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = benchmark._own
    monkeypatch.setattr(benchmark, "_own", lambda *given: own(*given) + 1e-3 * np.arange(4))
    assert next(benchmark.rows(["vit-head"]))["status"] == "wrong"
