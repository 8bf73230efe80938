"""The benchmark of planted faults finds none that is scored, and would say so if one were."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ignored_adapters.py"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, called with ``--json``."""
    spec = importlib.util.spec_from_file_location("ignored_adapters", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.syspath_prepend(SCRIPT.parent)
    # Its data classes are looked up by their module's name.
    monkeypatch.setitem(sys.modules, "ignored_adapters", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["ignored_adapters.py", "--json", "--quick"])
    return module


ALWAYS = {
    "biases are trained",
    "the base is trained after a round",
    "merged after a round",
    "a hook on the head after a round",
    "the app's forward pass does more",
    "a tokenizer appends the end",
}
"""Kinds of faults of which every third has none."""


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.long)])
def test_every_planted_fault_is_refused_or_scored_right(
    step: int,
    benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    planted = [
        case for n, case in enumerate(benchmark.PLANTED) if n % step == 0 or case.name in ALWAYS
    ]
    monkeypatch.setattr(benchmark, "PLANTED", planted)
    monkeypatch.setattr(benchmark, "SOUND", benchmark.SOUND[::step])
    assert benchmark.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missed"] == []
    assert found["planted"] >= 25 // step
    answers = {row["case"]: row["answer"] for row in found["rows"]}
    assert {answers[case.name] for case in benchmark.SOUND} == {"right"}
    traced = [row for row in found["rows"] if row["case"].startswith("traces")]
    assert [row["doubted"] for row in traced] == [0, 0]
    assert min(row["asked"] for row in traced) > 100


def test_what_nobody_looks_for_is_found_wrong(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("unsilent.models.peft_slots.PeftSlots.check", lambda _: None)
    monkeypatch.setattr("unsilent.models.peft_proof.check_base", lambda _: None)
    wanted = {"pissa rewrites the base", "merged after a round", "biases are trained"}
    monkeypatch.setattr(
        benchmark, "PLANTED", [case for case in benchmark.PLANTED if case.name in wanted]
    )
    assert benchmark.main() == 1
    missed = set(json.loads(capsys.readouterr().out)["missed"])
    assert {"pissa rewrites the base", "merged after a round"} <= missed


PLANTED = {"BOFT": 5, "IA3": 5, "OSF": 5, "LORA, init pissa": 0, "PREFIX_TUNING": 0}
"""Of five faults; a kind that is refused as it is has none planted."""


@pytest.mark.parametrize(
    "kind",
    [
        "BOFT",
        "PREFIX_TUNING",
        *(
            pytest.param(kind, marks=pytest.mark.long)
            for kind in PLANTED
            if kind not in ("BOFT", "PREFIX_TUNING")
        ),
    ],
)
def test_a_fault_in_another_kind_of_adapter_is_found_too(
    kind: str,
    benchmark: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(benchmark, "PLANTED", benchmark.anyone(benchmark.kinds()[kind]))
    monkeypatch.setattr(benchmark, "SOUND", ())
    assert benchmark.main() == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    rows = [row for row in found if row["kind"] != "sound"]
    assert len(rows) == 5
    assert [row["kind"] for row in rows].count("planted") == PLANTED[kind]
    assert {row["answer"] for row in rows} <= {"refused", "right"}


def test_every_kind_that_peft_offers_is_among_them(benchmark: ModuleType) -> None:
    from peft import PeftType

    names = set(benchmark.kinds())
    assert {kind.value for kind in PeftType if kind != PeftType.LORA} <= names
    assert {"LORA, init pissa", "LORA, init corda", "LORA, init eva", "LORA, DoRA"} <= names
