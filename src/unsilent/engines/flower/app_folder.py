"""A Flower app's folder: its client for a simulation, or the whole with another server."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.common.config import get_fused_config_from_dir

from unsilent.errors import InputError

_SERVER = re.compile(r"^(\s*serverapp\s*=\s*)([\"']).*?\2", re.MULTILINE)


class ClientOf(ClientApp):
    """The ClientApp of an app's folder, loaded by each worker itself.

    Args:
        folder: The app's, with ``pyproject.toml``.

    Raises:
        InputError: It holds no Flower app.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder.absolute()
        self.name = components(self.folder)["clientapp"]
        self.config = get_fused_config_from_dir(self.folder, {})

    def __call__(self, message: Message, context: Context) -> Message:
        """Let the app answer, with the run config that its folder has."""
        given = context.run_config
        context.run_config = {**self.config, **given}
        try:
            return _loaded(str(self.folder), self.name)(message, context)
        finally:
            # Flower's simulation takes no answer whose context has come to another config.
            context.run_config = given


@cache
def _loaded(folder: str, name: str) -> ClientApp:
    # First: another folder may hold a module of the same name.
    sys.path.insert(0, folder)
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def components(folder: Path) -> dict[str, str]:
    """The ``serverapp`` and ``clientapp`` of an app's folder. Raises InputError if it has none."""
    path = folder / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))
        found = dict(project["tool"]["flwr"]["app"]["components"])
        return {name: str(found[name]) for name in ("serverapp", "clientapp")}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "no Flower app: no pyproject.toml with [tool.flwr.app.components]",
            where=str(folder),
            remedy="Name the app's folder by --app.",
        ) from None


def with_server(folder: Path, to: Path, module: str, code: str, plan: Path) -> None:
    """Copy an app, with a server of its own in place of the app's.

    Args:
        folder: The app's.
        to: A folder that is made.
        module: The server's module; its ``app`` is the ServerApp.
        code: What is in it.
        plan: A plan file, copied beside it as ``MODULE.toml``.

    Raises:
        InputError: The folder holds no app, or its pyproject.toml cannot be changed.
    """
    components(folder)
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("runs", ".git", "__pycache__"))
    path = to / "pyproject.toml"
    text, count = _SERVER.subn(rf'\g<1>"{module}:app"', path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    if count != 1 or components(to)["serverapp"] != f"{module}:app":
        raise InputError(
            "its serverapp is not told in a line of its own",
            where=str(folder / "pyproject.toml"),
            remedy="Make an app whose server is watch_app(plan), and run it by `flwr run`.",
        )
    (to / f"{module}.py").write_text(code, encoding="utf-8")
    shutil.copyfile(plan, to / f"{module}.toml")
