"""Bias benchmarks are for probing: no model of ours trains on a set that still has such a name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from unsilent.errors import PlanError
from unsilent.items import Item, ItemSet
from unsilent.models.base import Training
from unsilent.models.causal_lm import CausalLM

RECORD = Item("1", "the movie was", (" good", " bad"), answer=0)
ONCE = Training(1, 1e-3, 1, 0)


@pytest.mark.parametrize("name", ["bbq", "crows_pairs", "stereoset"])
def test_a_bias_benchmark_is_refused_before_anything_is_trained(
    name: str, lm_of: Callable[..., CausalLM]
) -> None:
    lm = lm_of()
    start = lm.new_adapter(0)
    for train in (lm.train, lm.teach):
        with pytest.raises(PlanError, match="not for training"):
            train(start, ItemSet(name, (RECORD,)), ONCE)
    train_allowed, _ = lm.train(start, ItemSet("boolq", (RECORD,)), ONCE)
    assert train_allowed.digest != start.digest
