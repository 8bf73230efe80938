"""A distribution of one file and its entry points, as an installer leaves it, for one test."""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import pytest


def add_distribution(monkeypatch: pytest.MonkeyPatch, folder: Path, project: Path) -> None:
    """Put a project's modules and metadata into a folder on the path on which modules are found.

    Args:
        monkeypatch: Takes the folder off the path again.
        folder: An empty one.
        project: Holds ``pyproject.toml`` and the modules that it names.
    """
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    name, version = told["project"]["name"], told["project"]["version"]
    for module in told["tool"]["setuptools"]["py-modules"]:
        shutil.copy(project / f"{module}.py", folder)
        # Another test may have loaded another copy.
        sys.modules.pop(module, None)
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
    )
    lines: list[str] = []
    for group, entries in told["project"]["entry-points"].items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
