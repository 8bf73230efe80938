"""The whole replay on small federations: its rows, its filters, its command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner
from unsilent_bench.landscape_own import own_row
from unsilent_bench.replay import METHODS, Replay, replay
from unsilent_bench.traces import Traces, write

from bench.tests.traces_maker import federation
from bench.tests.traces_plan import PLAN
from unsilent.cli import app
from unsilent.errors import InputError

PLANS = {"fleet": PLAN}


def traces(**more: object) -> Traces:
    made = [
        federation(code, dose, seed, **more)  # type: ignore[arg-type]
        for code in ("SF-1", "SF-6")
        for dose in ("none", "strong")
        for seed in (1, 2)
    ]
    return Traces(tuple(made), "here")


@pytest.fixture(scope="module")
def found() -> Replay:
    return replay(traces(), plans=PLANS, epsilons=(None, 2.0))


def test_every_method_has_a_row_in_every_cell(found: Replay) -> None:
    cells = {(r.mode, r.dose, r.clients) for r in found.rows}
    assert {("SF-1", "strong", 128), ("SF-6", "none", 128), ("all", "none", 128)} <= cells
    here = [r for r in found.rows if (r.mode, r.dose) == ("SF-1", "strong")]
    expected = [
        (m.name, e, "client") for m in METHODS for e in ((None, 2.0) if m.private else (None,))
    ]
    # Ours also by who is protected: a record, and nobody.
    expected += [("unsilent", 2.0, "record"), ("unsilent", None, "none")]
    assert [(r.method, r.epsilon, r.unit) for r in here] == expected


def test_a_row_says_what_was_found_with_its_interval_and_its_seeds(found: Replay) -> None:
    (row,) = (
        r.to_json()
        for r in found.rows
        if (r.method, r.mode, r.dose, r.epsilon, r.unit)
        == ("unsilent", "SF-1", "strong", 2.0, "client")
    )
    assert row["tier"] == "fleet"
    assert row["clients"] == 128
    assert row["detection"] == 1.0
    assert row["interval"] == pytest.approx([0.025**0.5, 1.0], abs=1e-6)
    assert row["false_alarms"] == 0.0
    assert row["auc"] == 1.0
    assert row["seeds"] == 2
    assert row["truth"] == pytest.approx(0.25)


def test_the_mean_of_today_hears_nothing_that_is_not_in_it(found: Replay) -> None:
    rows = [r for r in found.rows if r.method == "system-mean" and r.dose == "strong"]
    assert len(rows) == 2
    assert all((r.threshold or "") and (r.detection or 0.0) < 1 for r in rows)


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_draws() -> None:
    few = traces(clients=16)
    usual, again = (replay(few, plans=PLANS, epsilons=(None, 1.0)) for _ in range(2))
    assert json.dumps(again.to_json()) == json.dumps(usual.to_json())
    other = replay(few, plans=PLANS, epsilons=(None, 1.0), seed=2)
    assert json.dumps(other.to_json()["rows"]) != json.dumps(usual.to_json()["rows"])


def test_only_the_chosen_split_and_sizes_are_scored() -> None:
    mixed = Traces(
        (
            *traces(clients=16).federations,
            *traces(clients=12).federations,
            *traces(clients=9, split="development").federations,
        ),
        "here",
    )
    assert {r.clients for r in replay(mixed, plans=PLANS, epsilons=(None,)).rows} == {12, 16}
    only = replay(mixed, plans=PLANS, epsilons=(None,), clients=[12])
    assert {r.clients for r in only.rows} == {12}
    tuned = replay(mixed, plans=PLANS, epsilons=(None,), split="development")
    assert {r.clients for r in tuned.rows} == {9}
    with pytest.raises(InputError, match=r"here: no federation.*Try --split all"):
        replay(mixed, plans=PLANS, clients=[77])
    with pytest.raises(InputError, match="no monitoring plan of the tier 'fleet'"):
        replay(mixed, plans={"lm": PLAN})


def test_private_training_is_compared_by_the_truth() -> None:
    made = [
        federation("SF-1", "strong", seed, clients=12, training=training)
        for training in ("plain", "secure-sum", "dp-sgd:2", "dp-fedavg:0.5")
        for seed in (1, 2, 3)
    ]
    found = replay(Traces(tuple(made), "here"), plans=PLANS, epsilons=(None,))
    order = [each.training for each in found.claim]
    assert order == ["plain", "secure-sum", "dp-fedavg:0.5", "dp-sgd:2"]
    assert all(each.failure == 1.0 and each.seeds == 3 for each in found.claim)
    epsilons = [each.epsilon for each in found.claim]
    assert epsilons == [None, None, pytest.approx(50.127, abs=0.01), 2.0]
    assert found.claim[0].effect == pytest.approx(0.25)
    # Only what was trained plainly is in the table of methods.
    assert {r.federations for r in found.rows if r.mode == "SF-1"} == {3}


def test_a_cause_that_is_a_way_of_training_is_in_the_table() -> None:
    made = [
        federation("SF-1", dose, training="dp-sgd:8", scenario="lost-gradients", clients=12)
        for dose in ("none", "strong")
    ]
    found = replay(Traces(tuple(made), "here"), plans=PLANS, epsilons=(None,))
    assert {(r.scenario, r.main) for r in found.rows if r.mode != "all"} == {
        ("lost-gradients", False)
    }
    assert found.claim == ()


def test_onsets_follow_truth_and_alarm_over_rounds() -> None:
    made = [federation("SF-1", dose, onset=5) for dose in ("none", "strong")]
    (course,) = replay(Traces(tuple(made), "here"), plans=PLANS, epsilons=(8.0,)).onsets
    assert course.truth == pytest.approx([0.0] * 4 + [0.25] * 6)
    assert course.heard[3] == 0.0
    assert course.heard[-1] == 1.0
    assert list(course.heard) == sorted(course.heard)


def test_the_landscape_reads_its_own_row_from_these_rows(found: Replay) -> None:
    cells = own_row([row.to_json() for row in found.rows]).cells
    assert cells["amplified_bias"].rating == "direct"
    assert "2 fresh seeds" in cells["amplified_bias"].evidence
    assert cells["fairness_collapse"].rating == "none"


def test_the_command_prints_the_rows_and_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unsilent_bench.replay.run.shipped_plans", lambda: PLANS)
    write(tmp_path / "traces", traces(clients=16).federations)
    base = ["bench", "replay", "--traces", str(tmp_path / "traces"), "--epsilon", "inf"]
    out = tmp_path / "replay.json"
    done = CliRunner().invoke(app, [*base, "--json", "--out", str(out)])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    assert rows == json.loads(out.read_text())["rows"]
    assert {row["epsilon"] for row in rows} == {None}
    people = CliRunner().invoke(app, base)
    assert "obedience" in people.stdout


def test_what_the_product_refuses_to_run_has_no_rate() -> None:
    made = [federation("SF-1", dose, clients=16) for dose in ("none", "strong")]
    judges = [each for each in METHODS if each.name in ("unsilent", "oracle")]
    found = replay(Traces(tuple(made), "here"), plans=PLANS, epsilons=(8.0, 0.05), methods=judges)
    ours = {(r.epsilon, r.unit) for r in found.rows if r.method == "unsilent"}
    assert {budget for budget, unit in ours if unit == "client"} == {8.0}
    assert {(r.mode, r.dose) for r in found.rows if r.method == "oracle"} == {
        (r.mode, r.dose) for r in found.rows if r.method == "unsilent"
    }
    assert {each.epsilon for each in found.onsets} == {8.0}


def test_who_judges_by_another_plan_than_was_recorded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unsilent_bench.replay.run.shipped_plans", lambda: PLANS)
    made = federation("SF-1", "strong", clients=16)
    told: list[str] = []
    for plan in (made.plan, PLANS["fleet"].digest):
        write(tmp_path / plan[-4:], [replace(made, plan=plan)])
        base = ["bench", "replay", "--traces", str(tmp_path / plan[-4:]), "--epsilon", "inf"]
        done = CliRunner().invoke(app, [*base, "--method", "oracle"])
        assert done.exit_code == 0, done.output
        told.append(done.stderr)
    assert f"1 federations, {made.federation} first, were recorded under another plan" in told[0]
    assert "another plan" not in told[1]


@pytest.mark.parametrize(
    ("odd", "said"),
    [(("--epsilon", "much"), "no budget"), (("--method", "guess"), "Known: unsilent")],
)
def test_a_budget_or_method_that_there_is_not_is_refused(odd: tuple[str, str], said: str) -> None:
    bad = CliRunner().invoke(app, ["bench", "replay", *odd])
    assert isinstance(bad.exception, InputError)
    assert bad.exception.exit_code == 2
    assert said in str(bad.exception)


@pytest.mark.parametrize("chosen", [["unsilent", "oracle"], ["system-mean"]])
def test_those_who_are_asked_say_the_same_alone(
    found: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    monkeypatch.setattr("unsilent_bench.replay.run.shipped_plans", lambda: PLANS)
    write(tmp_path, traces().federations)
    asked = [word for name in chosen for word in ("--method", name)]
    base = ["bench", "replay", "--traces", str(tmp_path), "--epsilon", "inf", "--epsilon", "2"]
    done = CliRunner().invoke(app, [*base, *asked, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert list(said["methods"]) == chosen
    named = [(r.method, r.mode, r.dose, r.epsilon) for r in found.rows if r.method in chosen]
    assert [(r["method"], r["mode"], r["dose"], r["epsilon"]) for r in said["rows"]] == named
    assert bool(said["power"]) == ("unsilent" in chosen)
    out = tmp_path / "bench.html"
    (tmp_path / "replay.json").write_text(done.stdout)
    report = ["bench", "report", "--replay", str(tmp_path / "replay.json"), "--out", str(out)]
    assert CliRunner().invoke(app, report).exit_code == 0
    assert chosen[0] in out.read_text()
