"""The benchmark's command: seeded rows with errors, one table, one figure; and what they show."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from unsilent_bench.verdicts import VerdictRow, figure, run, summary, table
from unsilent_bench.verdicts.cells import TABLE, Cell, cells, noise_sd, size_for
from unsilent_bench.verdicts.rows import METHODS, OWN_METHOD, met
from unsilent_bench.verdicts.run import rows_of
from unsilent_bench.verdicts.scenarios import SCENARIOS, World

from unsilent.cli import main


@pytest.fixture(scope="module")
def rows() -> tuple[VerdictRow, ...]:
    return run(1, short=True)


def test_ours_are_as_good_as_asked(rows: tuple[VerdictRow, ...]) -> None:
    for row in rows:
        if row.method in OWN_METHOD and row.part in ("errors", "silent"):
            assert row.met, row


def test_baselines_raise_false_alarms_where_ours_do_not(rows: tuple[VerdictRow, ...]) -> None:
    rate = {
        row.method: row.false_alarm_rate
        for row in rows
        if row.part == "errors" and (row.scenario, row.population) == ("repeated", "like-these")
    }
    assert rate["per-round"] is not None and rate["per-round"] > 0.5
    assert rate["fixed-95"] is not None and rate["fixed-95"] > 0.3


def test_every_method_and_part_has_rows(rows: tuple[VerdictRow, ...]) -> None:
    assert {row.method for row in rows} == set(METHODS)
    assert {row.part for row in rows} == {"errors", "power", "delay", "silent"}
    for row in rows:
        for name in ("false_alarm", "joint_coverage", "power", "silent"):
            rate = getattr(row, name if name in ("joint_coverage", "power") else f"{name}_rate")
            error = getattr(row, f"{name}_error")
            assert (rate is None) == (error is None)
            assert rate is None or (0 <= rate <= 1 and error > 0)


def test_the_same_seed_gives_the_same_rows() -> None:
    cell = Cell("errors", World(10, 3, 8.0, "like-these", SCENARIOS["drop-outs"]), 20)
    first, again, other = (list(rows_of(cell, (seed, 0))) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_full_run_holds_what_is_asked_for() -> None:
    worlds = [cell.world for cell in cells(short=False) if cell.part == "errors"]
    for size in (10, 30, 100, 1000):
        names = {w.scenario.name for w in worlds if w.clients == size and w.rounds == 50}
        assert {"repeated", "skewed", "noisy-baseline", "drop-outs", "late-joiners"} <= names
    assert {w.epsilon for w in worlds} == {1.0, 2.0, 8.0, None}


def test_formula_gives_the_designs_table() -> None:
    # The table was printed for a single look, c = 1, to two digits.
    for clients, printed in TABLE.items():
        for epsilon, value in zip((1.0, 2.0, 8.0, None), printed, strict=True):
            noise = noise_sd(clients, epsilon, 10, 0.15, 1.0)
            sd = (0.05**2 / clients + noise**2) ** 0.5
            assert size_for(0.8, sd, 1.0) == pytest.approx(value, abs=0.0006, rel=0.02)


def test_met_counts_two_standard_errors() -> None:
    def row(rate: float) -> VerdictRow:
        return VerdictRow("errors", "boundary", "enrolled", 10, 8.0, 50, "x", 100, rate, 0.01)

    assert met(row(0.069))
    assert met(row(0.071)) is False
    assert (
        met(VerdictRow("errors", "fixed-95", "enrolled", 10, 8.0, 50, "x", 100, 1.0, 0.01)) is None
    )


def test_figure_is_svg_with_a_dot_for_each_world(rows: tuple[VerdictRow, ...]) -> None:
    root = ElementTree.fromstring(figure(rows))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    powers = [r for r in rows if r.part == "power" and r.power_reference is not None]
    assert len(circles) == len([r for r in rows if r.part == "errors"]) + len(powers)
    assert "http" not in figure(rows).replace("http://www.w3.org/2000/svg", "")


def test_command_prints_json_and_writes_the_figure(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: tuple[VerdictRow, ...],
) -> None:
    monkeypatch.setattr("unsilent_bench.verdicts.run", lambda *_, **__: rows)
    target = tmp_path / "new" / "verdicts.svg"
    assert main(["bench", "verdicts", "--json", "--short", "--figure", str(target)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seed"] == 1
    assert len(found["rows"]) == len(rows)
    assert {"method", "clients", "false_alarm_rate", "joint_coverage"} <= set(found["rows"][0])
    assert target.read_text(encoding="utf-8").startswith("<svg")
    assert main(["bench", "verdicts"]) == 0
    shown = capsys.readouterr().out
    assert "dp-cusum" in shown
    assert "rows of ours are as good as asked" in shown


def test_table_and_summary_name_what_falls_short() -> None:
    bad = VerdictRow(
        "errors", "boundary", "enrolled", 10, 8.0, 50, "skewed", 100, 0.5, 0.05, met=False
    )
    assert "skewed" in summary([bad]).plain
    assert table([bad]).row_count == 2
