"""What is the same is computed once: tokens, frozen layers, and a reference's scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter, Training
from unsilent.models.causal_lm import CausalLM

Build = Callable[..., CausalLM]
Random = Callable[[CausalLM, int], Adapter]


def counted(target: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts a method's calls in the list's length."""
    method, calls = getattr(target, name), []

    def call(*given: Any, **named: Any) -> Any:
        calls.append(1)
        return method(*given, **named)

    monkeypatch.setattr(target, name, call)
    return calls


def copy_of(items: ItemSet) -> ItemSet:
    return ItemSet(items.name, tuple(Item.from_json(item.to_json()) for item in items))


def test_a_reference_is_scored_once_for_all_rounds(
    lm_of: Build, mixed: ItemSet, random_adapter: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By content: the same items and adapter, read again from the wire, are not scored again."""
    lm = lm_of()
    reference = random_adapter(lm, 1)
    first = lm.score(mixed, reference)
    runs = counted(lm.model.get_decoder(), "forward", monkeypatch)
    again = Adapter(reference.base, {n: t.copy() for n, t in reference.tensors.items()})
    np.testing.assert_array_equal(lm.score(copy_of(mixed), again), first)
    assert not runs
    lm.score(mixed, random_adapter(lm, 2))
    assert runs


def test_a_score_is_not_reused_for_other_items_or_another_adapter(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    base = lm.score(mixed, None)
    assert np.abs(lm.score(mixed, random_adapter(lm, 1)) - base).max() > 0.01
    swapped = [Item("letters", "y", i.choices) if i.id == "letters" else i for i in mixed]
    changed = lm.score(ItemSet(mixed.name, tuple(swapped)), None)
    at = [item.id for item in mixed].index("letters")
    assert np.abs(changed[at] - base[at]).max() > 1e-3
    np.testing.assert_allclose(np.delete(changed, at, 0), np.delete(base, at, 0), atol=1e-5)


def test_many_adapters_tokenize_and_freeze_once(
    lm_of: Build, mixed: ItemSet, random_adapter: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = lm_of()
    encoded = counted(lm, "_encode", monkeypatch)
    frozen = counted(lm.engine, "freeze", monkeypatch)
    for seed in range(4):
        lm.score(mixed, random_adapter(lm, seed))
    assert len(encoded) == 1
    assert len(frozen) == 1


@pytest.mark.parametrize("beginning", ["", "Review: a good book. Sentiment: positive negative "])
def test_items_that_are_asked_again_as_part_of_a_set_freeze_nothing(
    lm_of: Build,
    mixed: ItemSet,
    random_adapter: Random,
    monkeypatch: pytest.MonkeyPatch,
    beginning: str,
) -> None:
    """A canary asks a few items a second time. Those that share more than all do are new rows."""
    whole = ItemSet(
        "whole", tuple(replace(item, prompt=beginning * 8 + item.prompt) for item in mixed)
    )
    lm, adapter = lm_of(layers=(2, 3)), random_adapter(lm_of(layers=(2, 3)), 1)
    expected = lm.score(whole, adapter)
    at = [place for place, item in enumerate(whole) if item.pair is None][:4]
    frozen = counted(lm.engine, "freeze", monkeypatch)
    part = ItemSet("canary", tuple(whole.items[place] for place in at))
    found = lm.score(part, adapter)
    assert bool(frozen) == bool(beginning)
    width = found.shape[1]
    np.testing.assert_allclose(found, expected[at][:, :width], atol=1e-5)
    other = ItemSet("canary", (*part.items[:-1], replace(part.items[-1], prompt="Another text")))
    before = len(frozen)
    lm.score(other, adapter)
    assert len(frozen) == before + 1


def test_records_that_were_trained_on_freeze_nothing_when_they_are_scored(
    lm_of: Build, random_adapter: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever name they are asked by, and whoever trained since."""
    lm = lm_of(layers=(2, 3))
    training = Training(epochs=1, learning_rate=1e-3, batch=4, seed=0)
    for client in range(2):
        records = ItemSet(
            f"client-{client}-train",
            tuple(
                Item(f"r{i}", f"{client}{i} said:", (" positive", " negative"), answer=i % 2)
                for i in range(8)
            ),
        )
        lm.train(lm.new_adapter(0), records, training)
    frozen = counted(lm.engine, "freeze", monkeypatch)
    for client in range(2):
        asked = tuple(
            Item(f"r{i}", f"{client}{i} said:", (" positive", " negative"), answer=i % 2)
            for i in range(0, 8, 2)
        )
        found = lm.score(ItemSet("records", asked), random_adapter(lm, 1))
        assert not frozen
        fresh = lm_of(layers=(2, 3))
        expected = fresh.score(ItemSet("records", asked), random_adapter(fresh, 1))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_training_runs_the_frozen_layers_once(
    lm_of: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six epochs and two clients of one worker: the lower layers see each record once."""
    records = ItemSet(
        "records",
        tuple(
            Item(f"r{i}", f"Review {i}:", (" positive", " negative"), answer=i % 2)
            for i in range(8)
        ),
    )
    lm = lm_of(layers=(2, 3))
    inner: Any = lm.model.get_decoder()
    lowest = counted(inner.layers[0], "forward", monkeypatch)
    highest = counted(inner.layers[3], "forward", monkeypatch)
    training = Training(epochs=6, learning_rate=1e-3, batch=4, seed=0)
    lm.train(lm.new_adapter(0), records, training)
    lm.train(lm.new_adapter(1), records, training)
    assert len(lowest) == 1
    assert len(highest) == 2 * 6 * 2


def test_adapters_leave_nothing_behind(
    lm_of: Build, mixed: ItemSet, random_adapter: Random
) -> None:
    lm = lm_of()
    names = {name for name, _ in lm.model.named_parameters()}
    for seed in range(20):
        lm.score(mixed, random_adapter(lm, seed))
    assert {name for name, _ in lm.model.named_parameters()} == names
    assert sum("lora_A" in name for name in names) == len(lm._slots.parameters) // 2
