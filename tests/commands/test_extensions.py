"""Commands of other distributions: what one of them does wrong stays with its own commands."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
import typer

from unsilent.commands import extensions
from unsilent.errors import InputError


def installed(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(extensions, "entry_points", lambda group: entries)


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, extensions.GROUP)


def added(group: str = "") -> dict[str, Callable[[], None]]:
    """What is added to an app, by name: a command's function, a group's app."""
    app = typer.Typer()
    extensions.add_installed(app, group)
    found = {str(each.name): each.callback for each in app.registered_commands}
    return found | {str(each.name): each.typer_instance for each in app.registered_groups}


@pytest.mark.parametrize(("group", "name"), [("", "bench"), ("probes", "score")])
def test_one_that_is_known_and_not_installed_says_what_installs_it(
    group: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch)
    with pytest.raises(InputError, match=r"unsilent-bench.*not installed.*pip install \./bench"):
        added(group)[name]()


@pytest.mark.parametrize("group", ["", "probes"])
def test_one_that_cannot_be_loaded_says_why_and_no_other_suffers(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = group or "theirs"
    installed(monkeypatch, entry(name, "nowhere.at_all:app"), entry("gate", "unsilent.cli:app"))
    found = added(group)
    for each in ("score", "validate") if group else ("theirs",):
        with pytest.raises(InputError, match=r"nowhere\.at_all:app cannot be loaded \(Module"):
            found[each]()
    assert ("gate" in found) == (not group)


def test_what_is_installed_is_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, entry("bench", "unsilent.commands.gate:app"))
    assert isinstance(added()["bench"], typer.Typer)


def test_a_command_of_ours_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that names one of ours would otherwise answer in its place."""
    installed(monkeypatch, entry("mine", "nowhere.at_all:app"))
    app = typer.Typer()
    ours = typer.Typer()
    app.add_typer(ours, name="mine")
    extensions.add_installed(app)
    assert [each.typer_instance for each in app.registered_groups if each.name == "mine"] == [ours]
    assert not [each for each in app.registered_commands if each.name == "mine"]
