"""Training with a pull: both kinds add the gradient of the squared distance to that of the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reference.small_encoder import small_encoder
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter, PersonalModel, Training
from unsilent.models.causal_lm import CausalLM

RECORDS = ItemSet(
    "records",
    tuple(
        Item(f"r{i}", f"text {i}", ("positive", "negative"), answer=i % 2, task="sentiment")
        for i in range(8)
    ),
)
USUAL = Training(epochs=30, learning_rate=2e-3, batch=8, seed=1)


@pytest.fixture(params=["encoder", "causal_lm"])
def model(
    request: pytest.FixtureRequest, tmp_path: Path, lm_of: Callable[..., CausalLM]
) -> PersonalModel:
    return small_encoder(tmp_path) if request.param == "encoder" else lm_of()


def away(model: PersonalModel, distance: float) -> Adapter:
    """An adapter at a distance from the start in each number."""
    start = model.new_adapter(0)
    return Adapter(
        start.base, {name: t + np.float32(distance) for name, t in start.tensors.items()}
    )


def furthest(one: Adapter, other: Adapter) -> float:
    return max(float(np.abs(one.tensors[n] - t).max()) for n, t in other.tensors.items())


def test_a_strong_pull_ends_at_the_arrays_it_draws_to(model: PersonalModel) -> None:
    there = away(model, 0.01)
    drawn = replace(USUAL, pull=1e4, towards=there.tensors)
    found, _ = model.train(model.new_adapter(0), RECORDS, drawn)
    plain, _ = model.train(model.new_adapter(0), RECORDS, USUAL)
    # Adam's last steps are as large as the rate, wherever they go.
    assert furthest(found, there) < 2 * USUAL.learning_rate
    assert furthest(plain, there) > 4 * USUAL.learning_rate


def test_no_pull_is_plain_training_to_the_last_bit(model: PersonalModel) -> None:
    drawn = replace(USUAL, pull=0.0, towards=away(model, 0.5).tensors)
    start = model.new_adapter(0)
    found = [model.train(start, RECORDS, how)[0].digest for how in (USUAL, drawn)]
    assert found[0] == found[1]
