"""``unsilent export``, ``schema`` and ``modes``."""

import json
from pathlib import Path

from typer.testing import CliRunner

from unsilent.cli import app
from unsilent.schema import schema
from unsilent.taxonomy import CODES


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_schema_prints_what_ships() -> None:
    assert json.loads(_run("schema")) == schema()
    assert json.loads(_run("schema", "findings-1")) == schema(1)
    assert json.loads(_run("schema", "item"))["$schema"] == schema()["$schema"]


def test_modes_prints_one_or_all(tmp_path: Path) -> None:
    assert _run("modes", "sf-3").startswith("# SF-3: Fairness collapse")
    _run("modes", "--write", str(tmp_path / "pages"))
    assert len(list((tmp_path / "pages").glob("*.md"))) == len(CODES)


def test_export_writes_a_record(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    _run("export", str(folder), "--format", "every-eval-ever", "--out", str(out))
    assert json.loads(out.read_text(encoding="utf-8"))["eval_library"]["name"] == "unsilent"
