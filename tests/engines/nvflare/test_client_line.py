"""A script with its line trains bit for bit as it did, and answers what its owner agreed to."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.nvflare.flare import NAME, FLModel, SiteApi, flare, plan_of, site_api
from unsilent.array_files import ArrayFiles
from unsilent.client.sentences import Sentence
from unsilent.engines.nvflare import monitor_client
from unsilent.engines.nvflare.messages import ANSWERS, TASK, carrying
from unsilent.errors import InputError
from unsilent.messages import ADAPTER, KEYS, OBSERVE, Order
from unsilent.messages import NAME as ASK_NAME
from unsilent.plan import MonitoringPlan
from unsilent.release import Release

SECRET = "the patient wrote: it hurts"


def score(items: Any, params: Any) -> list[list[float]]:
    # Draws as a careless one may; training is not to see it.
    random.random(), np.random.random()
    lean = 0.5 if params is None else 0.5 + float(np.mean(params[NAME])) / 12
    return [[1 - lean, lean] for _ in items]


def order(plan: MonitoringPlan, number: int = 2, **body: Any) -> Order:
    arrays = {ADAPTER: {NAME: np.full(3, 2, np.float32)}}
    return Order(json.dumps(plan.to_json()), "run", number, body, arrays)


def script() -> list[Any]:
    """As FLARE's users write it, drawing at random; what it was given."""
    seen: list[Any] = []
    while flare.is_running():
        given = flare.receive()
        assert given is not None
        seen.append((flare.get_task_name(), given.params[NAME].tolist()))
        moved = {name: v + np.float32(random.random()) for name, v in given.params.items()}
        flare.send(FLModel(params=moved, metrics={"loss": float(np.random.random())}))
    return seen


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteApi]:
    for name in ("STORE", "PLAN", "SIMULATION"):
        monkeypatch.delenv(f"UNSILENT_{name}", raising=False)
    monkeypatch.setenv("UNSILENT_STORE", str(tmp_path / "stores"))
    with site_api() as found:
        yield found


def agreed(plan: MonitoringPlan, monkeypatch: pytest.MonkeyPatch) -> MonitoringPlan:
    monkeypatch.setenv("UNSILENT_PLAN", plan.digest)
    return plan


def served(site: SiteApi, kind: str, asked: Order) -> None:
    """Ask the site; its script goes on until the job ends."""
    site.ask(kind, asked)
    # The next thing that the script hears is that there is nothing more.
    assert flare.receive(timeout=0.0) is None


