"""``unsilent parity``: from a plan and an endpoint to a verdict, an exit code and a ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parity.conftest import Fake
from unsilent.cli import main
from unsilent.items import ItemSet, write_items
from unsilent.ledger import Ledger
from unsilent.ledger.events import ParityChecked, PlanDeclared, event_of
from unsilent.ledger.location import LEDGER_FILE
from unsilent.models import Adapter, load_model
from unsilent.plan import read_plan
from unsilent.serve.words import summary

PLAN = """
name = "ward"
model = {{ id = "{model}" }}
[adapter]
rank = 4
scale = 2.0
targets = ["q_proj", "v_proj", "o_proj", "down_proj"]
layers = [2, 3]
[modes]
amplified_bias = {{ tolerance = {tolerance} }}
"""


@pytest.fixture
def plan(saved: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(model=saved, tolerance=0.1), encoding="utf-8")
    return path


@pytest.fixture
def probes(asked: ItemSet, tmp_path: Path) -> Path:
    path = tmp_path / "public.jsonl"
    write_items(path, asked)
    return path


@pytest.fixture
def run_folder(plan: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    Ledger(folder / LEDGER_FILE).record(PlanDeclared.of(read_plan(plan)))
    return folder


@pytest.fixture
def command(fake: Fake, plan: Path, probes: Path, tiny: Callable[..., Any]) -> list[str]:
    fake.models = {"base": tiny(), "other": tiny(seed=1)}
    return ["parity", str(plan), "--at", f"{fake.url}/v1", "--probes", str(probes)]


def test_the_result_goes_into_the_ledger_of_the_run(
    command: list[str], run_folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--model", "base", "--run", str(run_folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "same"
    _, entry = Ledger(run_folder / LEDGER_FILE, read_only=True).entries()
    event = event_of(entry)
    assert isinstance(event, ParityChecked)
    assert event.endpoint == fake.url.removeprefix("http://")
    assert (event.verdict, event.name, event.asked) == ("same", "base", told["asked"])
    assert summary(entry).endswith("same; 0 of 40 items beyond 1 nats")


def test_exit_codes_are_those_of_a_pipeline(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = [*command, "--model", "other"]
    assert main(other) == 0
    assert "DIFFERENT" in capsys.readouterr().out
    assert main([*other, "--fail-on", "different"]) == 3
    few = [*command, "--model", "base", "--items", "5"]
    assert main([*few, "--fail-on", "different"]) == 0
    assert main([*few, "--fail-on", "undetermined"]) == 3


def test_a_dropped_adapter_is_said(
    command: list[str],
    plan: Path,
    tmp_path: Path,
    random_adapter: Callable[..., Adapter],
    fake: Fake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "adapter.safetensors"
    random_adapter(load_model(read_plan(plan)), 1).save(file)
    fake.models["ward-lora"] = fake.models["base"]
    names = ["--model", "base", "--served-adapter", "ward-lora"]
    assert main([*command, *names, "--adapter", str(file), "--fail-on", "different"]) == 3
    assert "answers as the base model" in " ".join(capsys.readouterr().out.split())
    assert {body["model"] for _, body in fake.asked} == {"base", "ward-lora"}


def test_a_function_is_asked_for_probabilities(
    plan: Path,
    probes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "parity_endpoint.py").write_text(
        "def score(items):\n    return [[1 / len(i.choices)] * len(i.choices) for i in items]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    at = ["--at", "hook:parity_endpoint:score", "--probes", str(probes)]
    assert main(["parity", str(plan), *at, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "different"
    assert told["compared"]["largest"] is None


def test_llama_cpps_own_server_is_asked_beside_its_v1(
    command: list[str], fake: Fake, tiny: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fake.models = {"llama.cpp": tiny()}
    assert main([*command, "--form", "llama.cpp", "--items", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["compared"]["largest"] < 1e-3
    assert {path for path, _ in fake.asked} == {"/tokenize", "/completion"}


@pytest.mark.parametrize("status", [200, 500])
def test_an_endpoint_that_fails_is_one_line_and_no_entry(
    status: int,
    command: list[str],
    run_folder: Path,
    fake: Fake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.status, fake.change = status, lambda _: {"choices": []}
    assert main([*command, "--model", "base", "--run", str(run_folder)]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("unsilent: endpoint 127.0.0.1:")
    assert len(Ledger(run_folder / LEDGER_FILE, read_only=True).entries()) == 1


def test_the_plans_own_probes_are_asked_by_default(
    command: list[str], fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    at = command.index("--probes")
    own = command[:at] + command[at + 2 :]
    assert main([*own, "--model", "base", "--items", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compared"]["items"] == 2
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--model"),
        (["--served-adapter", "x"], "--adapter"),
        (["--model", "base", "--adapter", "none.safetensors"], "no such adapter"),
        (["--model", "base", "--run", "nowhere"], "no such file"),
        (["--model", "base", "--form", "llama.cpp"], "nothing reads it"),
        (["--at", "hook:a:b", "--model", "base"], "nothing reads it"),
        (["--at", "hook:a:b", "--form", "llama.cpp"], "nothing reads it"),
        (["--at", "hook:a:b", "--timeout", "5"], "nothing reads it"),
        (["--at", "hook:none_such:b"], "no function to score with"),
        (["--at", "file:///etc/passwd", "--model", "base"], "not an address"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_sent(
    more: list[str], said: str, command: list[str], fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *more]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in line
    assert not fake.asked


def test_the_run_of_another_plan_takes_nothing(
    command: list[str], saved: Path, tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(PLAN.format(model=saved, tolerance=0.2), encoding="utf-8")
    folder = tmp_path / "other"
    folder.mkdir()
    Ledger(folder / LEDGER_FILE).record(PlanDeclared.of(read_plan(other)))
    assert main([*command, "--model", "base", "--run", str(folder)]) == 2
    assert "this run is of another plan" in capsys.readouterr().err
    assert not fake.asked
