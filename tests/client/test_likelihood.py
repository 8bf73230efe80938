"""A plan's word for how choices are compared reaches the app's score, or the client says no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.client.functions import Functions, Rows
from unsilent.client.participant import answer
from unsilent.client.sentences import LOG, Sentence
from unsilent.client.site import Site
from unsilent.items import Item, ItemSet, write_items
from unsilent.messages import ADAPTER, OBSERVE, Arrays, Order
from unsilent.plan import MonitoringPlan, parse_plan

ARRAYS = {"a": np.zeros(2, np.float32)}


def plan(folder: Path, likelihood: str) -> MonitoringPlan:
    probes = [
        Item(f"p{n}", f"{n}", (" no", " yes"), answer=n % 2, domain="ab"[n // 2 % 2])
        for n in range(16)
    ]
    write_items(folder / "probes.jsonl", probes)
    return parse_plan(
        {
            "model": {"likelihood": likelihood},
            "federation": {"clients": 4, "rounds": 1},
            "monitor": {"min_cohort": 2, "timeout": 20.0},
            "privacy": {"aggregation": "plain"},
            "modes": {"confidence_miscalibration": {"tolerance": 0.2, "clip": 0.6}},
            "probes": {"task": str(folder / "probes.jsonl"), "items": 12},
        }
    )


def score(items: ItemSet, arrays: Arrays | None) -> Rows:
    return [[0.5, 0.5] for _ in items]


def asked(folder: Path, likelihood: str, **more: Any) -> tuple[str, str]:
    declared = plan(folder, likelihood)
    store = folder / "own"
    site = Site(0, store, {"plan": declared.digest})
    order = Order(json.dumps(declared.to_json()), "run", 1, {}, {ADAPTER: ARRAYS})
    measure = Functions(score, personalize=lambda arrays: arrays, **more)
    reply = answer(OBSERVE, order, site, measure)
    log = store / LOG
    return reply.failed, log.read_text() if log.is_file() else ""


def test_a_score_with_a_rule_of_its_own_measures_sums_alone(tmp_path: Path) -> None:
    assert asked(tmp_path, "sum") == ("", "")


@pytest.mark.parametrize("word", ["per-character", "per-byte", "per-token"])
def test_under_another_word_it_is_not_asked(word: str, tmp_path: Path) -> None:
    said, log = asked(tmp_path, word)
    assert said == Sentence.UNUSABLE.text
    assert "model.likelihood" in log
    assert word in log


def test_a_score_that_follows_is_told_the_word(tmp_path: Path) -> None:
    told: list[str] = []

    def under(word: str) -> Any:
        told.append(word)
        return score

    assert asked(tmp_path, "per-byte", under=under) == ("", "")
    assert told == ["per-byte"]
