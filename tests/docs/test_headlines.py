"""The README's rates are those of the shipped replay, each of them computed here anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from unsilent_bench.page.missed import Apart, apart
from unsilent_bench.page.shares import share, span

from tests.docs.blocks import ROOT

Row = dict[str, Any]


@pytest.fixture(scope="module")
def readme() -> str:
    return " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def every() -> list[Row]:
    return json.loads((ROOT / "bench" / "traces" / "replay.json").read_text())["rows"]


def chosen(rows: list[Row], **wanted: Any) -> list[Row]:
    wanted = {"method": "unsilent", "personalization": "fine-tune", "main": True, **wanted}
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    found = [row for row in found if row["mode"] != "all"]
    assert sorted(row["mode"] for row in found) == [f"SF-{number}" for number in range(1, 7)]
    return found


def between(rows: list[Row], name: str = "detection") -> str:
    """The least and the most, as the README says them."""
    low, high = (share(pick(row[name] for row in rows)) for pick in (min, max))
    return f"{low.removesuffix('%')} to {high}"


def fleet(rows: list[Row], dose: str, epsilon: float) -> list[Row]:
    return chosen(rows, tier="fleet", unit="client", clients=128, dose=dose, epsilon=epsilon)


def test_main_causes_by_dose_and_budget(readme: str, every: list[Row]) -> None:
    strong = [*fleet(every, "strong", 8.0), *fleet(every, "medium", 8.0)]
    assert f"strong and medium doses in {between(strong)} of the runs at epsilon 8" in readme
    assert f"medium ones in {between(fleet(every, 'medium', 2.0))} at epsilon 2" in readme
    assert f"mild ones in {between(fleet(every, 'mild', 8.0))} at epsilon 8" in readme


def test_health_and_errors(readme: str, every: list[Row]) -> None:
    for epsilon, words in ((8.0, "of the healthy look-alikes at epsilon 8"), (2.0, "at epsilon 2")):
        assert f"{between(fleet(every, 'none', epsilon), 'healthy')} {words}" in readme
    pooled = [
        row
        for row in every
        if (row["method"], row["mode"], row["tier"], row["clients"], row["unit"])
        == ("unsilent", "all", "fleet", 128, "client")
        and row["epsilon"] in (8.0, 2.0)
    ]
    assert {row["epsilon"] for row in pooled} == {8.0, 2.0}
    assert {row["wrong"] for row in pooled} == {0.0}
    assert {row["false_alarms"] for row in pooled if row["dose"] == "none"} == {0.0}
    (wrong,) = {span(row["wrong_interval"]) for row in pooled if row["dose"] == "all"}
    assert f"wrong verdicts are {wrong}%" in readme
    whole = {span(r["interval"]) for r in fleet(every, "strong", 8.0) if r["detection"] == 1.0}
    assert f"each 100% is {whole.pop()}" in readme
    assert not whole


@pytest.fixture(scope="module")
def divided(every: list[Row]) -> dict[float | None, Apart]:
    rows = [row for row in every if row["unit"] == "client"]
    found = [each for each in apart(rows) if (each.tier, each.clients) == ("fleet", 128)]
    return {each.epsilon: each for each in found}


def test_rates_over_all_causes(readme: str, divided: dict[float | None, Apart]) -> None:
    strict, tight = divided[8.0], divided[2.0]
    assert f"Over all {strict.causes} in which there is something to find" in readme
    assert (
        f"found in {share(strict.mean)} of the runs at epsilon 8 and in {share(tight.mean)}"
        in readme
    )
    assert f"In {len(strict.nothing)} more the cause does not raise its mode" in readme


def test_every_miss_is_named_and_nothing_else(
    readme: str, divided: dict[float | None, Apart]
) -> None:
    missed = {
        (each.row["mode"], each.row["scenario"], each.row["personalization"]): share(
            1 - each.row["detection"]
        )
        for each in divided[8.0].missed
    }
    named = {
        ("SF-2", "long-tuning", "fine-tune"): "long tuning inflates (SF-2, in {})",
        ("SF-2", "shift-arrives", "fine-tune"): "a shift that arrives late ({})",
        ("SF-3", "left-out-minority", "fine-tune"): "minority that is left out (SF-3, {})",
        ("SF-1", "group-skew", "ditto"): "(SF-1 and SF-2 in {}",
        ("SF-2", "lopsided-labels", "ditto"): "(SF-1 and SF-2 in {}",
        ("SF-6", "obedience", "ditto"): "SF-6 in {})",
        ("SF-5", "one-sided-homes", "local"): "SF-5 where clients share nothing ({})",
    }
    assert set(missed) == set(named)
    for cell, words in named.items():
        assert words.format(missed[cell]) in readme


def test_the_language_models_rates(readme: str, every: list[Row]) -> None:
    def cells(clients: int, epsilon: float | None, unit: str, dose: str) -> list[Row]:
        return chosen(every, tier="lm", clients=clients, epsilon=epsilon, unit=unit, dose=dose)

    strong, health = (cells(16, 8.0, "client", dose) for dose in ("strong", "none"))
    assert f"found in {between(strong)} of the runs at epsilon 8" in readme
    assert f"health is shown in {between(health, 'healthy')}" in readme
    assert {row["detection"] for row in cells(5, None, "none", "strong")} == {1.0}
    five = between(cells(5, None, "none", "none"), "healthy")
    assert f"with five sites and no noise in all, and in {five}" in readme


def test_what_todays_metrics_find(readme: str, every: list[Row]) -> None:
    today = chosen(
        every, method="system-mean", tier="fleet", clients=128, dose="strong", unit="client"
    )
    rates = {row["mode"]: row["detection"] for row in today}
    assert rates.pop("SF-3") == 1.0
    assert rates["SF-1"] == 0.0
    words = f"always find SF-3, the other modes in 0 to {share(max(rates.values()))}, bias never"
    assert words in readme
