"""`unsilent bench verdicts --adversary`: rows to script with, worlds to play again, a table."""

from __future__ import annotations

import json

import numpy as np
import pytest
from unsilent_bench.verdicts.adversary import Attack, attack, replayed, summary, table
from unsilent_bench.verdicts.adversary import run as running
from unsilent_bench.verdicts.adversary import search as searching
from unsilent_bench.verdicts.adversary.variants import own_forms, variants

from unsilent.cli import main


@pytest.fixture(autouse=True)
def two_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plan as it ships, a variant of it and one that is refused."""

    def of(name: str, clients: int):  # type: ignore[no-untyped-def]
        return next(e for e in variants() if (e.name, e.clients) == (name, clients))

    monkeypatch.setattr(running, "own_forms", lambda: [e for e in own_forms() if "lm" in e.name])
    monkeypatch.setattr(running, "variants", lambda: [of("plans/lm", 8), of("plans/starter", 3)])
    monkeypatch.setattr(running, "REPETITIONS", 60)
    monkeypatch.setattr(running, "_VARIANT_REPETITIONS", 40)
    monkeypatch.setattr(searching, "CHOSEN", 40)
    monkeypatch.setattr(searching, "FINALISTS", 2)


def test_json_has_a_row_for_each_plan_and_says_what_was_skipped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["bench", "verdicts", "--adversary", "--worlds", "30", "--seed", "3", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seed"] == 3
    assert [(row["plan"], row["clients"]) for row in found["rows"]] == [
        ("plans/lm", 20),
        ("bench/lm", 32),
        ("plans/lm", 8),
    ]
    assert [row["worlds"] for row in found["rows"]] == [30, 30, 20]
    for row in found["rows"]:
        assert row["seed"] == 3
        for name in (
            "false_failure",
            "false_healthy",
            "false_either",
            "false_silent",
            "false_loud",
        ):
            assert 0 <= row[name] <= 1
            assert row[f"{name}_error"] > 0
        assert row["control"] in ("horizon", "open-ended")
        assert {"failure", "healthy", "either", "silent", "loud"} <= set(row["worst"])
    (skipped,) = found["skipped"]
    assert (skipped["plan"], skipped["clients"]) == ("plans/starter", 3)
    assert skipped["why"]


def test_a_row_of_the_json_can_be_played_again() -> None:
    for row in attack(2, 20).to_json()["rows"]:
        row = json.loads(json.dumps(row))
        for word in ("failure", "healthy"):
            said = replayed(row, word)
            assert float(np.mean(getattr(said, word))) == pytest.approx(
                row[f"false_{word}"], abs=1e-6
            )


def test_a_table_and_a_summary_name_what_is_false_too_often(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(["bench", "verdicts", "--adversary", "--worlds", "40", "--without", "clipping"]) == 0
    )
    shown = capsys.readouterr().out
    assert "false HEALTHY" in shown
    assert "✗" in shown
    assert "1 variants are refused" in shown or "1 variant is refused" in shown
    nothing = Attack(1, (), ())
    assert table(nothing.rows).row_count == 0
    assert "0 of 0" in summary(nothing).plain


@pytest.mark.parametrize("option", [["--worlds", "50"], ["--without", "clipping"]])
def test_the_searchs_options_need_it(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "verdicts", *option]) != 0
    assert "Add --adversary" in capsys.readouterr().err
