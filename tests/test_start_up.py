"""A command that is typed answers at once: what it imports is held here."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = 21
"""Each group of commands is one."""
SECONDS = 0.5
DEAR = {"numpy", "scipy", "torch", "transformers", "flwr", "ray", "rich", "pydantic", "altair"}


def test_the_command_line_imports_few_modules_and_nothing_dear() -> None:
    code = (
        "import sys, unsilent.cli;"
        "print(*sorted(n for n in sys.modules if n.startswith('unsilent')));"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own, all_ = (line.split() for line in done.stdout.splitlines())
    assert len(own) <= MODULES, own
    assert not DEAR & set(all_)


@pytest.fixture(scope="module")
def byte_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("byte_code")


LIBRARY = "import typer.rich_utils, typer.main"
"""What the words of --help are made with."""


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_it_answers_in_less_than_half_a_second_of_processor_time(
    option: str, byte_code: Path
) -> None:
    # A user's Python keeps its byte code.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(byte_code)

    def spent(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True, env=kept)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return sum(
            getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime")
        )

    # The first run may write byte code; of the others the least disturbed counts. A machine on
    # which the library alone takes as long has that for its measure.
    pairs = [(spent("-c", LIBRARY), spent("-m", "unsilent.cli", option)) for _ in range(6)]
    library, took = (min(each) for each in zip(*pairs, strict=True))
    assert took < max(SECONDS, 2 * library)
