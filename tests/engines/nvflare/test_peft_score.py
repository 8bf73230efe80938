"""FLARE's ``PeftScore`` is the shared one, whose ``load_model`` is called with nothing.

What it scores and refuses is tested where Flower's is: ``tests/engines/flower/test_peft_score.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from unsilent.engines.nvflare.peft_score import PeftScore
from unsilent.items import Item, ItemSet
from unsilent.models import peft_scoring

ITEMS = ItemSet("items", (Item("a", "the film was", (" good", " bad")),))


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    seen: list[Any] = []

    def proven(load: Any, adapter: str | None, loaded: Any) -> Any:
        model = SimpleNamespace(
            digest="d",
            likelihood="",
            score=lambda items, given: seen.append((loaded, adapter, model.likelihood, given)),
        )
        slots = SimpleNamespace(check=lambda: None, named=dict, unchanged=nullcontext)
        base = SimpleNamespace(check=lambda: None, stands=True)
        return peft_scoring.Resident(load, adapter, loaded, slots, base, model)  # type: ignore[arg-type]

    monkeypatch.setattr(peft_scoring, "proven", proven)
    peft_scoring.held.clear()
    yield seen
    peft_scoring.held.clear()


def test_a_model_is_loaded_once_and_scored_by_the_plans_word(scored: list[Any]) -> None:
    loads: list[int] = []

    def load() -> tuple[str, str]:
        loads.append(1)
        return "model", "tokenizer"

    score = PeftScore(load, adapter="mine")
    score(ITEMS, None)
    score.under("per-token")(ITEMS, {"w": np.ones(2)})
    assert loads == [1]
    (first, second) = scored
    assert first == (("model", "tokenizer"), "mine", "sum", None)
    assert second[:3] == (("model", "tokenizer"), "mine", "per-token")
    assert second[3].tensors["w"].tolist() == [1, 1]
