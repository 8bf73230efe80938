"""What fails of the evidence that a model acts costs the evidence, and never the round."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsilent.client.functions import Functions, Rows
from unsilent.client.own_statistics import read_own
from unsilent.client.participant import Agreed, answer
from unsilent.client.site import Site
from unsilent.items import Item, ItemSet, write_items
from unsilent.messages import ADAPTER, OBSERVE, Arrays, Order
from unsilent.plan import MonitoringPlan, parse_plan

AGGREGATED = {"w": np.zeros(2)}
BASE = f"sha256:{'0' * 64}"


def plan(folder: Path, **model: Any) -> MonitoringPlan:
    probes = [Item(f"p{n}", f"{n}", (" no", " yes"), stereotyped=1) for n in range(16)]
    write_items(folder / "bias.jsonl", probes)
    return parse_plan(
        {
            "model": model,
            "federation": {"clients": 4, "rounds": 1},
            "monitor": {"min_cohort": 2, "timeout": 20.0},
            "privacy": {"aggregation": "plain"},
            "modes": {"amplified_bias": {"tolerance": 0.1, "clip": 0.3}},
            "probes": {"bias": str(folder / "bias.jsonl"), "items": 12},
        }
    )


def score(items: ItemSet, arrays: Arrays | None) -> Rows:
    high = 1 / (1 + np.exp(0.0 if arrays is None else -float(arrays["w"].sum())))
    return [[1 - high, high] for _ in items]


def measured(folder: Path, declared: MonitoringPlan, **more: Any) -> tuple[float, bool]:
    """What a client says of its model, which answers whatever fails."""
    site = Site(0, folder / "own", {"plan": declared.digest})
    order = Order(json.dumps(declared.to_json()), "run", 1, {}, {ADAPTER: AGGREGATED})
    found: list[tuple[float, bool]] = []
    functions = Functions(score, personalize=lambda arrays: {"w": arrays["w"] + 0.2}, **more)

    def measure(asked: Agreed) -> Any:
        made = functions(asked)
        found.append((made.model.unshown, made.model.differing))
        return made

    assert answer(OBSERVE, order, site, measure).failed == ""
    return found[0]


def twice() -> Iterable[Item]:
    return [Item("same", "x", (" no", " yes"), answer=1)] * 9


def broken() -> Any:
    raise OSError("the disk that held patient 17")


@pytest.mark.parametrize("trained_on", [twice, broken])
def test_training_records_that_cannot_be_had_show_nothing(trained_on: Any, tmp_path: Path) -> None:
    assert measured(tmp_path, plan(tmp_path), trained_on=trained_on) == (1.0, False)
    notes = read_own(tmp_path / "own")[0].model
    assert "trained_on function failed" in notes[0]
    assert "17" not in "".join(notes)


def test_a_client_without_training_records_is_asked_all_else(tmp_path: Path) -> None:
    assert measured(tmp_path, plan(tmp_path), trained_on=list) == (0.0, False)


def test_hashes_that_cannot_be_told_are_others(tmp_path: Path) -> None:
    declared = plan(tmp_path, expect={"base": BASE})
    assert measured(tmp_path, declared, hashes=broken) == (0.0, True)
