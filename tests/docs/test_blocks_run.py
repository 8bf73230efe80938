"""The Python blocks of README and docs run as they stand, with what an app of the reader's has.

A block names what is the reader's own: an app, a strategy, a model that is loaded. That is given
here, all else is the block's. What needs a site's process or a trained model is parsed alone.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.tests.traces_maker import federation
from tests.docs.blocks import ROOT, Block, blocks
from unsilent.cli import main

PARSED = {
    "nvflare.md": "flare.init() belongs to a site's process: examples/nvflare/run.sh runs both",
    "vision.md": "a vision model is loaded: tests/models/test_vision.py and examples/vision run it",
}
"""Documents whose Python is parsed alone, and what runs in its place."""
FLARE = "from unsilent.nvflare"


def runs(block: Block) -> bool:
    return block.document not in PARSED and FLARE not in block.text


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a reader has beside the block: in a folder with a plan, an app and names of its own."""
    clientapp = pytest.importorskip("flwr.clientapp", reason="flwr is not installed")
    strategy = pytest.importorskip("flwr.serverapp.strategy")
    import unsilent

    monkeypatch.chdir(tmp_path)
    assert main(["plan", "init", "plan.toml"]) == 0

    def given(*_: object) -> Any:
        raise AssertionError("nothing is loaded before a round")

    names = {name: getattr(unsilent, name) for name in unsilent.__all__}
    return {
        **names,
        "ClientApp": clientapp.ClientApp,
        "FedAvg": strategy.FedAvg,
        "app": clientapp.ClientApp(),
        # Of transformers, whose own needs data: tests/models/test_trainer_callback.py runs it.
        "Trainer": lambda model, **given: given["callbacks"],
        "probes": unsilent.ItemSet("b", (unsilent.Item("1", "It", (" a", " b"), stereotyped=0),)),
        "model": None,
        "tokenizer": None,
        **dict.fromkeys(("load_model", "load_my_adapter", "score", "held_out", "history"), given),
    }


@pytest.mark.parametrize(
    "block",
    [b for b in blocks("python") if runs(b) and b.document != "benchmark.md"],
    ids=str,
)
def test_a_block_runs(block: Block, reader: dict[str, Any]) -> None:
    from flwr.serverapp import ServerApp

    exec(compile(block.text, str(block), "exec"), reader)
    if "app = " in block.text:
        kind = ServerApp if "watch_app" in block.text else reader["ClientApp"]
        assert isinstance(reader["app"], kind)
    if "monitor_strategy" in block.text:
        assert hasattr(reader["strategy"], "start")


def test_a_method_of_ones_own_is_scored_as_the_benchmarks_page_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import unsilent_bench.replay as replaying
    import unsilent_bench.traces as traces

    from bench.tests.traces_plan import PLAN

    (block,) = (b for b in blocks("python") if b.document == "benchmark.md")
    made = tuple(federation("SF-1", "strong", seed, clients=24) for seed in (1, 2))
    whole: Callable[..., Any] = replaying.replay
    found: list[Any] = []

    def small(read: Any, **options: Any) -> Any:
        found.append(whole(read, plans={"fleet": PLAN}, epsilons=(8.0,), **options))
        return found[0]

    # The shipped federations take minutes: two small ones in their place.
    monkeypatch.setattr(traces, "read", lambda: traces.Traces(made, "here"))
    monkeypatch.setattr(replaying, "replay", small)
    exec(compile(block.text, str(block), "exec"), {"__name__": "a_readers"})
    rows = [row for row in found[0].to_json()["rows"] if row["method"] == "louder"]
    assert rows


def test_each_python_block_runs_or_is_named_as_parsed_alone() -> None:
    alone = {block.document for block in blocks("python") if not runs(block)}
    assert alone == {*PARSED, "tutorial.md", "watch.md"}


def test_the_script_that_follows_the_readme_knows_each_command_of_its_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = runpy.run_path(str(ROOT / "benchmarks" / "readme_commands.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [step.named for step in script["TABLE"]] == script["named"](readme)
    assert script["lines"](readme)[0] == "make demo"
    for step in script["TABLE"]:
        assert (step.words is not None) or step.why, step.named
