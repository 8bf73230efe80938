"""The last layer for all clients at once: the product's own numbers, in scores and in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from unsilent_bench.lm.last_layer import LastLayer, fits

from tests.models.conftest import tokenizer as tokenizer
from unsilent.items import Item, ItemSet
from unsilent.models import Adapter, Training
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPE: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
WORDS = [
    "the",
    "movie",
    "was",
    "good",
    "and",
    "bad",
    "reviewer",
    "liked",
    "it",
    "not",
    "very",
    "much",
]


def model_of(tokenizer: Any, *, layers: tuple[int, int] = (-1, -1), kind: str = "llama") -> Any:
    torch.manual_seed(0)
    made = (
        LlamaForCausalLM(LlamaConfig(**SHAPE))
        if kind == "llama"
        else Qwen2ForCausalLM(Qwen2Config(**SHAPE))
    )
    plan = AdapterPlan(rank=4, scale=2.0, targets=tuple(ALL), layers=layers)
    return CausalLM(made, tokenizer, weights="sha256:tiny", adapter=plan)


def items(count: int, seed: int, *, chat: bool = False) -> ItemSet:
    """Pairs, choices of several tokens and of unlike number, and prefixes that rows share."""
    random = np.random.default_rng(seed)
    choices = (" positive", " negative", " good book", " bad")
    found = []
    for k in range(count):
        words = " ".join(random.choice(WORDS, 4 + k % 5))
        found.append(
            Item(
                f"i{seed}-{k}",
                f"Review: {words}. Sentiment:",
                choices[: 2 + k % 3],
                k % 2,
                pair=f"p{k // 2}" if k < 4 else None,
                chat=chat,
            )
        )
    return ItemSet("items", tuple(found))


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> CausalLM:
    return model_of(tokenizer)


def moved(model: CausalLM, seed: int) -> Adapter:
    random = np.random.default_rng(seed)
    tensors = model.new_adapter(seed).tensors
    return Adapter(
        model.digest,
        {n: (t + random.normal(0, 0.1, t.shape)).astype(np.float32) for n, t in tensors.items()},
    )


@pytest.mark.parametrize("chat", [False, True])
def test_scores_are_the_models_own(model: CausalLM, chat: bool) -> None:
    asked = items(11, 1, chat=chat)
    last = LastLayer(model)
    for adapter in (None, moved(model, 1), moved(model, 2)):
        assert np.allclose(last.score(asked, adapter), model.score(asked, adapter), atol=1e-5)
    places = np.array([1, 6, 9])
    adapter = moved(model, 3)
    expected = model.score(asked, adapter)[places]
    found = last.some(asked, places, adapter)
    assert np.allclose(found, expected[:, : found.shape[1]], atol=1e-5)


def test_adapters_trained_side_by_side_are_those_trained_alone(model: CausalLM) -> None:
    start = model.new_adapter(1)
    sets = [items(6 if k < 3 else 5, 10 + k) for k in range(4)]
    hows = [Training(2, 5e-3, 2, seed) for seed in range(4)]
    begun = [start, moved(model, 1), start, start]
    last = LastLayer(model)
    last.ahead(list(zip(begun, sets, hows, strict=True)))
    for begin, records, how in zip(begun, sets, hows, strict=True):
        expected, report = model.train(begin, records, how)
        found, other = last.train(begin, records, how)
        for name, tensor in expected.tensors.items():
            assert np.allclose(found.tensors[name], tensor, atol=2e-4), name
            assert not np.allclose(tensor, begin.tensors[name], atol=2e-3), name
        assert other.loss == pytest.approx(report.loss, rel=1e-3)
        assert other.accuracy == report.accuracy


def test_what_pulls_towards_another_adapter_is_the_models_own_to_train(model: CausalLM) -> None:
    records, begin = items(4, 20), moved(model, 1)
    how = Training(1, 5e-3, 2, 1, pull=1.0, towards=moved(model, 2).tensors)
    found, _ = LastLayer(model).train(begin, records, how)
    expected, _ = model.train(begin, records, how)
    assert all(np.array_equal(found.tensors[n], t) for n, t in expected.tensors.items())


def test_only_a_llama_adapted_in_its_last_layer_fits(model: CausalLM, tokenizer: Any) -> None:
    assert fits(model)
    assert not fits(model_of(tokenizer, layers=(-2, -1)))
    assert not fits(model_of(tokenizer, kind="qwen2"))
    assert not fits(object())
