"""A text is read alike whatever stands beside it, or its item is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unsilent.errors import ItemError
from unsilent.items import Item, ItemSet
from unsilent.models.causal_lm import CausalLM
from unsilent.models.positions import steady_length
from unsilent.plan import AdapterPlan

LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [3.0] * 4,
    "original_max_position_embeddings": 40,
}


def lm(tiny: Callable[..., Any], tokenizer: Any) -> CausalLM:
    config = LlamaConfig(**{**tiny().config.to_dict(), "rope_parameters": LONG})
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    plan = AdapterPlan(rank=2, targets=("q_proj",), layers=(1, 3))
    return CausalLM(model, tokenizer, weights="long", adapter=plan)


def test_an_item_that_would_change_those_beside_it_is_refused_by_name(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    model = lm(tiny, tokenizer)
    short = Item("short", "the movie was", (" good", " bad"))
    long = Item("long", "xyz " * 30, (" good", " bad"))
    alone = model.log_likelihoods(ItemSet("one", (short,)), None)
    more = ItemSet("two", (short, Item("other", "the movie was not", (" good", " bad"))))
    np.testing.assert_allclose(model.log_likelihoods(more, None)[:1], alone, atol=1e-5)
    with pytest.raises(ItemError, match="beyond 40 tokens") as caught:
        model.log_likelihoods(ItemSet("three", (short, long)), None)
    assert caught.value.where == "item long"


def test_other_frequencies_ask_for_no_length(tiny: Callable[..., Any]) -> None:
    assert steady_length(tiny().config) is None
    assert steady_length(LlamaConfig(rope_parameters=LONG)) == 40
