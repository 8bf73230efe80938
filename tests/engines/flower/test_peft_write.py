"""What a user's peft model writes for open text: under the arrays of a message, by peft itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from flwr.app import ArrayRecord
from peft import set_peft_model_state_dict

from tests.engines.flower.test_peft_score import CONTEXT, KINDS, adapted, other, tokenizer
from unsilent.flower import PeftScore
from unsilent.items import Item, ItemSet
from unsilent.models import peft_scoring
from unsilent.open_text import Writing
from unsilent.open_text.kinds import CHOICES

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
PROMPTS = ("the film was", "Is it")
ITEMS = ItemSet("open", tuple(Item(text, text, CHOICES) for text in PROMPTS))
WRITING = Writing(tokens=6)


@pytest.fixture(autouse=True)
def alone() -> Any:
    peft_scoring.held.clear()
    yield
    peft_scoring.held.clear()


@torch.no_grad()
def likeliest(model: Any, state: dict[str, torch.Tensor] | None) -> list[str]:
    """One forward pass a token by peft itself."""
    if state is None:
        model = model.unload()
    else:
        set_peft_model_state_dict(model, state)
    model.eval()
    words, found = tokenizer(), []
    for prompt in PROMPTS:
        tokens = list(words(prompt)["input_ids"])
        start = len(tokens)
        for _ in range(WRITING.tokens):
            tokens.append(int(model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
        found.append(words.decode(tokens[start:], skip_special_tokens=True).strip())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_under_the_arrays_and_under_the_base(kind: str) -> None:
    model = adapted(KINDS[kind])
    # A client's model is in the midst of its training: its dropout is none of the answer's.
    model.train()
    model.generation_config.eos_token_id = None
    score, state = PeftScore(lambda context: (model, tokenizer())), other(model)
    written = score.write(ITEMS, ArrayRecord(state), WRITING, CONTEXT)
    base = score.write(ITEMS, None, WRITING, CONTEXT)
    assert written == likeliest(adapted(KINDS[kind]), state)
    assert base == likeliest(adapted(KINDS[kind]), None)
    assert written != base
    assert model.training
