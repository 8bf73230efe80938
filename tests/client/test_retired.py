"""A client that left for good answers nobody, and coming back brings it no fresh budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.sites import Federation
from unsilent.client.limit import LimitFile
from unsilent.client.observer import Observer, SystemChange
from unsilent.client.participant import answer
from unsilent.client.retired import RETIRED_FILE, retire
from unsilent.client.sentences import Sentence, sentence_of
from unsilent.client.site import Site
from unsilent.errors import BudgetError, BudgetSpentError, InputError, OtherRunError, RetiredError
from unsilent.messages import MONITORING, Answer, Order
from unsilent.modes.base import Statistic
from unsilent.plan import MonitoringPlan, parse_plan
from unsilent.release import SeededNoise

SYSTEM = SystemChange(-0.1, -0.02)


def plan(name: str = "ward", **more: Any) -> MonitoringPlan:
    return parse_plan(
        {
            "name": name,
            "federation": {"clients": 20, "rounds": 2},
            "modes": {"amplified_bias": {"tolerance": 0.1}},
            "privacy": {"epsilon": 4.0},
            **more,
        }
    )


def release(
    folder: Path, number: int, of: MonitoringPlan | None = None, run: str = "run", name: str = "c-7"
) -> Any:
    observer = Observer(of or plan(), name, folder, noise=SeededNoise(1), run=run)
    made = observer.begin(number)
    if made is None:
        made = observer.release(number, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM)
    return made


def test_it_releases_nothing_more_not_even_what_it_had_released(tmp_path: Path) -> None:
    release(tmp_path, 1)
    assert retire(tmp_path)
    assert not retire(tmp_path)
    for number, of in ((1, plan()), (2, plan()), (1, plan("another"))):
        with pytest.raises(RetiredError) as fault:
            release(tmp_path, number, of)
        assert sentence_of(fault.value) is Sentence.RETIRED
    assert not Sentence.RETIRED.spent
    # Who had begun to measure when it was retired sends nothing either.
    observer = Observer(plan(), "c-7", tmp_path, noise=SeededNoise(1), run="run")
    with pytest.raises(RetiredError):
        observer.release(2, [Statistic("SF-1", 0.1, -1.0, 1.0, 0.02, 50)], SYSTEM)


def test_it_answers_no_order_of_monitoring_and_trains_on(tmp_path: Path) -> None:
    of = plan()
    site = Site(3, tmp_path / "site", {"plan": of.digest})
    order = Order(json.dumps(of.to_json()), "run", 1, {"body": b""})
    assert not answer("name", order, site).failed
    retire(tmp_path / "site")
    for kind in sorted(MONITORING):
        told = answer(kind, order, site, lambda asked: pytest.fail("it was measured"))
        assert told.failed == Sentence.RETIRED.text
        assert not told.body
    trained = answer("train", order, site, more={"train": lambda asked: Answer({"done": 1})})
    assert trained.body == {"done": 1}


@pytest.mark.parametrize("left", ["", "{}", "not json"])
def test_a_file_that_says_nothing_still_retires(left: str, tmp_path: Path) -> None:
    (tmp_path / RETIRED_FILE).write_text(left)
    with pytest.raises(RetiredError):
        release(tmp_path, 1)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        retire(tmp_path / "nobody")


def test_one_that_comes_back_has_what_was_left_and_nothing_fresh(tmp_path: Path) -> None:
    release(tmp_path, 1)
    before = Observer(plan(), "c-7", tmp_path, noise=SeededNoise(1), run="run").spent()
    retire(tmp_path)
    (tmp_path / RETIRED_FILE).unlink()
    release(tmp_path, 2)
    again = Observer(plan(), "c-7", tmp_path, noise=SeededNoise(1), run="run")
    assert again.spent() > before
    limit = LimitFile(tmp_path).read()
    assert limit is not None
    assert limit.epsilon == 4.0
    # The whole is spent: neither another plan nor another run of this one has a budget for it.
    with pytest.raises(BudgetSpentError):
        release(tmp_path, 1, plan("another"))
    with pytest.raises(OtherRunError):
        release(tmp_path, 1, run="begun anew")


def test_a_server_that_admits_it_anew_under_another_name_gets_nothing(tmp_path: Path) -> None:
    release(tmp_path, 1)
    release(tmp_path, 2)
    for name, of in (("c-8", plan("another")), ("c-8", plan()), ("client", plan("third"))):
        with pytest.raises(BudgetError, match="belongs to another client"):
            release(tmp_path, 1, of, "begun anew", name)
    # A larger budget that a later plan declares is not the client's limit.
    richer = plan("richer", privacy={"epsilon": 40.0})
    with pytest.raises(BudgetSpentError):
        release(tmp_path, 1, richer)


def test_the_round_goes_on_without_it(tmp_path: Path) -> None:
    of = plan(
        federation={"clients": 12, "rounds": 2},
        monitor={"min_cohort": 4, "timeout": 5},
        privacy={"epsilon": 500.0, "dropout": 0.1},
    )
    found = Federation(of, tmp_path)
    assert found.observe(1)
    retire(tmp_path / "site-4")
    assert found.observe(2)
    assert Sentence.RETIRED.text in found.sites.told
    assert found.monitor.findings().clients == 11
