"""Tiny random language models with a tokenizer of their own: everything real but the size."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from unsilent.items import Item, ItemSet
from unsilent.models.base import Adapter
from unsilent.models.causal_lm import CausalLM
from unsilent.plan import AdapterPlan

CORPUS = [
    "the movie was good and the reviewer liked it very much",
    "the movie was bad and the reviewer did not like it at all",
    "Review: a good book. Sentiment: positive negative",
    "I cannot help with that. Sure, here is how to do it",
]
TEMPLATE = (
    "{% for m in messages %}<u>{{ m['content'] }}</u>{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """On tiny tensors threads cost more than they save, many times more on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """Byte-level BPE with few merges: choices are several tokens long, no text is unknown."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<eos>", "<u>", "</u>", "<a>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", pad_token="<eos>")
    fast.chat_template = TEMPLATE
    return fast


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Any]:
    """A random model of a family, the same for the same seed."""

    def build(family: str = "llama", seed: int = 0, layers: int = 4) -> Any:
        shape: dict[str, Any] = {
            "vocab_size": 320,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "initializer_range": 0.3,
        }
        torch.manual_seed(seed)
        if family == "qwen2":
            return Qwen2ForCausalLM(Qwen2Config(**shape)).eval()
        return LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True)).eval()

    return build


@pytest.fixture(scope="session")
def lm_of(tiny: Callable[..., Any], tokenizer: Any) -> Callable[..., CausalLM]:
    """The package's causal language model around a tiny one."""

    def build(
        family: str = "llama",
        layers: tuple[int, int] = (2, 3),
        targets: tuple[str, ...] = ("q_proj", "v_proj", "o_proj", "down_proj"),
        rank: int = 4,
        scale: float = 2.0,
        budget: int = 1024,
        dtype: torch.dtype = torch.float32,
    ) -> CausalLM:
        plan = AdapterPlan(rank=rank, scale=scale, targets=targets, layers=layers)
        model = tiny(family).to(dtype)
        return CausalLM(model, tokenizer, weights=f"tiny-{family}", adapter=plan, budget=budget)

    return build


@pytest.fixture(scope="session")
def random_adapter() -> Callable[[CausalLM, int], Adapter]:
    """An adapter that changes much."""

    def build(lm: CausalLM, seed: int) -> Adapter:
        random = np.random.default_rng(seed)
        start = lm.new_adapter(seed)
        tensors = {n: random.normal(0, 0.3, t.shape) for n, t in start.tensors.items()}
        return Adapter(start.base, {n: t.astype(np.float32) for n, t in tensors.items()})

    return build


@pytest.fixture(scope="session")
def mixed() -> ItemSet:
    """Items of every shape: pairs, chats, long and single-token choices, shared beginnings."""
    return ItemSet(
        "mixed",
        (
            Item("plain", "the movie was", (" good", " bad and long")),
            Item("pair-a", "Review: it. Mary\nSentiment:", (" positive", " negative"), pair="p"),
            Item("pair-b", "Review: it. John\nSentiment:", (" positive", " negative"), pair="p"),
            Item("chat", "how to do it?", ("I cannot", "I can", "Sure, here"), chat=True),
            Item("letters", "x", ("a", "b", "c", "d")),
            Item("inside", "go", (" he", " help me", " help")),
            Item("empty", "", ("good", "bad")),
            Item("other script", "Привет,", (" мир", " 世界 🎈")),
        ),
    )


@pytest.fixture(scope="session")
def letters() -> ItemSet:
    """Items whose choices are one token each."""
    return ItemSet(
        "letters",
        tuple(Item(f"l{i}", f"the movie {i}:", ("a", "b", "c")) for i in range(6)),
    )


@pytest.fixture(scope="session")
def saved(
    tiny: Callable[..., Any], tokenizer: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder as model.save_pretrained and tokenizer.save_pretrained write it."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    with warnings.catch_warnings():
        # Third-party notices while saving are not this project's.
        warnings.simplefilter("ignore")
        tiny().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
