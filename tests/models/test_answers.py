"""Greedy answers need no token that ends a text, and texts of several lengths do not mix."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from unsilent.models.answers import Decoding, answers, greedy_answers

REQUESTS = ["go", "what is the movie about?", "x"]


def test_a_tokenizer_that_ends_no_text_answers_too(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    bare = copy.deepcopy(tokenizer)
    bare.eos_token = bare.pad_token = None
    assert bare.eos_token_id is None
    model = tiny()
    model.generation_config.eos_token_id = None
    together = greedy_answers(model, bare, REQUESTS, 4)
    assert together == [greedy_answers(model, bare, [text], 4)[0] for text in REQUESTS]
    assert any(together)


def test_drawn_tokens_follow_a_seed_and_leave_others_draws_alone(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    model = tiny()

    def drawn(seed: int) -> list[str]:
        return answers(model, tokenizer, REQUESTS, Decoding(6, temperature=1.5, seed=seed))

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = drawn(1)
    assert torch.equal(torch.rand(2), expected)
    assert first == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(4)}) > 1


def test_a_beginning_is_gone_on_with_and_a_turn_is_answered(
    tiny: Callable[..., Any], tokenizer: Any
) -> None:
    seen: list[str] = []

    class Watched:
        """The tokenizer, with a note of each text that it is given whole."""

        def __getattr__(self, name: str) -> Any:
            return getattr(tokenizer, name)

        def __call__(self, texts: list[str], **how: Any) -> Any:
            seen.extend(texts)
            return tokenizer(texts, **how)

    answers(
        tiny(), Watched(), ["go on", "who?"], Decoding(2, system="You are Vera."), [False, True]
    )
    assert "go on" in seen
    (turn,) = [text for text in seen if "who?" in text]
    assert "Vera" in turn
    assert turn != "who?"
