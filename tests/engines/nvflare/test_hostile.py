"""A server that lies in FLARE's messages, a script that dies at a stage: nothing private goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.nvflare.flare import (
    NAME,
    FLModel,
    FLModelUtils,
    SiteApi,
    flare,
    plan_of,
    site_api,
)
from unsilent.client.sentences import Sentence
from unsilent.engines.nvflare import monitor_client
from unsilent.engines.nvflare.messages import BODY, KIND, TASK
from unsilent.messages import ADAPTER, MASKS, OBSERVE, Order
from unsilent.messages import NAME as ASK_NAME
from unsilent.plan import MonitoringPlan

SECRET = "the patient wrote: it hurts"
SENTENCES = {each.text for each in Sentence}
PLAIN = {"epsilon": 60.0, "dropout": 0.0, "aggregation": "plain"}


class Score:
    """Counts how often it is asked, and dies when it is told to."""

    def __init__(self) -> None:
        self.calls, self.dies = 0, False

    def __call__(self, items: Any, params: Any) -> list[list[float]]:
        self.calls += 1
        if self.dies:
            raise SystemExit(1)
        lean = 0.5 if params is None else 0.5 + float(np.mean(params[NAME])) / 12
        return [[1 - lean, lean] for _ in items]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteApi]:
    monkeypatch.delenv("UNSILENT_SIMULATION", raising=False)
    monkeypatch.setenv("UNSILENT_STORE", str(tmp_path / "stores"))
    with site_api() as found:
        yield found


def agreed(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> MonitoringPlan:
    plan = plan_of(folder, **changes)
    monkeypatch.setenv("UNSILENT_PLAN", plan.digest)
    return plan


def order(plan: MonitoringPlan, run: str = "run", value: float = 2, **body: Any) -> Order:
    arrays = {ADAPTER: {NAME: np.full(3, value, np.float32)}}
    return Order(json.dumps(plan.to_json()), run, 2, body, arrays)


def asked(site: SiteApi, kind: str, order: Order) -> Any:
    """The answer to an order, the script going on."""
    site.ask(kind, order)
    assert flare.receive(timeout=0.0) is None
    return site.answer()


def trains_on(site: SiteApi) -> None:
    site.train(1.0)
    assert flare.is_running() and flare.get_task_name() == "train"
    assert flare.receive() is not None
    flare.send(FLModel(params={NAME: np.ones(1, np.float32)}))
    assert site.models()[-1].params[NAME].tolist() == [1]


BODIES = [b"", b"\x00" * 64, b"nonsense", "text", 7, ["a"], {"a": 1}, bytearray(b"x" * 4096)]


@pytest.mark.parametrize("task", [TASK, "train", "validate"])
@pytest.mark.parametrize("kind", ["", OBSERVE, "train", "../../etc/passwd", 7, b"\xff", None])
def test_what_is_no_order_is_a_sentence_whatever_task_it_comes_as(
    site: SiteApi, task: str, kind: Any
) -> None:
    monitor_client(Score())
    for body in BODIES:
        site.give(task, FLModel(metrics={TASK: 1.0}, meta={KIND: kind, BODY: body}))
        assert flare.receive(timeout=0.0) is None
        assert site.answer().failed in SENTENCES
    trains_on(site)


@pytest.mark.parametrize("kind", ["query.unsilent_none", "train", SECRET, *sorted(MASKS)])
def test_a_question_of_no_kind_or_with_anothers_bytes_is_a_sentence(
    site: SiteApi, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(tmp_path, monkeypatch)
    score = Score()
    monitor_client(score, personalize=lambda params: params)
    for body in (b"\x01" * 40, "text", 7, None):
        answer = asked(site, kind, order(plan, body=body))
        # An advert is asked for without bytes of anybody's: it holds public keys alone.
        assert answer.failed in SENTENCES or kind.endswith("keys")
        assert SECRET not in str(answer)
    assert score.calls == 0
    trains_on(site)


def test_an_order_that_is_replayed_is_answered_by_what_was_released(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(tmp_path, monkeypatch, privacy=PLAIN)
    score = Score()
    monitor_client(score, personalize=lambda params: params)
    first = asked(site, OBSERVE, order(plan))
    calls = score.calls
    # Other noise or another adapter would be a second look at the same clients.
    again = [asked(site, OBSERVE, order(plan, value=value)) for value in (2, 5)]
    assert [each.sent for each in again] == [first.sent] * 2
    assert score.calls == calls
    assert asked(site, OBSERVE, order(plan, run="another")).failed == Sentence.OTHER_RUN.text
    spent = json.loads((tmp_path / "stores" / "site-1" / "budget.json").read_text())
    assert len(spent["releases"]) == 1


def test_a_plan_that_is_swapped_between_two_questions_is_not_answered(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(tmp_path, monkeypatch, privacy=PLAIN)
    weaker = plan_of(tmp_path, privacy={**PLAIN, "epsilon": 6000.0})
    score = Score()
    monitor_client(score, personalize=lambda params: params)
    assert not asked(site, ASK_NAME, order(plan)).failed
    assert asked(site, OBSERVE, order(weaker)).failed == Sentence.NOT_AGREED.text
    assert score.calls == 0


def test_a_score_that_ends_the_script_costs_its_answer_and_releases_once_later(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(tmp_path, monkeypatch, privacy=PLAIN)
    score = Score()
    monitor_client(score, personalize=lambda params: params)
    score.dies = True
    assert asked(site, OBSERVE, order(plan)).failed == Sentence.APP.text
    trains_on(site)
    score.dies = False
    # FLARE may start the script again for each task.
    monitor_client(score, personalize=lambda params: params)
    assert asked(site, OBSERVE, order(plan)).sent
    own = tmp_path / "stores" / "site-1"
    assert len(json.loads((own / "budget.json").read_text())["releases"]) == 1


def test_a_script_that_died_before_it_sent_sends_the_same_when_it_is_asked_again(
    site: SiteApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = agreed(tmp_path, monkeypatch, privacy=PLAIN)
    score, held = Score(), list[Any]()
    monitor_client(score, personalize=lambda params: params)

    def dies(model: Any, clear_cache: bool = True) -> None:
        held.append(model)
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(site.api, "send", dies)
        site.ask(OBSERVE, order(plan))
        with pytest.raises(SystemExit):
            flare.receive(timeout=0.0)
    calls = score.calls
    monitor_client(score, personalize=lambda params: params)
    answer = asked(site, OBSERVE, order(plan))
    site.sent.append(FLModelUtils.to_shareable(held[0]))
    assert site.answer().sent == answer.sent
    assert score.calls == calls
