"""The benchmark's page: every number is on it, it needs nothing else, and it escapes names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import altair
import pytest
from typer.testing import CliRunner
from unsilent_bench.page import charts, page
from unsilent_bench.replay import replay
from unsilent_bench.traces import Traces

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.cli import app
from unsilent.errors import InputError


@pytest.fixture(scope="module")
def found() -> dict:
    made = [
        federation("SF-4", dose, seed, clients=24, onset=4)
        for dose in ("none", "mild", "strong")
        for seed in (1, 2)
    ]
    made += [
        federation("SF-4", "strong", seed, clients=24, training=training)
        for training in ("secure-sum", "dp-sgd:2")
        for seed in (1, 2)
    ]
    made.append(federation("SF-4", "strong", 1, clients=24, personalization="ditto"))
    odd = [replace(each, scenario="<b>& false ability") for each in made]
    return replay(Traces(tuple(odd), "here"), plans={"fleet": PLAN}, epsilons=(None, 8.0)).to_json()


@pytest.fixture(scope="module")
def text(found: dict) -> str:
    return page(found)


def test_it_asks_no_other_host_and_runs_no_script(text: str) -> None:
    assert "<script" not in text
    assert "default-src 'none'" in text
    outside = set(re.findall(r"https?://[^\"' )<]+", text))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_section_of_the_benchmark_is_there(text: str) -> None:
    for heading in (
        "What each method finds at the strong dose",
        "False alarms and wrong verdicts",
        "The stronger the cause",
        "How many clients it takes",
        "When it begins, and when it is heard",
        "Does private training prevent the failures?",
        "Other ways to personalize",
        "Every number",
    ):
        assert heading in text


def test_every_row_is_on_it_with_interval_and_seeds(text: str, found: dict) -> None:
    rows = [r for r in found["rows"] if r["mode"] != "all" and r["unit"] == "client"]
    assert f"All {len(rows)} rows" in text
    row = next(r for r in rows if (r["method"], r["epsilon"]) == ("unsilent", 8.0))
    low, high = row["interval"]
    assert f"[{100 * low:.0f}, {100 * high:.0f}]" in text
    variant = found["claim"][0]
    assert f"{100 * variant['effect']:+.1f}" in text


def test_charts_are_drawn_in_the_page_s_own_colours_and_described(text: str) -> None:
    drawn = re.findall(r'<svg role="img" aria-label="([^"]+)"', text)
    # Dose response, power, onset, claim: of the one cause and size there is.
    assert len(drawn) == 4
    assert all("SF-4" in words for words in drawn)
    assert "var(--s1)" in text
    assert "aria-roledescription" not in text


def test_charts_follow_the_schema_of_vega_lite(found: dict) -> None:
    ours = [row for row in found["rows"] if row["method"] in ("unsilent", "system-mean")]
    made = (
        charts.dose_response([row for row in ours if row["mode"] != "all"]),
        charts.power(found["power"]),
        charts.onset(found["onsets"]),
        charts.effects(found["claim"]),
    )
    for each in made:
        altair.Chart.from_dict(each, validate=True)
    assert altair.SCHEMA_VERSION.startswith(f"v{charts.VEGA_LITE}")


def test_names_from_traces_are_escaped(text: str) -> None:
    assert "<b>&" not in text
    assert "&lt;b&gt;&amp; false ability" in text


def test_tags_close(text: str) -> None:
    left: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "link"):
                left.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert left.pop() == tag

    Checker().feed(text)
    assert left == []


def test_the_command_writes_the_page_of_a_replay(found: dict, tmp_path: Path) -> None:
    (tmp_path / "replay.json").write_text(json.dumps(found))
    out = tmp_path / "bench.html"
    base = ["bench", "report", "--out", str(out), "--replay"]
    done = CliRunner().invoke(app, [*base, str(tmp_path / "replay.json")])
    assert done.exit_code == 0, done.output
    assert "Does private training" in out.read_text()
    (tmp_path / "other.json").write_text("[]")
    bad = CliRunner().invoke(app, [*base, str(tmp_path / "other.json")])
    assert isinstance(bad.exception, InputError)
    assert "bench replay --out" in bad.exception.line()
