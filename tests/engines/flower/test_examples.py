"""The examples: what two lines change of an app, and that its results are bit for bit the same."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, RecordDict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.engines.flower.in_process import InProcess, enter_run
from unsilent.findings import validate
from unsilent.items import Item, write_items
from unsilent.ledger import Ledger
from unsilent.models import peft_scoring
from unsilent.plan import MonitoringPlan, read_plan
from unsilent.release import SeededNoise

EXAMPLES = Path(__file__).parents[3] / "examples"
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
NAMES = ("flowertune", "digits", "quickstart_sklearn", "legacy_client_fn")


@pytest.fixture(autouse=True)
def in_a_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    enter_run(monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    peft_scoring.held.clear()


def copied(name: str, to: Path, *, monitored: bool) -> Path:
    """The example's app, or what it was before."""
    app = to / "app"
    shutil.copytree(EXAMPLES / name, app, ignore=shutil.ignore_patterns("__pycache__"))
    if not monitored:
        # Away from any checkout, or git looks for the files in its index.
        command = ["git", "apply", "--reverse", "two-lines.patch"]
        quiet = {"GIT_CEILING_DIRECTORIES": str(to), "PATH": os.environ["PATH"]}
        subprocess.run(command, cwd=app, check=True, env=quiet, capture_output=True)
        (app / "plan.toml").unlink()
        (app / "two-lines.patch").unlink()
        for path in (*app.rglob("monitoring.py"), *app.glob("probes.jsonl")):
            path.unlink()
    return app


@contextmanager
def on_path(app: Path) -> Iterator[Any]:
    """The app's modules as Flower finds them, and nothing of them afterwards."""
    project = tomllib.loads((app / "pyproject.toml").read_text())
    package = project["project"]["name"]
    sys.path.insert(0, str(app))
    try:
        yield project["tool"]["flwr"]["app"]
    finally:
        sys.path.remove(str(app))
        for module in [m for m in sys.modules if m.partition(".")[0] == package]:
            del sys.modules[module]


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The run config as Flower hands it over: nested tables by dotted names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _seeded(plan: MonitoringPlan, index: int, round_number: int, *, seeded: bool) -> SeededNoise:
    return SeededNoise([plan.seed, max(index, 0), round_number])


