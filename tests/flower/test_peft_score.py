"""A user's peft model is scored under the arrays of a message, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, Context, RecordDict
from numpy.typing import NDArray
from peft import IA3Config, LoraConfig, get_peft_model, get_peft_model_state_dict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from unsilent.errors import ModelError
from unsilent.flower import PeftScore, peft_score
from unsilent.items import Item, ItemSet

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

KINDS = {
    "lora": LoraConfig(r=4, lora_alpha=8, lora_dropout=0.5, target_modules=["q_proj", "v_proj"]),
    "rslora": LoraConfig(r=4, lora_alpha=8, use_rslora=True, target_modules=["down_proj"]),
    "dora": LoraConfig(r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj"]),
    "some layers": LoraConfig(r=2, target_modules=["o_proj"], layers_to_transform=[1]),
    "ia3": IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]),
}
ITEMS = ItemSet(
    "items",
    (
        Item("a", "the film was", (" good", " bad and long")),
        Item("b", "the film was not", (" bad", " good", " long")),
        Item("c", "Is it", (" a", " b")),
    ),
)
CONTEXT = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    peft_score._held.clear()
    yield
    peft_score._held.clear()
    torch.set_num_threads(before)


def tokenizer() -> Any:
    """One token a byte."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def adapted(config: Any) -> Any:
    torch.manual_seed(0)
    shape = {"vocab_size": 256, "hidden_size": 32, "intermediate_size": 64}
    heads = {"num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.3}
    return get_peft_model(LlamaForCausalLM(LlamaConfig(**shape, **heads)), config)


def state_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in get_peft_model_state_dict(model).items()}


def other(model: Any) -> dict[str, torch.Tensor]:
    """An adapter that changes much."""
    made = torch.Generator().manual_seed(7)
    return {
        name: tensor + 0.5 * torch.randn(tensor.shape, generator=made)
        for name, tensor in state_of(model).items()
    }


@torch.no_grad()
def plain(model: Any, state: dict[str, torch.Tensor] | None) -> NDArray[np.float64]:
    """One forward pass a choice by peft itself."""
    from peft import set_peft_model_state_dict

    if state is None:
        model = model.unload()
    else:
        set_peft_model_state_dict(model, state)
    model.eval()
    words, table = tokenizer(), np.zeros((len(ITEMS), 3))
    for row, item in enumerate(ITEMS):
        start = len(words(item.prompt)["input_ids"])
        sums = []
        for choice in item.choices:
            tokens = words(item.prompt + choice)["input_ids"]
            logs = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
            sums.append(sum(float(logs[at - 1, tokens[at]]) for at in range(start, len(tokens))))
        likely = np.exp(np.array(sums) - max(sums))
        table[row, : len(sums)] = likely / likely.sum()
    return table


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_pefts_own_forward_pass(kind: str) -> None:
    model = adapted(KINDS[kind])
    score = PeftScore(lambda context: (model, tokenizer()))
    state = other(model)
    found = score(ITEMS, ArrayRecord(state), CONTEXT)
    base = score(ITEMS, None, CONTEXT)
    again = score(ITEMS, ArrayRecord([t.numpy() for t in state.values()]), CONTEXT)
    np.testing.assert_allclose(found, plain(adapted(KINDS[kind]), state), atol=1e-4)
    np.testing.assert_allclose(base, plain(adapted(KINDS[kind]), None), atol=1e-4)
    np.testing.assert_array_equal(found, again)
    assert np.abs(found - base).max() > 1e-3


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    model = adapted(KINDS["lora"])
    model.train(training)
    model.base_model.model.model.layers[0].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    asked = [parameter.requires_grad for parameter in model.parameters()]
    score = PeftScore(lambda context: (model, tokenizer()))
    score(ITEMS, ArrayRecord(other(model)), CONTEXT)
    score(ITEMS, None, CONTEXT)
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == asked


def test_a_model_is_loaded_once_a_process() -> None:
    loaded: list[Context] = []

    def load(context: Context) -> Any:
        loaded.append(context)
        return adapted(KINDS["lora"]), tokenizer()

    for _ in range(3):
        PeftScore(load)(ITEMS, None, CONTEXT)
    assert loaded == [CONTEXT]


def test_arrays_of_another_adapter_are_refused() -> None:
    model = adapted(KINDS["lora"])
    score = PeftScore(lambda context: (model, tokenizer()))
    wrong = {name: tensor[:1] for name, tensor in state_of(model).items()}
    for arrays in (ArrayRecord(wrong), ArrayRecord([np.zeros(3)]), ArrayRecord({})):
        with pytest.raises(ModelError, match="not those of this model's adapter"):
            score(ITEMS, arrays, CONTEXT)


def test_an_adapter_outside_the_layers_is_refused() -> None:
    model = adapted(LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"]))
    with pytest.raises(ModelError, match="not within the model's layers"):
        PeftScore(lambda context: (model, tokenizer()))(ITEMS, None, CONTEXT)
