"""Whether measuring fails depends on private data, and a server chooses what is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, RecordDict
from flwr.clientapp import ClientApp

from tests.engines.flower import wire as messages
from tests.engines.flower.in_process import enter_run
from unsilent.client.sentences import Sentence
from unsilent.client.tries import MOST_TRIES
from unsilent.engines.flower.arrays import save_arrays
from unsilent.flower import monitor_client
from unsilent.items import Item, ItemSet
from unsilent.plan import parse_plan

SECRET = 0.7312
PLAN = parse_plan(
    {
        "federation": {"clients": 4, "rounds": 2},
        "monitor": {"min_cohort": 2, "rounds": [1]},
        "privacy": {"aggregation": "plain"},
        "modes": {"fairness_collapse": {"tolerance": 0.1, "clip": 0.4}},
    }
)


class App:
    """Scores by one weight in single precision: a large product overflows to no probability."""

    def __init__(self) -> None:
        self.scored = 0

    def records(self, context: Context) -> list[Item]:
        values = [SECRET, *[0.01] * 23]
        return [Item(f"r{n}", str(v), (" a", " b"), answer=0) for n, v in enumerate(values)]

    def score(self, items: ItemSet, arrays: ArrayRecord | None, context: Context) -> Any:
        self.scored += 1
        weight = np.float32(0) if arrays is None else next(iter(arrays.values())).numpy()[0]
        rows = []
        for item in items:
            with np.errstate(all="ignore"):
                logits = np.array([weight * np.float32(item.prompt) * np.float32(100), 0])
                odds = np.exp(logits - logits.max())
                rows.append(odds / odds.sum())
        return rows


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    enter_run(monkeypatch)
    return App()


def asked(app: App, store: Path, above: float, number: int = 1) -> str:
    """The sentence that comes back where measuring fails if a record's value is above this."""
    for name in ("start", "local"):
        save_arrays(store / f"{name}.arrays", ArrayRecord([np.zeros(1, np.float32)]))
    client = monitor_client(
        ClientApp(), app.score, records=app.records, personalize=lambda arrays, context: arrays
    )
    weight = np.array([np.finfo(np.float32).max / (100 * above)], np.float32)
    arrays = ArrayRecord({"a": Array(weight)})
    order = {"plan": json.dumps(PLAN.to_json()), "run": "r"}
    node = {"store": str(store), "partition-id": 0, "plan": PLAN.digest}
    question = messages.request(1, messages.OBSERVE, order, number, arrays)
    reply = client(question, Context(1, 1, node, RecordDict(), {}))
    return str(reply.content.config_records[messages.ANSWER].get(messages.FAILED, "released"))


def test_a_server_cannot_bisect_a_record_by_what_fails(app: App, tmp_path: Path) -> None:
    low, high = 0.02, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if asked(app, tmp_path, middle) == Sentence.NOT_MEASURABLE.text:
            low = middle
        else:
            high = middle
    assert not low < SECRET < high or high - low > 0.2


def test_a_round_is_measured_a_few_times_at_most(app: App, tmp_path: Path) -> None:
    told = [asked(app, tmp_path, 0.5) for _ in range(MOST_TRIES + 2)]
    assert told == [Sentence.NOT_MEASURABLE.text] * MOST_TRIES + [Sentence.BUDGET.text] * 2
    assert "measured 3 times and not released" in (tmp_path / "error.log").read_text()


def test_a_round_that_was_released_is_not_measured_again(app: App, tmp_path: Path) -> None:
    assert asked(app, tmp_path, 0.9) == "released"
    before = app.scored
    assert asked(app, tmp_path, 0.5) == "released"
    assert app.scored == before


def test_a_round_that_is_not_planned_is_not_measured(app: App, tmp_path: Path) -> None:
    assert asked(app, tmp_path, 0.5, number=2) == Sentence.UNUSABLE.text
    assert app.scored == 0