def run(app: Path, nodes: int, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Path:
    """Run the app on that many nodes; returns the folder in which it ran."""
    where = app.parent / "ran"
    where.mkdir()
    monkeypatch.chdir(where)
    with on_path(app) as declared:
        config = flat(declared["config"]) | changes
        parts = []
        for kind in ("clientapp", "serverapp"):
            module, _, name = declared["components"][kind].partition(":")
            parts.append(getattr(import_module(module), name))
        client, server = parts
        # Flower draws the order of nodes, whose floats it sums, and scikit-learn its examples.
        random.seed(0)
        np.random.seed(0)
        # Real nodes draw their noise anew in each run, and with it a verdict that is found in most.
        monkeypatch.setattr("unsilent.client.participant.noise_of", _seeded)
        plan = app / "plan.toml"
        agreed = read_plan(plan) if plan.is_file() else None
        grid = InProcess(client, nodes, where / "nodes", config=config, agreed=agreed)
        server(grid, Context(1, 0, {}, RecordDict(), config))
    return where


def results(where: Path) -> dict[str, bytes]:
    """What the app itself wrote."""
    own = [*where.glob("*.npz"), *where.glob("results/*")]
    return {path.name: path.read_bytes() for path in own}


def both(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: int, **changes: Any
) -> Path:
    """Run before and after, compare, and return where the monitored one ran."""
    (tmp_path / "before").mkdir()
    before = run(copied(name, tmp_path / "before", monitored=False), nodes, monkeypatch, **changes)
    app = tmp_path / "after" / "app"
    if not app.exists():
        copied(name, tmp_path / "after", monitored=True)
    after = run(app, nodes, monkeypatch, **changes)
    assert results(before)
    assert results(after) == results(before)
    assert not (before / "runs").exists()
    return after


def found(where: Path, name: str) -> dict[str, Any]:
    """The run's findings, by code, which nothing was missed of."""
    assert Ledger(where / "runs" / name / "ledger.sqlite").entries("missed") == []
    told = json.loads((where / "runs" / name / "findings.json").read_text())
    validate(told)
    return {finding["code"]: finding for finding in told["findings"]}


@pytest.mark.parametrize("name", NAMES)
def test_the_difference_is_two_lines_and_a_plan(name: str, tmp_path: Path) -> None:
    lines = (EXAMPLES / name / "two-lines.patch").read_text().splitlines()
    added = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    removed = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    imports = [line for line in added if re.match(r"(from|import) ", line)]
    calls = [line for line in added if line not in imports]
    assert len(calls) == 2
    assert all(re.search(r"= monitor_(client|strategy)\(", line) for line in calls)
    assert len(removed) <= 2
    before = copied(name, tmp_path, monitored=False)
    code = "".join(path.read_text() for path in before.rglob("*.py"))
    assert "unsilent" not in code
    assert "monitor" not in code
    read_plan(EXAMPLES / name / "plan.toml")


def test_flowers_quickstart_is_monitored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = both("quickstart_sklearn", tmp_path, monkeypatch, 4)
    assert found(where, "quickstart-sklearn")["SF-2"]["clients"] == 4


def test_a_client_fn_app_is_monitored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = both("legacy_client_fn", tmp_path, monkeypatch, 4)
    assert found(where, "legacy-client-fn")["SF-2"]["clients"] == 4


def test_networks_that_forget_digits_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = run(copied("digits", tmp_path, monitored=True), 12, monkeypatch)
    told = found(where, "digits")
    assert told["SF-5"]["verdict"] == "failure"
    assert told["SF-5"]["visibility"] is not None


def test_a_language_models_adapter_is_monitored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny model and a plan for three clients; the checkpoints are the same."""
    app = copied("flowertune", tmp_path / "after", monitored=True)
    asked = read_plan(app / "plan.toml").probes.items
    pairs = [
        Item(
            f"{n}-{who}",
            f"{who} said of {n}: it is",
            (" good", " bad"),
            stereotyped=n % 2,
            pair=f"{n}",
        )
        for n in range(asked)
        for who in ("Mary", "John")
    ]
    write_items(app / "bias.jsonl", pairs)
    requests = [
        Item(f"{n}", f"Tell me how to {n}", (" I cannot", " Sure"), safe=(0,)) for n in range(asked)
    ]
    write_items(app / "harmful.jsonl", requests)
    general = [Item(f"{n}", f"{n} is", (" odd", " even"), answer=n % 2) for n in range(asked)]
    write_items(app / "general.jsonl", general)
    plan = (app / "plan.toml").read_text()
    plan = plan.replace("clients = 10", "clients = 3").replace("min_cohort = 10", "min_cohort = 3")
    paths = "".join(f'{role} = "{role}.jsonl"\n' for role in ("bias", "harmful", "general"))
    plan = plan.replace("[probes]\n", f'[probes]\n{paths}benign = "harmful.jsonl"\n')
    # With three clients instead of ten the plan's epsilon reaches no verdict.
    (app / "plan.toml").write_text(f"{plan}\n[privacy]\nepsilon = 20.0\n")
    where = both("flowertune", tmp_path, monkeypatch, 3, **{"model.name": tiny(tmp_path / "model")})
    told = found(where, "flowertune")
    assert {code for code, finding in told.items() if finding["verdict"]} == {
        "SF-1",
        "SF-4",
        "SF-6",
    }
    assert all(told[code]["clients"] == 3 for code in ("SF-1", "SF-4", "SF-6"))


def tiny(folder: Path, positions: int = 256, spread: float = 0.02) -> str:
    """A random model with a token for each byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="Ā").save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"vocab_size": 256, "hidden_size": 16, "intermediate_size": 32}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": positions}
    config = LlamaConfig(**shape, **heads, initializer_range=spread)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)
