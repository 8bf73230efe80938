"""A mistake gets one line with place and remedy, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

import pytest

from tests.commands.mistakes import LINES, MODE, MODES, PLANS
from unsilent.cli import main
from unsilent.errors import InputError
from unsilent.plan import parse_plan

WRONG_PLANS = {
    **{name: (f"{MODE}{text}" if text.startswith("[") else f"{text}{MODE}", where, remedy)
       for name, (text, where, remedy) in PLANS.items()},
    **MODES,
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty folder, an empty text, JSON that is nothing, and a valid plan."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").touch()
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / "plan.toml").write_text(MODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(each): each.read_bytes() if each.is_file() else None for each in folder.rglob("*")}


def one_line(arguments: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a wrong command says; it has to be one line, of exit code 2, that leaves no trace."""
    before = everything(here)
    assert main(arguments) == 2
    assert everything(here) == before
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("unsilent: ")
    assert said.err.count("\n") == 1
    return said.err


def test_there_are_sixty_and_more() -> None:
    assert len(LINES) + len(WRONG_PLANS) > 90


@pytest.mark.parametrize("line", LINES)
def test_a_mistake_is_one_line_with_place_and_remedy(
    line: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, remedy = LINES[line]
    said = one_line(shlex.split(line), here, capsys)
    assert said.startswith(f"unsilent: {where}")
    assert remedy in said.removeprefix(f"unsilent: {where}")


@pytest.mark.parametrize("name", WRONG_PLANS)
def test_a_wrong_plan_names_file_key_and_remedy(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, key, remedy = WRONG_PLANS[name]
    (here / "plan.toml").write_text(text)
    said = one_line(["contract", "plan.toml"], here, capsys)
    assert said.startswith("unsilent: plan.toml: ")
    assert key == "plan.toml" or f": {key}: " in said
    assert remedy in said


def test_what_the_plan_is_read_from_may_not_change_its_kind() -> None:
    data = {"modes": {"amplified_bias": {"tolerance": 0.1}}, "privacy": {"epsilon": 8}}
    assert parse_plan(data).privacy.epsilon == 8.0
    with pytest.raises(InputError, match=r"privacy\.epsilon: '8' is not a number"):
        parse_plan({**data, "privacy": {"epsilon": "8"}})


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc, which refuses files")
@pytest.mark.parametrize(
    "line",
    [
        "landscape --format csv --out /proc/unsilent-none",
        "modes --write /proc/unsilent-none",
        "bench tables --into /proc/version",
        "plan init /proc/unsilent-none/plan.toml",
        "privacy limit /proc/unsilent-none --epsilon 3",
        "evidence empty --out /proc/unsilent-none",
        "demo --out /proc/unsilent-none",
    ],
)
def test_a_tree_that_takes_no_file_is_said_even_to_root(
    line: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything(here)
    assert main(shlex.split(line)) in (1, 2)
    assert everything(here) == before
    said = capsys.readouterr().err
    assert said.startswith("unsilent: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "code", "remedy"),
    [
        (errno.EROFS, 2, "read-only"),
        (errno.EACCES, 2, "let this user"),
        (errno.EISDIR, 2, "name a file"),
        (errno.ENAMETOOLONG, 2, "shorter"),
        (errno.ENOSPC, 1, "Free disk space"),
        (errno.EIO, 1, "disk"),
    ],
)
def test_what_the_system_refuses_below_a_command_is_a_line_too(
    number: int,
    code: int,
    remedy: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number), "the/file")

    monkeypatch.setattr("unsilent.plan.read_plan", refuse)
    assert main(["contract", "plan.toml"]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"unsilent: the/file: cannot be read or written ({os.strerror(number)})")
    assert remedy in said


def test_a_fault_of_the_system_that_names_no_file_is_not_hidden(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EBADF, "bad")

    monkeypatch.setattr("unsilent.plan.read_plan", refuse)
    with pytest.raises(OSError, match="bad"):
        main(["contract", "plan.toml"])
