"""Every family of models gives the numbers of its own forward pass, shared or the plain way."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from unsilent.errors import ModelError
from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter, Training
from unsilent.models.causal_lm import CausalLM
from unsilent.models.encode import token_paths
from unsilent.models.plain import Plain
from unsilent.models.trunk import Trunk
from unsilent.plan import AdapterPlan

Random = Callable[[CausalLM, int], Adapter]

COMMON = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
GPT2 = {
    "vocab_size": 320,
    "n_embd": 32,
    "n_layer": 4,
    "n_head": 4,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LOCAL = {"sliding_window": 6}
"""Shorter than the items, so that what lies far is really out of sight."""

# family: (config class, its arguments, adapter targets)
SHARED: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "llama": ("LlamaConfig", COMMON, ("q_proj", "down_proj")),
    "mistral": ("MistralConfig", {**COMMON, **LOCAL}, ("q_proj", "v_proj")),
    "qwen2": ("Qwen2Config", COMMON, ("q_proj", "o_proj")),
    "qwen2-window": (
        "Qwen2Config",
        {**COMMON, **LOCAL, "use_sliding_window": True, "max_window_layers": 2},
        ("q_proj",),
    ),
    "qwen3": ("Qwen3Config", COMMON, ("q_proj", "o_proj")),
    "gemma": ("GemmaConfig", COMMON, ("q_proj", "down_proj")),
    "gemma2": (
        "Gemma2Config",
        {
            **COMMON,
            **LOCAL,
            "query_pre_attn_scalar": 24,
            "final_logit_softcapping": 3.0,
            "attn_logit_softcapping": 2.0,
        },
        ("q_proj", "o_proj"),
    ),
    "gemma3": (
        "Gemma3TextConfig",
        {**COMMON, **LOCAL, "query_pre_attn_scalar": 24, "sliding_window_pattern": 2},
        ("q_proj", "v_proj"),
    ),
    # Scales on the logits, each by a name of its own.
    "granite": (
        "GraniteConfig",
        {**COMMON, "logits_scaling": 3.0, "residual_multiplier": 0.7, "embedding_multiplier": 2.0},
        ("q_proj", "down_proj"),
    ),
    "cohere": ("CohereConfig", {**COMMON, "logit_scale": 0.3}, ("q_proj", "o_proj")),
    "gpt2": ("GPT2Config", GPT2, ("c_attn", "c_fc")),
    "gpt-neox": (
        "GPTNeoXConfig",
        {k: v for k, v in COMMON.items() if k not in {"num_key_value_heads", "head_dim"}},
        ("query_key_value",),
    ),
}
ALONE: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    # ALiBi: positions come from the mask.
    "bloom": (
        "BloomConfig",
        {"vocab_size": 320, "hidden_size": 32, "n_layer": 3, "n_head": 4, "initializer_range": 0.3},
        ("query_key_value",),
    ),
    # No attention at all.
    "mamba": (
        "MambaConfig",
        {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 3, "state_size": 4},
        ("in_proj",),
    ),
}


def random_model(family: str) -> Any:
    name, arguments, _ = {**SHARED, **ALONE}[family]
    torch.manual_seed(1)
    config = getattr(transformers, name)(**arguments)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def load(
    family: str, tokenizer: Any, *, layers: tuple[int, int] = (1, -1), **more: Any
) -> CausalLM:
    targets = {**SHARED, **ALONE}[family][2]
    plan = AdapterPlan(rank=3, scale=2.0, targets=targets, layers=layers)
    return CausalLM(random_model(family), tokenizer, weights=family, adapter=plan, **more)


@torch.no_grad()
def own_forward(model: Any, tokenizer: Any, items: ItemSet) -> NDArray[np.float64]:
    """One forward pass of the model itself for each choice."""
    table = np.full((len(items), max(len(item.choices) for item in items)), -np.inf)
    for path in (path for group in token_paths(tokenizer, items.items) for path in group):
        tokens = torch.tensor([path.tokens])
        logs = model(input_ids=tokens).logits[0].double().log_softmax(-1)
        asked = range(path.start, len(path.tokens))
        table[path.item, path.choice] = sum(float(logs[i - 1, path.tokens[i]]) for i in asked)
    return table


@pytest.fixture(scope="module")
def few_shot() -> ItemSet:
    """A header before every item, and a few without."""
    header = "Review: it was good. Sentiment: positive\nReview: it was bad. Sentiment: negative\n"
    return ItemSet(
        "few-shot",
        (
            *(
                Item(f"s{i}", f"{header}Review: {'so ' * i}it is. Sentiment:", (" good", " bad it"))
                for i in range(5)
            ),
            Item("alone", "the movie was", (" good", " bad and long")),
            Item("chat", "how?", ("I can", "I cannot", "Sure, here"), chat=True),
        ),
    )


@pytest.mark.parametrize("family", SHARED)
def test_a_shared_trunk_gives_the_models_own_numbers(
    family: str, tokenizer: Any, mixed: ItemSet, few_shot: ItemSet, random_adapter: Random
) -> None:
    lm = load(family, tokenizer)
    assert isinstance(lm.engine, Trunk)
    adapter = random_adapter(lm, 2)
    for items in (mixed, few_shot):
        base = own_forward(random_model(family), tokenizer, items)
        np.testing.assert_allclose(lm.log_likelihoods(items, None), base, atol=1e-4)
        found = lm.log_likelihoods(items, adapter)
        with lm.merged(adapter):
            expected = own_forward(lm.model, tokenizer, items)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        finite = np.isfinite(base)
        assert np.abs(found[finite] - base[finite]).max() > 0.1


@pytest.mark.parametrize("family", ALONE)
def test_a_model_that_cannot_share_is_scored_the_plain_way_and_says_so(
    family: str,
    tokenizer: Any,
    mixed: ItemSet,
    random_adapter: Random,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="unsilent"):
        lm = load(family, tokenizer, layers=(1, 2))
    assert isinstance(lm.engine, Plain)
    (record,) = [record for record in caplog.records if record.name == "unsilent"]
    assert "plain way" in record.message
    assert family in record.message
    adapter = random_adapter(lm, 2)
    with lm.merged(adapter):
        expected = own_forward(lm.model, tokenizer, mixed)
    np.testing.assert_allclose(lm.log_likelihoods(mixed, adapter), expected, atol=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "gemma2", "bloom"])
def test_every_family_learns(family: str, tokenizer: Any) -> None:
    words = ("good", "bad")
    records = ItemSet(
        "records",
        tuple(
            Item(f"r{i}", f"{words[i % 2]}:", (" positive", " negative"), answer=i % 2)
            for i in range(8)
        ),
    )
    lm = load(family, tokenizer, layers=(1, 2))
    training = Training(epochs=15, learning_rate=0.01, batch=4, seed=1)
    trained, report = lm.train(lm.new_adapter(0), records, training)
    right = lm.score(records, trained)[np.arange(8), [item.answer for item in records]]
    assert right.min() > 0.7
    assert report.accuracy == 1.0


def test_the_plain_way_trains_as_the_shared_trunk_does(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen layers that are kept give the adapter of layers that are run each time."""
    records = ItemSet(
        "records",
        tuple(
            Item(f"r{i}", f"Review {i}:", (" positive", " negative"), answer=i % 2)
            for i in range(8)
        ),
    )
    training = Training(epochs=2, learning_rate=1e-3, batch=4, seed=1)
    shared = load("llama", tokenizer, layers=(2, 3))
    monkeypatch.setattr("unsilent.models.engine._difference", lambda *_: "asked to")
    plain = load("llama", tokenizer, layers=(2, 3))
    assert isinstance(shared.engine, Trunk)
    assert isinstance(plain.engine, Plain)
    one, report = shared.train(shared.new_adapter(3), records, training)
    other, same = plain.train(plain.new_adapter(3), records, training)
    assert report.loss == pytest.approx(same.loss, abs=1e-5)
    for name, tensor in one.tensors.items():
        # Adam's steps are 1e-3 each whatever the gradient's size; rounding moves them by 2%.
        np.testing.assert_allclose(tensor, other.tensors[name], atol=2e-5 * 4, err_msg=name)


def test_a_model_that_gives_no_numbers_is_refused_by_name(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("needs images")

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", broken)
    with pytest.raises(ModelError, match=r"model\.id: models of type llama cannot be scored"):
        load("llama", tokenizer)
