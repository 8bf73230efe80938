"""Content hashes: the same for the same model, another for whatever makes it another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, RecordDict
from peft import LoraConfig, get_peft_model

from unsilent.flower import PeftScore
from unsilent.models import peft_scoring
from unsilent.models.hashes import (
    base_hash,
    engine_hash,
    layout_hash,
    tokenizer_hash,
    weights_hash,
)

# peft asks for a property by the name that transformers 5 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})


def adapted(tiny: Callable[..., Any], **changes: Any) -> Any:
    config: dict[str, Any] = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], **changes}
    return get_peft_model(tiny(), LoraConfig(**config))


def told(model: Any, tokenizer: Any) -> dict[str, str]:
    peft_scoring.held.clear()
    return PeftScore(lambda _: (model, tokenizer)).hashes(CONTEXT)


def test_the_base_is_the_same_before_and_after_it_was_adapted(tiny: Callable[..., Any]) -> None:
    plain = base_hash(tiny())
    model = adapted(tiny)
    assert base_hash(model) == plain
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "lora_" in name:
                tensor.add_(1)
    assert base_hash(model) == plain


@torch.no_grad()
def test_one_weight_of_it_makes_another_base(tiny: Callable[..., Any]) -> None:
    model = adapted(tiny)
    before = base_hash(model)
    model.get_base_model().get_input_embeddings().weight[3, 1] += 1e-3
    assert base_hash(model) != before


def test_names_shapes_types_and_bytes_of_weights_count() -> None:
    one = torch.arange(6, dtype=torch.float32)
    hashes = {
        weights_hash({"a": one}),
        weights_hash({"b": one}),
        weights_hash({"a": one.reshape(2, 3)}),
        weights_hash({"a": one.to(torch.bfloat16)}),
        weights_hash({"a": one + 1}),
    }
    assert len(hashes) == 5
    assert weights_hash({"a": one, "b": one}) == weights_hash({"b": one.clone(), "a": one})


def test_a_layout_is_names_shapes_and_types_and_no_numbers() -> None:
    first = {"a": np.zeros((2, 3), np.float32), "b": np.ones(2, np.float32)}
    same = {"b": np.zeros(2, np.float32), "a": np.ones((2, 3), np.float32)}
    assert layout_hash(first) == layout_hash(same)
    others = [
        {"a": first["a"]},
        {**first, "b": np.ones(3, np.float32)},
        {**first, "b": np.ones(2, np.float16)},
        {"c": first["a"], "b": first["b"]},
    ]
    assert len({layout_hash(first), *map(layout_hash, others)}) == 5


def test_a_tokenizer_is_the_same_after_it_was_used_and_another_with_a_template(
    tokenizer: Any,
) -> None:
    before = tokenizer_hash(tokenizer)
    tokenizer(["a text that is cut"], truncation=True, max_length=2)
    assert tokenizer_hash(tokenizer) == before
    kept = tokenizer.chat_template
    try:
        tokenizer.chat_template = "{{ messages[0].content }}"
        assert tokenizer_hash(tokenizer) != before
    finally:
        tokenizer.chat_template = kept


def test_the_scale_of_an_adapter_is_told_by_the_engine_alone(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    plain = told(adapted(tiny), tokenizer)
    again = told(adapted(tiny), tokenizer)
    louder = told(adapted(tiny, lora_alpha=8), tokenizer)
    assert plain == again
    assert plain["engine"] != louder["engine"]
    assert {part: plain[part] for part in ("base", "tokenizer")} == {
        part: louder[part] for part in ("base", "tokenizer")
    }


@pytest.mark.parametrize("other", ["float64", "bfloat16"])
def test_the_number_type_makes_another_engine(other: str) -> None:
    assert engine_hash("float32") == engine_hash("float32", ())
    assert engine_hash("float32") != engine_hash(other)
