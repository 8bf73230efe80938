"""A budget a year: the noise is sized by it, and the client's own book and clock keep it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unsilent.client.observer import Observer, SystemChange
from unsilent.client.sentences import Sentence, sentence_of
from unsilent.errors import PlanError, YearSpentError
from unsilent.inference.delay import courses_of, monthly
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise, epsilon
from unsilent.release.noise import planned_event, sum_sigma
from unsilent.release.promise import scope, years
from unsilent.report.power_report import _notes  # pyright: ignore[reportPrivateUsage]

SYSTEM = SystemChange(-0.1, -0.02)
DAY = 24 * 3600


def plan(rounds: int = 6, year: Any = (2.0, 3), **privacy: Any) -> MonitoringPlan:
    yearly = {} if year is None else {"year": {"epsilon": year[0], "rounds": year[1]}}
    return parse_plan(
        {
            "federation": {"clients": 20, "rounds": rounds},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 8.0, **yearly, **privacy},
        }
    )


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def release(folder: Path, of: MonitoringPlan, number: int, clock: Clock) -> Any:
    observer = Observer(of, "c", folder, noise=SeededNoise(1), run="run", clock=clock)
    made = observer.begin(number)
    if made is None:
        made = observer.release(number, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM)
    return made


def test_the_stricter_of_both_budgets_sizes_the_noise() -> None:
    of = plan()
    price = planned_event(of, 1)
    assert epsilon([price] * 3, 1e-5) == pytest.approx(2.0, rel=1e-3)
    assert epsilon([price] * 3, 1e-5) <= 2.0
    # Years add up: six rounds are two years, and cost more than one of them and less than twice.
    assert 2.0 < epsilon([price] * 6, 1e-5) < 4.0
    # Where the whole budget is the stricter one, it is as if there were no other.
    loose = plan(year=(7.9, 3))
    assert sum_sigma(loose) == sum_sigma(plan(year=None))
    assert sum_sigma(of) > sum_sigma(loose)


def test_both_figures_stand_side_by_side() -> None:
    of = plan()
    (told,) = years(of)
    whole = epsilon([planned_event(of, n) for n in of.monitoring_rounds], 1e-5)
    assert "any 365 days cost a client at most epsilon 2 " in told
    assert f"all 6 rounds of this plan together cost epsilon {whole:.3g}" in told
    assert told in scope(of) and told in _notes(of)
    assert not years(plan(year=None))


def test_a_fourth_round_waits_until_the_first_is_a_year_old(tmp_path: Path) -> None:
    of, clock = plan(), Clock()
    for number in (1, 2, 3):
        release(tmp_path, of, number, clock)
        clock.now += DAY
    # A server that hurries, however often it asks.
    with pytest.raises(YearSpentError, match="over the 2 of a year") as fault:
        release(tmp_path, of, 4, clock)
    with pytest.raises(YearSpentError):
        release(tmp_path, of, 4, clock)
    assert sentence_of(fault.value) is Sentence.YEAR_SPENT and not Sentence.YEAR_SPENT.spent
    clock.now = 1_700_000_000.0 + 365 * DAY - 1
    with pytest.raises(YearSpentError):
        release(tmp_path, of, 4, clock)
    clock.now += 2
    release(tmp_path, of, 4, clock)
    with pytest.raises(YearSpentError):
        release(tmp_path, of, 5, clock)
    # What was released is given out again at any time.
    assert release(tmp_path, of, 4, clock).round == 4


def test_a_clock_that_was_set_back_gives_no_year(tmp_path: Path) -> None:
    of, clock = plan(), Clock()
    for number in (1, 2, 3):
        release(tmp_path, of, number, clock)
    clock.now -= 400 * DAY
    with pytest.raises(YearSpentError):
        release(tmp_path, of, 4, clock)
    # Nor does a release of which the book does not say when it was made.
    clock.now += 1000 * DAY
    (tmp_path / "old").mkdir()
    before = plan(year=None, epsilon=8.0)
    for number in (1, 2, 3):
        release(tmp_path / "old", before, number, clock)
    book = json.loads((tmp_path / "old" / "budget.json").read_text())["releases"]
    assert all("time" not in made for made in book)
    with pytest.raises(YearSpentError):
        release(tmp_path / "old", of, 4, clock)


def test_what_a_plan_may_say_of_a_year() -> None:
    of = plan(year=None)
    assert "year" not in of.to_json()["privacy"] and monthly(of) is None
    assert parse_plan(plan().to_json()) == plan()
    with pytest.raises(PlanError, match="year: it bounds a budget"):
        data = of.to_json()
        data["privacy"] = {"unit": "none", "year": {"epsilon": 1.0, "rounds": 3}}
        parse_plan(data)
    # A point a month, of 52 rounds a year.
    weekly = plan(rounds=260, year=(4.0, 52))
    slow = monthly(weekly)
    assert slow is not None and slow.size * 52 == pytest.approx(0.12)
    assert courses_of(weekly)[0] == slow
