"""Each code block of README and docs is what it says: plans parse, items load, commands exist."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import typer

import unsilent
from tests.docs.blocks import Block, blocks, commands, inline
from unsilent.cli import app, main
from unsilent.items import Item
from unsilent.plan import parse_plan
from unsilent.plans import starter_text

SHELLS = ("console", "sh", "bash")
BENCH = {"bench", "landscape"}
"""Added by another distribution, or with options of its."""


def joined(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    both = dict(whole)
    for key, value in part.items():
        inner = both.get(key)
        tables = isinstance(inner, dict) and isinstance(value, dict)
        both[key] = joined(inner, value) if tables else value
    return both


def test_there_are_blocks_of_every_kind() -> None:
    for kind in ("toml", "python", "json", "console"):
        assert blocks(kind), kind


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_a_plans_keys_are_a_plans(block: Block) -> None:
    # What stands for 64 digits, or for the rest of a list, is the reader's to fill in.
    given = tomllib.loads(re.sub(r"sha256([=:])…", r"sha256\g<1>" + "0" * 64, block.text))
    if "project" in given:
        pytest.skip("a distribution's own file")
    base = {} if "federation" in given and "modes" in given else tomllib.loads(starter_text())
    if given.get("privacy", {}).get("unit") == "none":
        base["privacy"] = {}
    if "governance" in given:
        # An adapter that is to be held back needs a gate that does.
        base["gate"] = {"action": "hold"}
    if "versions" in given:
        # A watch by the week, that goes on where the plan before it ended.
        base["federation"] |= {"rounds": 104}
        base["monitor"] |= {"rounds": list(range(53, 105))}
    if given.get("model", {}).get("kind") == "vision":
        # The other modes of a first plan ask texts.
        base["modes"] = {}
    modes = {**base.get("modes", {}), **given.get("modes", {})}
    parse_plan({**joined(base, given), "modes": modes})


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_a_json_line_is_an_item(block: Block) -> None:
    for line in block.text.splitlines():
        Item.from_json(json.loads(line))


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_parses_and_imports_what_is_public(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text.replace("(…)", "(...)"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "unsilent":
            spec = find_spec(str(node.module))
            assert spec is not None, node.module
            assert spec.origin is not None
            source = Path(spec.origin).read_text(encoding="utf-8")
            for name in node.names:
                assert re.search(rf"\b{name.name}\b", source), f"{node.module}.{name.name}"


@lru_cache(maxsize=1)
def whole() -> click.Command:
    """The command line with all of its commands."""
    return typer.main.get_command(app)


def parsed(words: list[str]) -> None:
    """Parse a command's words as the command line does, and call nothing."""
    command = whole()
    context, rest = click.Context(command, info_name="unsilent"), list(words)
    while isinstance(command, click.Group):
        if not rest or rest[0].startswith("-"):
            return
        inner = command.get_command(context, rest[0])
        if inner is None and "show" in command.commands:
            inner = command.commands["show"]
        else:
            rest = rest[1:]
        assert inner is not None, f"no command {words}"
        command, context = inner, click.Context(inner, parent=context, info_name=inner.name)
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    used = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert used - {"--help"} <= known, f"{words}: {used - known}"


@pytest.mark.parametrize("block", [b for b in blocks(*SHELLS) if commands(b)], ids=str)
def test_the_commands_of_a_block_exist_with_their_options(block: Block) -> None:
    for words in commands(block):
        if words[0] not in BENCH:
            parsed(words)


def test_commands_in_sentences_exist_with_their_options() -> None:
    found = inline()
    assert len(found) > 40
    for _, words in found:
        if words[0] not in BENCH and not words[0].isupper():
            parsed(words)


def test_the_own_probes_of_the_first_steps_are_probes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = [block for block in blocks("python") if block.document == "tutorial.md"]
    (made,) = (block for block in steps if "ours.jsonl" in block.text)
    exec(compile(made.text, str(made), "exec"), {})
    (check,) = (
        words
        for block in blocks("console")
        if block.document == "tutorial.md"
        for words in commands(block)
        if words[:2] == ["probes", "check"]
    )
    assert main(check) == 0
    assert "sha256" in capsys.readouterr().out


def test_a_first_plan_is_made_as_the_first_steps_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (first, *_) = (b for b in blocks("console") if b.document == "tutorial.md")
    init, check = commands(first)
    assert main(init) == 0
    assert check == ["plan", "check", "plan.toml"]
    assert unsilent.read_plan(Path("plan.toml")).planned
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]
