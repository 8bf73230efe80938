"""What ``unsilent plan check`` says: tables, words and JSON."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from unsilent.commands.common import TABLE_WIDTH
from unsilent.errors import PlanError
from unsilent.inference import power_table
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release.secure_sum.parameters import parameters_of
from unsilent.report.power_report import false_alarms, foresee


def plan(**sections: dict[str, object]) -> MonitoringPlan:
    base: dict[str, dict[str, object]] = {
        "federation": {"clients": 40, "rounds": 4},
        "monitor": {"min_cohort": 20},
        "privacy": {"epsilon": 8.0, "aggregation": "plain"},
        "modes": {
            "amplified_bias": {"tolerance": 0.1},
            "fairness_collapse": {"tolerance": 0.05, "clip": 1.0},
        },
    }
    changed = {name: {**base.get(name, {}), **given} for name, given in sections.items()}
    return parse_plan({**base, **changed})


def shown(declared: MonitoringPlan, width: int = 140) -> str:
    out = StringIO()
    Console(file=out, width=width, highlight=False).print(foresee(declared).render())
    return out.getvalue()


def line(text: str, start: str) -> str:
    return next(each for each in text.splitlines() if each.startswith(start))


def test_the_table_is_in_points_and_fits_its_width() -> None:
    declared = plan()
    row = power_table(declared)[0]
    cells = line(shown(declared), "SF-1").split()
    assert cells[3:6] == [
        "10.0",
        f"{100 * row.minimal_detectable_effect:.1f}",
        f"{100 * (0.1 + row.minimal_detectable_effect):.1f}",
    ]
    assert cells[-3:] == ["FAILURE", "or", "HEALTHY"]
    assert f"MDE r. {row.first.round}" in shown(declared)
    narrow = shown(declared, TABLE_WIDTH)
    assert max(map(len, narrow.splitlines())) <= TABLE_WIDTH == 100
    assert "…" not in narrow
    assert " ".join(cells[3:6]) in " ".join(line(narrow, "SF-1").split())


def test_a_single_monitoring_round_has_no_column_for_the_first() -> None:
    text = shown(plan(monitor={"rounds": [4]}))
    assert "MDE" in text
    # Nor does the caption speak of one.
    assert "r. " not in line(text, "mode")
    assert "MDE r." not in text


def test_delays_name_their_onset_and_their_failures() -> None:
    text = " ".join(shown(plan()).split())
    assert "a failure that begins in round 3" in text
    assert "step step rounds until FAILURE +0.5/round +1/round +2/round +1 tol. +2 tol." in text


def test_a_verdict_out_of_reach_comes_with_what_would_bring_it_back() -> None:
    seen = foresee(plan())
    share = next(each for each in seen.advice if each.code == "SF-3")
    assert share.verdict == "healthy"
    assert share.cheapest is not None
    text = shown(plan())
    cells = line(text, "HEALTHY SF-3").split()
    assert str(share.alone.clients) in cells
    assert share.cheapest.words() in " ".join(cells)
    assert "never reach" not in shown(
        plan(modes={"fairness_collapse": {"tolerance": 0.5, "clip": 1}})
    )


def test_false_alarms_are_the_plans_alpha_in_words() -> None:
    found = false_alarms(plan(monitor={"alpha": 0.1}))
    # A verdict can be false one way alone, so that either kind may have all of it.
    assert found["failure"] == found["healthy"] == pytest.approx(0.1)
    assert found["rounds"] == 4
    # Once a year: one in 10 years; monthly: 1 - 0.9^12.
    assert "one in 10 years" in found["meaning"]
    assert "72%" in found["meaning"]
    assert "all 4 monitoring rounds" in found["meaning"]


def test_open_ended_monitoring_errs_no_more_often_in_ten_years() -> None:
    found = false_alarms(plan(monitor={"control": "open-ended"}))
    assert found["rounds"] is None
    assert "all rounds there will ever be" in found["meaning"]


def test_json_has_all_of_it() -> None:
    declared = plan()
    data = json.loads(json.dumps(foresee(declared).to_json(), allow_nan=False))
    assert data["plan"] == declared.digest
    assert [row["view"] for row in data["modes"]] == ["client_public", "client_private"]
    assert data["modes"][0]["first"]["round"] == 1
    assert {delay["course"]["kind"] for delay in data["delays"]} == {"drift", "step"}
    assert data["advice"][0]["verdict"] == "healthy"
    assert data["false_alarms"]["alpha"] == 0.05
    assert data["secure_sum"] is None


def test_the_secure_sums_parameters_are_named() -> None:
    masked = plan(privacy={"aggregation": "secure-sum", "dropout": 0.1, "collusion": 0.1})
    found = parameters_of(masked)
    text = " ".join(shown(masked).split())
    assert f"Secure sum: 40 clients with {found.degree} neighbours each" in text
    assert f"{found.threshold} shares give a secret" in text
    assert foresee(masked).to_json()["secure_sum"]["threshold"] == found.threshold


def test_an_impossible_secure_sum_is_refused_with_the_nearest_plan() -> None:
    with pytest.raises(PlanError, match="no secure sum") as caught:
        foresee(plan(privacy={"aggregation": "secure-sum", "dropout": 0.4, "collusion": 0.4}))
    assert caught.value.remedy


def test_it_says_how_many_probes_would_be_enough() -> None:
    declared = plan(probes={"items": 20})
    # sd 0.3 over items: 0.3 / sqrt(n) <= 0.25 * 0.1 at n = 144; the other mode asks no probes.
    found = foresee(declared).to_json()["probes"]
    assert found == {
        "items": 20,
        "sampling": "matrix",
        "enough": {"SF-1": 144},
        "held": {},
        "banks": {"bias": {"asked": 20, "bank": 784, "held": None}},
    }
    assert "from so many units on: SF-1 144." in " ".join(shown(declared).split())
    alike = plan(probes={"items": 20, "sampling": "same"})
    assert "20 of each set are asked" in " ".join(shown(alike).split())
    assert "from so many on: SF-1 144." in " ".join(shown(alike).split())


@pytest.mark.parametrize(
    ("gate", "codes"),
    [
        ({"action": "hold"}, ("SF-3",)),
        ({"action": "hold", "modes": ["amplified_bias"]}, ()),
        ({"action": "hold", "undetermined": "promote"}, ()),
        ({"action": "observe"}, ()),
    ],
)
def test_a_gate_that_waits_for_a_verdict_out_of_reach(
    gate: dict[str, object], codes: tuple[str, ...]
) -> None:
    declared = plan(gate=gate)
    assert foresee(declared).never_promotes_for == codes
    assert ("would promote nothing" in shown(declared)) == bool(codes)


def performing(records: int, **gate: object) -> MonitoringPlan:
    table = {
        "count": records,
        "classes": ["positive", "negative"],
        "groups": ["A", "B"],
        "statistics": {
            "sens": {"statistic": "sensitivity", "of": "positive", "by": "group", "tolerance": 0.1}
        },
    }
    federation: dict[str, object] = {"held_out": records}
    return plan(performance=table, federation=federation, privacy={"unit": "record"}, gate=gate)


def test_statistics_are_told_with_what_they_cost() -> None:
    declared = performing(40)
    seen = foresee(declared)
    found = json.loads(json.dumps(seen.to_json(), allow_nan=False))["statistics"]
    assert [row["key"] for row in found["rows"]] == ["sens/A", "sens/B"]
    # 40 clients with 40 records each, of two classes and two groups.
    assert found["rows"][0]["support"] == 400
    text = " ".join(shown(declared, 100).split())
    assert f"{found['rows'][0]['healthy_needs']:,}" in text
    assert "all statistics of performance" in text
    without = foresee(declared.model_copy(update={"performance": None})).rows
    told = found["modes_without"]
    assert {row.code: row.half_width for row in without} == {
        code: each["half_width"] for code, each in told.items()
    }
    for row in seen.rows:
        # Their part of the error, and of the clip.
        assert row.half_width > told[row.code]["half_width"]
    assert foresee(plan()).to_json()["statistics"] is None


def test_a_gate_that_waits_for_a_statistic_out_of_reach() -> None:
    counted: dict[str, object] = {"modes": ["amplified_bias"], "statistics": ["sens"]}
    many = performing(200, action="hold", **counted)
    assert foresee(many).never_promotes_for == ()
    few = performing(8, action="hold", **counted)
    assert foresee(few).never_promotes_for == ("sens/A", "sens/B")
    assert "waits for HEALTHY in sens/A, sens/B" in " ".join(shown(few).split())
