"""``unsilent landscape`` in its four formats."""

import csv
import json
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unsilent.cli import app


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["landscape", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_authors_matrix_alone_is_their_file() -> None:
    text = (files("unsilent.landscape") / "authors.csv").read_text(encoding="utf-8")
    assert _run("--authors", "--format", "csv") == text


def test_csv_has_our_reading_and_our_row() -> None:
    rows = {row["benchmark"]: row for row in csv.DictReader(StringIO(_run("--format", "csv")))}
    assert len(rows) == 13
    assert rows["PFLlib"]["fairness_collapse"] == "proxy"


def test_json_keeps_the_two_matrices_apart() -> None:
    data = json.loads(_run("--format", "json"))
    cells = {
        which: {row["name"]: row["cells"] for row in data[which]}["PFLlib"]["fairness_collapse"]
        for which in ("authors", "reading")
    }
    assert (cells["authors"]["rating"], cells["reading"]["rating"]) == ("none", "proxy")
    assert data["own"]["name"] == "unsilent"


def test_the_table_names_the_evidence() -> None:
    assert "* PFLlib, fairness collapse: Each evaluation prints" in _run()


@pytest.mark.parametrize("form", ["html", "json", "csv"])
def test_out_writes_what_would_be_printed(form: str, tmp_path: Path) -> None:
    path = tmp_path / "landscape"
    _run("--format", form, "--out", str(path))
    assert path.read_text(encoding="utf-8").strip() == _run("--format", form).strip()


def test_the_page_needs_no_other_host() -> None:
    page = _run("--format", "html")
    for reference in ("src=", 'href="http', "@import", "url("):
        assert reference not in page
