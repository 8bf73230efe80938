"""What people expect of any command: -m, completion, a version that says which, no colours."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.table import Table

from unsilent import __version__
from unsilent.cli import COMPLETE, main
from unsilent.commands import version
from unsilent.commands.common import TABLE_WIDTH, console


def test_the_package_runs_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["unsilent", "schema", "item"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("unsilent", run_name="__main__")
    assert ended.value.code == 0
    assert '"$schema"' in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{COMPLETE}={shell}_complete" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, text=True, check=False)
        assert done.returncode == 0


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "ksh"]) == 2
    assert "'fish'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "place", "offered"),
    [
        ("unsilent pl", 1, {"plan"}),
        ("unsilent plan ch", 2, {"check"}),
        ("unsilent findings --fail", 2, {"--fail-on"}),
        ("unsilent findings runs --fail-on ", 4, {"failure", "undetermined"}),
        ("unsilent bench re", 2, {"report", "replay"}),
        ("unsilent completion ", 2, {"bash", "zsh", "fish"}),
    ],
)
def test_commands_options_and_values_are_completed(
    words: str,
    place: int,
    offered: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(COMPLETE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(place))
    monkeypatch.setattr(sys, "argv", ["unsilent"])
    assert main() == 0
    lines = capsys.readouterr().out.split()
    assert {line.partition(",")[2] for line in lines} == offered


def commit(root: Path) -> str:
    def git(*words: str) -> str:
        told = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(root), *words]
        return subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()

    (root / "src" / "unsilent").mkdir(parents=True)
    (root / "src" / "unsilent" / "a.py").write_text("a = 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    git("tag", "v9")
    return git("rev-parse", "HEAD")[:12]


def test_a_checkout_says_its_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    made = commit(tmp_path)
    assert version._checked_out(tmp_path) == made
    (tmp_path / "src" / "unsilent" / "a.py").write_text("a = 2\n")
    assert version._checked_out(tmp_path) == f"{made}-dirty"


def test_without_a_checkout_or_without_git_there_is_the_version_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version, "_installed", lambda: None)
    # Another project's checkout, in which this package merely lies, is not its commit.
    (tmp_path / ".git").mkdir()
    assert version._checked_out(tmp_path) is None
    (tmp_path / "src" / "unsilent").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version._checked_out(tmp_path) is None
    assert version.described() == __version__


def test_what_pip_noted_is_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = '{"url": "git+https://x", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}'

    class Noted:
        def read_text(self, name: str) -> str | None:
            return noted if name == "direct_url.json" else None

    class Found:
        from_name = staticmethod(lambda name: Noted())

    monkeypatch.setattr(version, "Distribution", Found)
    assert version.described() == f"{__version__} (commit 0123456789ab)"


def test_no_color_is_heeded_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # rich takes this for a terminal with colours.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def coloured(show: Callable[[], object]) -> bool:
        show()
        return "\x1b[32m" in capsys.readouterr().out

    assert coloured(lambda: main(["landscape"]))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(lambda: main(["landscape"]))


@pytest.mark.parametrize("columns", [3, 12])
def test_no_figure_is_cut_where_there_is_no_terminal(
    columns: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [f"{n:+.3f} ({n:+.4f})" for n in range(columns)]
    shown = Table(*(f"SF-{n}" for n in range(columns)))
    shown.add_row(*cells)
    console().print(shown)
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert all(part in printed for cell in cells for part in cell.split())
    assert (max(map(len, printed.splitlines())) <= TABLE_WIDTH) == (columns == 3)