def test_training_is_what_it_is_without_the_line(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(plan_of(tmp_path, privacy={"epsilon": 60.0, "aggregation": "plain"}), monkeypatch)

    def trained(*tasks: str) -> tuple[list[Any], list[Any]]:
        random.seed(7)
        np.random.seed(7)
        site.sent.clear()
        site.tell_after_each_result(tasks, lambda: site.ask(OBSERVE, order(plan)))
        site.train(1.0, 2.0, 3.0)
        seen = script()
        results = [each for each in site.models() if each.params]
        return seen, [(each.params[NAME].tolist(), each.metrics) for each in results]

    without = trained("train", "stop")
    monitor_client(score, personalize=lambda params: params)
    assert trained("ask", "ask", "train", "ask", "stop") == without
    assert len(without[0]) == 2
    assert len(site.sent) == 5
    # Without it the server does not know whom it may ask; it takes it out again.
    assert [each.meta.get(ANSWERS) for each in site.models() if each.params] == [True, True]


def test_what_a_site_trained_from_and_to_is_kept_in_its_own_folder(
    site: SiteApi, tmp_path: Path
) -> None:
    monitor_client(score)
    site.train(1.0, 2.0, 3.0)
    given = flare.receive()
    assert given is not None
    given.params[NAME] += 9
    flare.send(FLModel(params={NAME: np.array([5.0, 5.0, 5.0], np.float32)}))
    own = tmp_path / "stores" / "site-1"
    assert ArrayFiles().load(own / "start.arrays")[NAME].tolist() == [1, 2, 3]
    assert ArrayFiles().load(own / "local.arrays")[NAME].tolist() == [5, 5, 5]


def test_a_script_that_sends_changes_is_kept_by_what_it_came_to(
    site: SiteApi, tmp_path: Path
) -> None:
    monitor_client(score)
    site.train(1.0, 2.0, 3.0)
    flare.receive()
    flare.send(FLModel(params={NAME: np.ones(3, np.float32)}, params_type="DIFF"))
    own = tmp_path / "stores" / "site-1"
    assert ArrayFiles().load(own / "local.arrays")[NAME].tolist() == [2, 3, 4]


def test_what_is_evaluated_is_not_what_was_trained(site: SiteApi, tmp_path: Path) -> None:
    monitor_client(score)
    site.give("validate", FLModel(params={NAME: np.ones(3, np.float32)}))
    flare.receive()
    flare.send(FLModel(metrics={"loss": 1.0}))
    assert not (tmp_path / "stores").exists()
    assert ANSWERS not in site.models()[-1].meta


def test_a_release_is_made_under_the_agreed_plan_and_under_no_other(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(plan_of(tmp_path, privacy={"epsilon": 60.0, "aggregation": "plain"}), monkeypatch)
    other = plan_of(tmp_path, name="other")
    monitor_client(score, personalize=lambda params: {NAME: params[NAME] + 1})
    served(site, KEYS, order(other, body=b""))
    assert site.answer().failed == Sentence.NOT_AGREED.text
    served(site, OBSERVE, order(plan))
    assert Release.from_bytes(site.answer().sent).round == 2
    served(site, ASK_NAME, order(plan, 0))
    assert set(site.answer().body) == {"client", "identity"}


def test_the_sites_own_word_goes_before_the_scripts(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(plan_of(tmp_path), monkeypatch)
    other = plan_of(tmp_path, name="other")
    monitor_client(score, store=tmp_path / "scripts", settings={"plan": other.digest})
    served(site, ASK_NAME, order(other, 0))
    assert site.answer().failed == Sentence.NOT_AGREED.text
    served(site, ASK_NAME, order(plan, 0))
    assert not site.answer().failed
    assert not (tmp_path / "scripts").exists()


def test_without_a_folder_of_its_own_a_site_answers_nothing(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(plan_of(tmp_path), monkeypatch)
    monkeypatch.delenv("UNSILENT_STORE")
    monitor_client(score)
    served(site, ASK_NAME, order(plan, 0))
    assert site.answer().failed == Sentence.NO_FOLDER.text
    # And trains all the same.
    site.train(1.0)
    assert flare.receive() is not None
    flare.send(FLModel(params={NAME: np.ones(1, np.float32)}))
    assert site.models()[-1].params[NAME].tolist() == [1]


def test_what_a_function_raises_stays_at_the_site(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Without masks: a client whose masks are not ready does not even measure.
    plain = plan_of(tmp_path, privacy={"epsilon": 60.0, "dropout": 0.0, "aggregation": "plain"})
    plan = agreed(plain, monkeypatch)

    def failing(items: Any, params: Any) -> list[list[float]]:
        raise ValueError(SECRET)

    monitor_client(failing, personalize=lambda params: params)
    served(site, OBSERVE, order(plan))
    assert site.answer().failed == Sentence.APP.text
    assert SECRET in (tmp_path / "stores" / "site-1" / "error.log").read_text()
    assert SECRET not in caplog.text


def test_bytes_that_are_no_order_are_answered_too(site: SiteApi) -> None:
    monitor_client(score)
    site.give(TASK, carrying(b"nonsense", OBSERVE))
    assert flare.receive(timeout=0.0) is None
    assert site.answer().failed == Sentence.UNUSABLE.text


def test_an_answer_that_cannot_be_sent_is_no_concern_of_the_script(
    site: SiteApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: Any, clear_cache: bool = True) -> None:
        raise ConnectionError("gone")

    monitor_client(score)
    monkeypatch.setattr(site.api, "send", broken)
    site.give(TASK, carrying(b"nonsense", OBSERVE))
    assert flare.receive(timeout=0.0) is None
    site.train(1.0)
    assert flare.is_running()
    assert flare.get_task_name() == "train"


@pytest.mark.parametrize("transfer", ["FULL", "DIFF"])
@pytest.mark.parametrize("kind", ["numpy", "pytorch"])
def test_questions_go_by_whatever_is_done_with_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transfer: str, kind: str
) -> None:
    monkeypatch.setenv("UNSILENT_STORE", str(tmp_path / "stores"))
    plan = agreed(plan_of(tmp_path), monkeypatch)
    with site_api({"exchange_format": kind, "transfer_type": transfer}) as site:
        monitor_client(score)
        site.train(1.0, 2.0)
        given = flare.receive()
        assert given is not None
        flare.send(FLModel(params={name: value + 1 for name, value in given.params.items()}))
        served(site, ASK_NAME, order(plan, 0))
        assert not site.answer().failed
        own = tmp_path / "stores" / "site-1"
        assert ArrayFiles().load(own / "local.arrays")[NAME].tolist() == [2, 3]


def test_a_rank_that_is_not_the_first_keeps_flares_own(site: SiteApi) -> None:
    context = flare.get_context()
    context.rank = "1"
    monitor_client(score)
    assert context.api is site.api


def test_the_line_comes_after_flares_own(tmp_path: Path) -> None:
    flare.context_dict.clear()
    before, flare.default_context = flare.default_context, None
    try:
        with pytest.raises(InputError, match=r"Call flare\.init\(\) before"):
            monitor_client(score)
    finally:
        flare.default_context = before
