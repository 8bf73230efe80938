"""The tables of documents hold a replay's numbers, and the shipped document the shipped ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner
from unsilent_bench.page import filled, tables
from unsilent_bench.page.shares import share
from unsilent_bench.replay import replay
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.cli import app
from unsilent.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmark.md"
MARKED = "Before.\n\n<!-- table: runs -->\nold\n<!-- end of table -->\n\nAfter.\n"


@pytest.fixture(scope="module")
def found():
    doses = ("strong", "mild", "none")
    made = tuple(federation("SF-1", dose, seed, clients=24) for dose in doses for seed in (1, 2))
    return json.loads(
        json.dumps(replay(Traces(made, "here"), plans={"fleet": PLAN}, epsilons=(8.0,)).to_json())
    )


def test_a_cell_is_the_replays(found):
    (ours,) = [
        row
        for row in found["rows"]
        if (row["mode"], row["method"], row["dose"], row["epsilon"], row["unit"])
        == ("SF-1", "unsilent", "strong", 8.0, "client")
    ]
    (line,) = [text for text in tables(found)["strong"].splitlines() if text.startswith("| SF-1")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    low, high = (100 * end for end in ours["interval"])
    assert cells[1:4] == [
        str(ours["clients"]),
        str(ours["seeds"]),
        f"{share(ours['detection'])} [{low:.0f}, {high:.0f}]",
    ]


def test_every_table_has_as_many_cells_in_each_line(found):
    for table in tables(found).values():
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_only_what_is_marked_is_written(found):
    text = filled(MARKED, found)
    assert text.startswith("Before.\n\n<!-- table: runs -->\n| tier, clients |")
    assert text.endswith("|\n<!-- end of table -->\n\nAfter.\n")
    assert "old" not in text
    assert filled(text, found) == text


@pytest.mark.parametrize("text", ["No mark at all.", MARKED.replace("runs", "walks")])
def test_a_document_without_a_known_table_is_refused(found, text):
    with pytest.raises(InputError, match="strong, weaker"):
        filled(text, found)


def test_nearly_all_is_not_all():
    assert [share(part) for part in (0.0, 0.0004, 0.5, 0.9967, 0.99999, 1.0, None)] == [
        "0%",
        "0.04%",
        "50%",
        "99.7%",
        ">99.9%",
        "100%",
        "—",
    ]


def test_the_shipped_document_says_what_the_shipped_replay_says(tmp_path):
    copy = tmp_path / "benchmark.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    done = CliRunner().invoke(app, ["bench", "tables", "--into", str(copy)])
    assert done.exit_code == 0, done.output
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


def test_a_file_that_is_no_replay_is_refused(tmp_path):
    other = tmp_path / "other.json"
    other.write_text('{"schema": "another/1"}')
    done = CliRunner().invoke(app, ["bench", "tables", "--replay", str(other)])
    assert isinstance(done.exception, InputError)
    assert "is not the JSON of a replay" in str(done.exception)
