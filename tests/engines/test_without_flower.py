"""The core needs no engine: it judges, verifies and serves where none can be imported."""

from __future__ import annotations

import subprocess
import sys

BARRED = """
import importlib, pkgutil, sys

class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("flwr", "nvflare", "ray"):
            raise ModuleNotFoundError(f"{name} is barred", name=name)

sys.meta_path.insert(0, Barred())
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BARRED + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_every_module_but_the_engines_is_imported() -> None:
    done = run(
        """
import unsilent
for found in pkgutil.walk_packages(unsilent.__path__, "unsilent."):
    if not found.name.startswith("unsilent.engines."):
        importlib.import_module(found.name)
print("all")
"""
    )
    assert done.stdout.strip() == "all", done.stderr


def test_a_command_that_needs_flower_says_what_installs_it() -> None:
    done = run('from unsilent.cli import main; sys.exit(main(["demo", "--tier", "fleet"]))')
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "unsilent[flower]" in done.stderr
