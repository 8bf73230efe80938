"""What earlier versions left: each test is run once for each of them. ``make.py`` made it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unsilent.cli import main

HERE = Path(__file__).parent
VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "run").is_dir())
SCHEMA = "earlier_run"
ENTRIES = 29
"""Ledger entries of each of the runs."""

Ask = Callable[..., str]


@dataclass(frozen=True)
class Earlier:
    """A copy of what one version left, that a test may change.

    Attributes:
        version: Its commit.
        folder: Holds ``run``, ``client``, the pack and the ledger's dump.
    """

    version: str
    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def client(self) -> Path:
        return self.folder / "client"

    @property
    def pack(self) -> Path:
        return self.folder / "evidence.zip"

    @property
    def key(self) -> str:
        """The signer's public key."""
        return (self.folder / "key.txt").read_text(encoding="utf-8").strip()

    @property
    def said(self) -> dict[str, Any]:
        """What the version's own commands answered."""
        return dict(json.loads((self.folder / "said.json").read_text(encoding="utf-8")))

    @property
    def findings(self) -> dict[str, Any]:
        return dict(json.loads((self.run / "findings.json").read_text(encoding="utf-8")))

    @property
    def verdicts(self) -> dict[str, str | None]:
        """By the mode's code; None where it was not planned."""
        return {each["code"]: each["verdict"] for each in self.findings["findings"]}

    @property
    def head(self) -> str:
        """The ledger's head, as the version noted it."""
        return str(self.said["verify"]["head"])


@pytest.fixture(params=VERSIONS)
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Earlier:
    """What each version left."""
    return Earlier(request.param, shutil.copytree(HERE / request.param, tmp_path / request.param))


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_at(request: pytest.FixtureRequest, earlier: Earlier) -> str:
    """Where the version's ledger is: its file, or a database into which its dump was loaded.

    The run's folder names the place, as after ``--ledger``.
    """
    file = earlier.run / "ledger.sqlite"
    if request.param == "sqlite":
        return str(file)
    url: str = request.getfixturevalue("postgres")
    import psycopg

    schema = f"run_{secrets.token_hex(6)}"
    dump = (earlier.folder / "ledger.sql").read_text(encoding="utf-8")
    with psycopg.connect(url) as connection:
        connection.execute(dump.replace(SCHEMA, schema).encode())
    file.unlink()
    where = f"{url}&schema={schema}"
    (earlier.run / "ledger.url").write_text(where + "\n", encoding="utf-8")
    return where


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command of the present version; what it prints, if it ends with the code."""

    def asked(*words: str | Path, code: int = 0) -> str:
        capsys.readouterr()
        ended = main([*map(str, words)])
        said = capsys.readouterr()
        assert ended == code, said.out + said.err
        return said.out

    return asked


def points(effect: float) -> str:
    """An effect as people read it: in points, with its sign."""
    return f"{100 * effect:+.1f}".replace("-", "−")


def holds(told: Any, found: Any) -> bool:
    """Whether JSON data says all that other data said; it may say more beside."""
    if isinstance(told, dict) and isinstance(found, dict):
        return all(key in found and holds(told[key], found[key]) for key in told)
    if isinstance(told, list) and isinstance(found, list):
        pairs = zip(told, found, strict=False)
        return len(told) == len(found) and all(holds(one, other) for one, other in pairs)
    return type(told) is type(found) and bool(told == found)
