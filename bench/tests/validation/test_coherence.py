"""Coherence: own answers against shuffled words and against answers to other requests."""

from __future__ import annotations

import numpy as np
import pytest
from unsilent_bench.validation.coherence import Coherence, coherence_items, read_coherence

from unsilent.errors import ItemError

REQUESTS = [f"Request number {i}?" for i in range(12)]
ANSWERS = [f"word{i} is told about thing{i} in seven words" for i in range(12)]


def test_choices_of_an_item_are_equally_long_and_of_the_right_kind() -> None:
    items = coherence_items(REQUESTS, [*ANSWERS[:-1], "this last one has six words"])
    assert len(items) == 12
    for item in items:
        own, shuffled, *others = item.choices
        assert len({len(choice.split()) for choice in item.choices}) == 1
        assert own != shuffled and sorted(own.split()) == sorted(shuffled.split())
        assert len(others) == 3 and own not in others
        assert item.chat


def test_short_answers_and_repeats_are_left_out() -> None:
    answers = ["too short", ANSWERS[3], *ANSWERS[2:]]
    kept = {item.prompt for item in coherence_items(REQUESTS, answers)}
    assert kept == set(REQUESTS) - {REQUESTS[0], REQUESTS[3]}
    with pytest.raises(ItemError, match="7 usable answers"):
        coherence_items(REQUESTS[:7], ANSWERS[:7])


def test_margin_and_relevance_by_hand() -> None:
    items = coherence_items(REQUESTS, ANSWERS)
    words = len(items.items[0].choices[0].split())
    table = np.tile(np.array([-8.0, -24.0, -16.0, -16.0, -16.0]), (12, 1))
    table[:3, 4] = -4.0
    found = read_coherence(items, table)
    assert found.margin == pytest.approx(16.0 / words)
    assert found.relevance == pytest.approx(9 / 12)


def test_what_keeps_two_thirds_above_chance_is_coherent() -> None:
    start = Coherence(3.0, 0.85, 60)
    assert not Coherence(2.01, 0.66, 60).flagged(start)
    assert Coherence(1.99, 0.85, 60).flagged(start)
    assert Coherence(3.0, 0.64, 60).flagged(start)
