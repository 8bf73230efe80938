"""A distribution with a mode, installed for another process as PYTHONPATH finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mode"


def install(site: Path, example: Path = EXAMPLE) -> Path:
    """Lay the example's module into a folder, and beside it what an installer would write."""
    project = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))
    for name in project["tool"]["setuptools"]["py-modules"]:
        site.mkdir(parents=True, exist_ok=True)
        shutil.copy(example / f"{name}.py", site)
    about = project["project"]
    describe(site, about["name"], about["version"], about["entry-points"]["unsilent.modes"])
    return site


def describe(site: Path, name: str, version: str, modes: dict[str, str]) -> None:
    """The metadata of a distribution whose entry points name these modes."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{key} = {value}\n" for key, value in modes.items()]
    (info / "entry_points.txt").write_text("[unsilent.modes]\n" + "".join(lines))


def python(site: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Another Python, which finds what lies in ``site`` and reads ``given``; it must end well."""
    paths = [str(site), str(ROOT), str(ROOT / "src"), str(ROOT / "bench" / "src")]
    inherited = os.environ.get("PYTHONPATH", "")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*paths, inherited]))}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=env,
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done
